package main

import (
	"os"
	"runtime"
	"sync/atomic"
	"syscall"
	"time"
)

var (
	toNobody     = make(chan interface{})
	toNobodyWide = make(chan [5]interface{})
	fromGlobal   = make(chan int)
	stopped      int32
)

//go:noinline
func sleepHolding(thing interface{}) {
	sleep()
	touch(thing)
}

//go:noinline
func sleepWithArguments(a, b, c, d, e, f, g, h, i, j, k, l int, thing interface{}) int {
	sleep()
	touch(thing)
	return a + b + c + d + e + f + g + h + i + j + k + l
}

//go:noinline
func sleepWithResult(thing interface{}) (kept interface{}) {
	kept = thing
	thing = nil
	defer func() { recover() }()
	sleep()
	return kept
}

//go:noinline
func sleepBelow(depth int, thing interface{}) int {
	if depth == 0 {
		sleep()
	} else {
		depth = sleepBelow(depth-1, nil) + 1
	}
	touch(thing)
	return depth
}

//go:noinline
func sleepPointing(object *[9]interface{}) {
	sleep()
	touch(object[4])
}

//go:noinline
func sleepDefers(thing interface{}, times int) {
	for i := 0; i < times; i++ {
		// In a loop, so that each is a record of its own in the heap.
		defer func() { touch(thing) }()
	}
	sleep()
}

//go:noinline
func sleepDefersArguments(thing interface{}, times int) {
	for i := 0; i < times; i++ {
		defer touch(thing)
	}
	sleep()
}

//go:noinline
func sleepDefersOnce(thing interface{}) {
	defer touch(thing)
	sleep()
}

//go:noinline
func sleepDefersMaybe(thing interface{}, maybe bool) {
	if maybe {
		defer func() { touch(thing) }()
	}
	sleep()
}

// sleepDefersMany has more of them than are done without records, and they are on the stack.
//
//go:noinline
func sleepDefersMany(thing interface{}) {
	defer touch(nil)
	defer touch(nil)
	defer touch(nil)
	defer touch(nil)
	defer touch(thing)
	defer touch(nil)
	defer touch(nil)
	defer touch(nil)
	defer touch(nil)
	defer touch(nil)
	sleep()
}

//go:noinline
func panicHolding(thing interface{}) {
	defer func() {
		sleep()
		recover()
	}()
	panic(&boxed{1, 2, thing})
}

func helper(s scene, f func()) {
	me := s.helps()
	go func() {
		me.here()
		f()
	}()
}

func pipe() (*os.File, *os.File) {
	r, w, err := os.Pipe()
	if err != nil {
		panic(err)
	}
	return r, w
}

