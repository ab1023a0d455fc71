package main

import (
	"context"
	"runtime"
	"runtime/pprof"
	"strconv"
	"time"
)

var ofInit = newEntry("started by an init function")

func init() {
	c := make(chan int)
	ofInit.on(channel(c))
	go receiveInt(ofInit, c)
}

func (e *entry) wait(c chan int) {
	e.enter()
	<-c
}

func receive[T any](e *entry, c chan T) {
	e.enter()
	<-c
}

func grandchild(e *entry, c chan int, text string, more ...int) {
	e.enter()
	<-c
	runtime.KeepAlive(text)
	runtime.KeepAlive(more)
}

func child(e *entry, c chan int) {
	e.enter()
	last := newEntry("started by a goroutine by a goroutine")
	last.on(channel(c))
	go grandchild(last, c, "text", 1, 2, 3)
	<-c
}

//go:noinline
func startsFromDeep(n int, e *entry, c chan int) {
	if n > 0 {
		startsFromDeep(n-1, e, c)
		return
	}
	go e.wait(c)
}

func init() {
	starts := func(name string, f func(e *entry, c chan int)) {
		add(name, func(e *entry) {
			c := make(chan int)
			e.on(channel(c))
			f(e, c)
		})
	}
	starts("started with arguments", func(e *entry, c chan int) { go grandchild(e, c, "text", 4) })
	starts("started method", func(e *entry, c chan int) { go e.wait(c) })
	starts("started method value", func(e *entry, c chan int) {
		f := e.wait
		go f(c)
	})
	starts("started through an interface", func(e *entry, c chan int) {
		var w interface{ wait(chan int) } = e
		go w.wait(c)
	})
	starts("started generic function", func(e *entry, c chan int) { go receive(e, c) })
	starts("started from deep down", func(e *entry, c chan int) { startsFromDeep(30, e, c) })
	starts("started by the library", func(e *entry, c chan int) {
		// The runtime's timer code executes this go statement.
		e.Parent = 0
		time.AfterFunc(time.Millisecond, func() {
			e.enter()
			<-c
		})
	})
	starts("started by an ended goroutine", func(e *entry, c chan int) {
		done := make(chan bool)
		go func() {
			e.Parent = goid()
			go e.wait(c)
			close(done)
		}()
		<-done
	})
	starts("started by a goroutine", func(e *entry, c chan int) { go child(e, c) })
	starts("locked to a thread", func(e *entry, c chan int) {
		go func() {
			runtime.LockOSThread()
			e.locked()
			<-c
		}()
	})
	starts("locked to a thread twice", func(e *entry, c chan int) {
		go func() {
			runtime.LockOSThread()
			runtime.LockOSThread()
			runtime.UnlockOSThread()
			e.locked()
			select {
			case c <- 1:
			}
		}()
	})
	starts("no longer locked", func(e *entry, c chan int) {
		go func() {
			runtime.LockOSThread()
			runtime.UnlockOSThread()
			e.enter()
			<-c
		}()
	})
}

func init() {
	labelled := func(name string, f func(e *entry, c chan int), labels ...string) {
		add(name, func(e *entry) {
			c := make(chan int)
			e.on(channel(c))
			go pprof.Do(context.Background(), pprof.Labels(labels...), func(ctx context.Context) {
				e.labelled(ctx)
				f(e, c)
			})
		})
	}
	wait := func(e *entry, c chan int) { e.wait(c) }
	many := []string{}
	for i := 0; i < 20; i++ {
		many = append(many, "key"+strconv.Itoa(i), "value "+strconv.Itoa(i*i))
	}
	labelled("one label", wait, "handler", "/search")
	labelled("three labels", wait, "handler", "/search", "tenant", "ä ö\n\"quoted\"", "empty", "")
	labelled("twenty labels", wait, many...)
	labelled("nested labels", func(e *entry, c chan int) {
		outer := pprof.WithLabels(context.Background(), pprof.Labels("handler", "/a", "outer", "1"))
		pprof.Do(outer, pprof.Labels("handler", "/b", "inner", "2"), func(ctx context.Context) {
			e.labelled(ctx)
			e.wait(c)
		})
	}, "overwritten", "yes")
	labelled("inherited labels", func(e *entry, c chan int) {
		heir := newEntry("inherits labels")
		heir.on(channel(c))
		heir.Labels = e.Labels
		go heir.wait(c)
		e.wait(c)
	}, "handler", "/inherited")
	add("labels taken off", func(e *entry) {
		c := make(chan int)
		e.on(channel(c))
		go func() {
			pprof.Do(context.Background(), pprof.Labels("a", "b"), func(context.Context) {})
			e.wait(c)
		}()
	})
}

// labelled notes the labels of the calling goroutine.
func (e *entry) labelled(ctx context.Context) {
	e.Labels = map[string]string{}
	pprof.ForLabels(ctx, func(key, value string) bool {
		e.Labels[key] = value
		return true
	})
}
