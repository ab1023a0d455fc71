package main

import (
	"runtime"
	"sync"
)

var (
	heldOnce  = new(sync.Once)
	heldGroup sync.WaitGroup
	heldCond  = sync.NewCond(&sync.Mutex{})
	crowd     = make(chan int)
	locked    sync.RWMutex
)

func init() {
	add("select-empty", func(s scene) {
		me := s.leaks()
		go func() {
			me.here()
			select {}
		}()
	})
	add("receive-nil", func(s scene) {
		me := s.leaks()
		go func() {
			me.here()
			var c chan int
			<-c
		}()
	})
	add("send-nil", func(s scene) {
		me := s.leaks()
		go func() {
			me.here()
			var c chan int
			c <- 1
		}()
	})
	// The first one never returns from what it does once, and the others wait for it.
	add("once", func(s scene) {
		once, never := new(sync.Once), make(chan int)
		for i := 0; i < 3; i++ {
			me := s.leaks()
			go func() {
				me.here()
				once.Do(func() { <-never })
			}()
		}
	})
	add("once-global", func(s scene) {
		first, never := s.leaks(), make(chan int)
		go func() {
			heldOnce.Do(func() {
				first.here()
				<-never
			})
		}()
		for !allArrived() {
			runtime.Gosched()
		}
		for i := 0; i < 3; i++ {
			me := s.waits()
			go func() {
				me.here()
				heldOnce.Do(func() {})
			}()
		}
	})
	add("crowd", func(s scene) {
		never := make(chan int)
		for i := 0; i < 100; i++ {
			me := s.leaks()
			go func() {
				me.here()
				<-never
			}()
		}
	})
	add("crowd-global", func(s scene) {
		for i := 0; i < 100; i++ {
			me := s.waits()
			go func() {
				me.here()
				<-crowd
			}()
		}
	})
	// What is in the program's own data is no object of the heap.
	add("data-waitgroup", func(s scene) {
		heldGroup.Add(1)
		me := s.waits()
		go func() {
			me.here()
			heldGroup.Wait()
		}()
	})
	add("data-cond", func(s scene) {
		me := s.waits()
		go func() {
			me.here()
			heldCond.L.Lock()
			heldCond.Wait()
		}()
	})
	add("data-rwmutex", func(s scene) {
		locked.Lock()
		one, two := s.waits(), s.waits()
		go func() {
			one.here()
			locked.RLock()
		}()
		go func() {
			two.here()
			locked.Lock()
		}()
	})
	add("crowd-of-locks", func(s scene) {
		m, w, c := new(guarded), new(sync.WaitGroup), sync.NewCond(new(sync.Mutex))
		m.mutex.Lock()
		w.Add(1)
		for i := 0; i < 30; i++ {
			me := s.leaks()
			go func(i int) {
				me.here()
				switch i % 3 {
				case 0:
					m.mutex.Lock()
				case 1:
					w.Wait()
				default:
					c.L.Lock()
					c.Wait()
				}
			}(i)
		}
	})
	add("chain", func(s scene) {
		var last interface{}
		for i := 0; i < 8; i++ {
			held, next, me := last, make(chan int), s.leaks()
			go func() {
				me.here()
				<-next
				touch(held)
			}()
			last = next
		}
	})
	add("fan-in", func(s scene) {
		// The usual mistake: results nobody takes.
		results := make(chan int)
		for i := 0; i < 10; i++ {
			me := s.leaks()
			go func(i int) {
				me.here()
				results <- i
			}(i)
		}
	})
	add("producers-and-closer", func(s scene) {
		var wait sync.WaitGroup
		results := make(chan int)
		for i := 0; i < 5; i++ {
			wait.Add(1)
			me := s.leaks()
			go func(i int) {
				defer wait.Done()
				me.here()
				results <- i
			}(i)
		}
		me := s.leaks()
		go func() {
			me.here()
			wait.Wait()
			close(results)
		}()
	})
	add("lock-order", func(s scene) {
		a, b, both := new(guarded), new(guarded), new(sync.WaitGroup)
		both.Add(2)
		lock := func(first, second *sync.Mutex) {
			me := s.leaks()
			go func() {
				me.here()
				first.Lock()
				both.Done()
				both.Wait()
				second.Lock()
			}()
		}
		lock(&a.mutex, &b.mutex)
		lock(&b.mutex, &a.mutex)
	})
}