func init() {
	keeps("stack", func(s scene, thing interface{}) {
		helper(s, func() { sleepHolding(thing) })
	})
	keeps("stack-local", func(s scene, thing interface{}) {
		me := s.helps()
		hand := make(chan interface{}, 1)
		hand <- thing
		go func() {
			me.here()
			got := <-hand
			sleep()
			touch(got)
		}()
	})
	keeps("argument", func(s scene, thing interface{}) {
		me := s.helps()
		go func(thing interface{}) {
			me.here()
			sleep()
			touch(thing)
		}(thing)
	})
	keeps("arguments", func(s scene, thing interface{}) {
		helper(s, func() { sleepWithArguments(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, thing) })
	})
	keeps("result", func(s scene, thing interface{}) {
		helper(s, func() { touch(sleepWithResult(thing)) })
	})
	keeps("deep-stack", func(s scene, thing interface{}) {
		helper(s, func() { sleepBelow(300, thing) })
	})
	keeps("stack-object", func(s scene, thing interface{}) {
		helper(s, func() {
			var object [9]interface{}
			object[4] = thing
			sleepPointing(&object)
		})
	})
	keeps("stack-object-of-objects", func(s scene, thing interface{}) {
		helper(s, func() {
			var inner [9]interface{}
			inner[4] = thing
			outer := struct {
				n int
				p *[9]interface{}
			}{1, &inner}
			func(o *struct {
				n int
				p *[9]interface{}
			}) {
				sleepPointing(o.p)
			}(&outer)
		})
	})
	keeps("stack-slice", func(s scene, thing interface{}) {
		helper(s, func() {
			var room [12]interface{}
			all := append(room[:0], 1, 2, thing, 3)
			sleep()
			for _, one := range all {
				if one == nil {
					touch(one)
				}
			}
		})
	})
	keeps("defer-in-loop", func(s scene, thing interface{}) {
		helper(s, func() { sleepDefers(thing, 3) })
	})
	keeps("defer-arguments", func(s scene, thing interface{}) {
		helper(s, func() { sleepDefersArguments(thing, 2) })
	})
	keeps("defer", func(s scene, thing interface{}) {
		helper(s, func() { sleepDefersOnce(thing) })
	})
	keeps("defer-maybe", func(s scene, thing interface{}) {
		helper(s, func() { sleepDefersMaybe(thing, len(s) > 0) })
	})
	keeps("defer-many", func(s scene, thing interface{}) {
		helper(s, func() { sleepDefersMany(thing) })
	})
	keeps("panic", func(s scene, thing interface{}) {
		helper(s, func() { panicHolding(thing) })
	})
	keeps("element-sent", func(s scene, thing interface{}) {
		me := s.waits()
		go func() {
			me.here()
			toNobody <- thing
		}()
	})
	keeps("element-sent-wide", func(s scene, thing interface{}) {
		me := s.waits()
		go func() {
			me.here()
			toNobodyWide <- [5]interface{}{3: thing}
		}()
	})
	keeps("element-selected", func(s scene, thing interface{}) {
		me := s.waits()
		go func() {
			me.here()
			select {
			case toNobody <- thing:
			case <-fromGlobal:
			}
		}()
	})
	keeps("blocked-goroutine", func(s scene, thing interface{}) {
		me := s.waits()
		go func() {
			me.here()
			<-fromGlobal
			touch(thing)
		}()
	})
	keeps("chain", func(s scene, thing interface{}) {
		// From somebody who sleeps, over five who wait, each for the one before.
		for i := 0; i < 5; i++ {
			last, next, me := thing, make(chan int), s.waits()
			go func() {
				me.here()
				<-next
				touch(last)
			}()
			thing = next
		}
		helper(s, func() { sleepHolding(thing) })
	})
	keeps("chain-of-locks", func(s scene, thing interface{}) {
		for i := 0; i < 3; i++ {
			last, next, me := thing, new(guarded), s.waits()
			next.mutex.Lock()
			go func() {
				me.here()
				next.mutex.Lock()
				touch(last)
			}()
			thing = &boxed{1, 2, next}
		}
		inSlice = append(inSlice, thing)
	})
	keeps("network", func(s scene, thing interface{}) {
		r, w := pipe()
		inSlice = append(inSlice, w)
		helper(s, func() {
			r.Read(make([]byte, 1))
			touch(thing)
		})
	})
}

// What takes a processor or a thread is there once and holds everything.
func init() {
	onlyOnce := func(name string, hold func(thing interface{})) {
		for _, w := range waiters[:1] {
			w := w
			add(name+"/"+w.name, func(s scene) {
				thing, wait := w.make()
				me := s.waits()
				go func() {
					me.here()
					wait()
				}()
				helper(s, func() { hold(thing) })
			})
		}
	}
	onlyOnce("busy", func(thing interface{}) {
		n := 0
		for atomic.LoadInt32(&stopped) == 0 {
			n++
		}
		touch(thing)
	})
	onlyOnce("system-call", func(thing interface{}) {
		var fds [2]int
		if err := syscall.Pipe(fds[:]); err != nil {
			panic(err)
		}
		syscall.Read(fds[0], make([]byte, 1))
		touch(thing)
	})
	onlyOnce("locked-thread", func(thing interface{}) {
		runtime.LockOSThread()
		sleepHolding(thing)
	})
	onlyOnce("ticking", func(thing interface{}) {
		for range time.NewTicker(300 * time.Microsecond).C {
			if atomic.LoadInt32(&stopped) != 0 {
				touch(thing)
			}
		}
	})
	onlyOnce("moving", func(thing interface{}) {
		for atomic.LoadInt32(&stopped) == 0 {
			depth := sleepNot(200, thing)
			time.Sleep(time.Duration(depth) * time.Microsecond)
		}
		touch(thing)
	})
}

// sleepNot makes the stack grow; the collector makes it shrink again.
//
//go:noinline
func sleepNot(depth int, thing interface{}) int {
	var room [20]int
	if depth > 0 {
		room[depth%20] = sleepNot(depth-1, thing)
		return room[depth%20] + 1
	}
	return len(room)
}
