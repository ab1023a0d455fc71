package main

import (
	"context"
	"reflect"
	"sync"
	"time"
	"unsafe"
)

// inside is a mutex that is not at the start of what was allocated.
type inside struct {
	before [40]byte
	mutex  sync.Mutex
}

const hours = 1000 * time.Hour

// channelsKnowTimers is set by a file behind a build tag.
var channelsKnowTimers bool

// onTimer notes that the channel is that of a timer which has just been started.
func (e *entry) onTimer() {
	if channelsKnowTimers {
		e.on(clock(time.Now().Add(hours)))
	}
}

func init() {
	held := new(sync.Mutex)
	held.Lock()
	for i := 0; i < 3; i++ {
		add("mutex", func(e *entry) {
			e.on(object(held, "mutex"))
			go func() {
				e.enter()
				held.Lock()
			}()
		})
	}
	add("mutex inside of a struct", func(e *entry) {
		s := new(inside)
		s.mutex.Lock()
		e.on(object(&s.mutex, "mutex"))
		go func() {
			e.enter()
			s.mutex.Lock()
		}()
	})
	add("once", func(e *entry) {
		// The first caller never comes back from the function; the second waits for the first.
		once, first := new(sync.Once), newEntry("once, first")
		c, inDo := make(chan int), make(chan bool)
		field, _ := reflect.TypeOf(once).Elem().FieldByName("m")
		e.on(object((*sync.Mutex)(unsafe.Pointer(uintptr(unsafe.Pointer(once))+field.Offset)), "mutex"))
		first.on(channel(c))
		go once.Do(func() {
			first.enter()
			close(inDo)
			<-c
		})
		go func() {
			e.enter()
			<-inDo
			once.Do(func() {})
		}()
	})
	add("read lock behind a writer", func(e *entry) {
		rw := new(sync.RWMutex)
		rw.Lock()
		e.on(object(rw, "rw_mutex"))
		go func() {
			e.enter()
			rw.RLock()
		}()
	})
	add("write lock behind a reader", func(e *entry) {
		rw := new(sync.RWMutex)
		rw.RLock()
		e.on(object(rw, "rw_mutex"))
		go func() {
			e.enter()
			rw.Lock()
		}()
	})
	add("write lock behind a writer", func(e *entry) {
		rw := new(sync.RWMutex)
		rw.Lock()
		// It waits for the mutex with which a RWMutex begins: both words are true.
		e.on(object(rw, "rw_mutex", "mutex"))
		go func() {
			e.enter()
			rw.Lock()
		}()
	})
	add("wait group", func(e *entry) {
		group := new(sync.WaitGroup)
		group.Add(1)
		e.on(object(group, "wait_group"))
		go func() {
			e.enter()
			group.Wait()
		}()
	})
	cond := sync.NewCond(new(sync.Mutex))
	for i := 0; i < 2; i++ {
		add("cond", func(e *entry) {
			e.on(object(cond, "cond"))
			go func() {
				e.enter()
				cond.L.Lock()
				cond.Wait()
			}()
		})
	}
	add("sleep", func(e *entry) {
		e.on(clock(time.Now().Add(hours)))
		go func() {
			e.enter()
			time.Sleep(hours)
		}()
	})
	add("timer", func(e *entry) {
		timer := time.NewTimer(hours)
		e.on(channel(timer.C))
		e.onTimer()
		go func() {
			e.enter()
			<-timer.C
		}()
	})
	add("tick", func(e *entry) {
		ticks := time.Tick(hours)
		e.on(channel(ticks))
		e.onTimer()
		go func() {
			e.enter()
			for range ticks {
			}
		}()
	})
	add("select with a timeout", func(e *entry) {
		c, timeout := make(chan int), time.After(hours)
		e.on(channel(c), channel(timeout))
		e.onTimer()
		go func() {
			e.enter()
			select {
			case <-c:
			case <-timeout:
			}
		}()
	})
	add("context", func(e *entry) {
		ctx, cancel := context.WithTimeout(context.Background(), hours)
		keep = append(keep, cancel)
		e.on(channel(ctx.Done()))
		go func() {
			e.enter()
			<-ctx.Done()
		}()
	})
}
