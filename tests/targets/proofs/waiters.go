package main

import (
	"context"
	"sync"
)

// A waiter makes something to wait on, and returns what would wake those who do, and the wait itself.
type waiter struct {
	name string
	make func() (thing interface{}, wait func())
}

type guarded struct {
	name  string
	mutex sync.Mutex
	tail  [3]int
}

// group is what golang.org/x/sync/errgroup has.
type group struct {
	cancel func()
	wait   sync.WaitGroup
	slots  chan struct{}
	once   sync.Once
	err    error
}

type canceller struct{ cancel context.CancelFunc }

var waiters = []waiter{
	{"receive", func() (interface{}, func()) {
		c := make(chan int)
		return c, func() { <-c }
	}},
	{"receive-buffered", func() (interface{}, func()) {
		c := make(chan *int, 7)
		return c, func() { <-c }
	}},
	{"receive-ok", func() (interface{}, func()) {
		c := make(chan [3]string)
		return c, func() {
			v, ok := <-c
			_, _ = v, ok
		}
	}},
	{"range", func() (interface{}, func()) {
		c := make(chan string, 1)
		return c, func() {
			for range c {
			}
		}
	}},
	{"send", func() (interface{}, func()) {
		c := make(chan int)
		return c, func() { c <- 1 }
	}},
	{"send-full", func() (interface{}, func()) {
		c := make(chan error, 1)
		c <- nil
		return c, func() { c <- nil }
	}},
	{"send-nothing", func() (interface{}, func()) {
		c := make(chan struct{})
		return c, func() { c <- struct{}{} }
	}},
	{"select", func() (interface{}, func()) {
		c, other := make(chan int), make(chan int)
		return c, func() {
			select {
			case <-other:
			case <-c:
			}
		}
	}},
	{"select-send", func() (interface{}, func()) {
		c, other := make(chan int), make(chan string, 2)
		return c, func() {
			select {
			case c <- 1:
			case <-other:
			}
		}
	}},
	{"select-with-nil", func() (interface{}, func()) {
		c := make(chan int)
		var never chan int
		return c, func() {
			select {
			case <-never:
			case <-c:
			case never <- 1:
			}
		}
	}},
	{"select-loop", func() (interface{}, func()) {
		c, d, e := make(chan int), make(chan int), make(chan int)
		return e, func() {
			for {
				select {
				case <-c:
				case <-d:
				case <-e:
				}
			}
		}
	}},
	{"mutex", func() (interface{}, func()) {
		// Alone it would lie in one block with other small things, and live as long as they.
		m := new([4]sync.Mutex)
		m[2].Lock()
		return m, func() { m[2].Lock() }
	}},
	{"mutex-in-struct", func() (interface{}, func()) {
		g := &guarded{name: "x"}
		g.mutex.Lock()
		return g, func() {
			g.mutex.Lock()
			defer g.mutex.Unlock()
		}
	}},
	{"rwmutex-reader", func() (interface{}, func()) {
		m := new(sync.RWMutex)
		m.Lock()
		return m, func() { m.RLock() }
	}},
	{"rwmutex-writer", func() (interface{}, func()) {
		m := new(sync.RWMutex)
		m.RLock()
		return m, func() { m.Lock() }
	}},
	{"rwmutex-writers", func() (interface{}, func()) {
		m := new(sync.RWMutex)
		m.Lock()
		return m, func() { m.Lock() }
	}},
	{"waitgroup", func() (interface{}, func()) {
		w := new(sync.WaitGroup)
		w.Add(1)
		return w, func() { w.Wait() }
	}},
	{"cond", func() (interface{}, func()) {
		c := sync.NewCond(&sync.Mutex{})
		return c, func() {
			c.L.Lock()
			c.Wait()
		}
	}},
	{"cond-in-struct", func() (interface{}, func()) {
		s := &struct {
			mutex sync.RWMutex
			cond  sync.Cond
		}{}
		s.cond.L = s.mutex.RLocker()
		return s, func() {
			s.cond.L.Lock()
			s.cond.Wait()
		}
	}},
	{"context", func() (interface{}, func()) {
		ctx, cancel := context.WithCancel(context.Background())
		return &canceller{cancel}, func() { <-ctx.Done() }
	}},
	{"context-below", func() (interface{}, func()) {
		above, cancel := context.WithCancel(context.Background())
		ctx, below := context.WithCancel(context.WithValue(above, member{}, 1))
		return &canceller{cancel}, func() {
			<-ctx.Done()
			below()
		}
	}},
	{"group", func() (interface{}, func()) {
		g := &group{slots: make(chan struct{}, 2)}
		g.wait.Add(2)
		return g, func() {
			g.wait.Wait()
			if g.cancel != nil {
				g.cancel()
			}
		}
	}},
	{"group-full", func() (interface{}, func()) {
		g := &group{slots: make(chan struct{}, 1)}
		g.slots <- struct{}{}
		return g, func() {
			g.slots <- struct{}{}
			g.once.Do(func() {})
		}
	}},
}

// A keeper holds something so that it lives, or, where it says so, seems to.
type keeper struct {
	name string
	fate fate
	hard bool
	keep func(s scene, thing interface{})
}

var keepers []keeper

// keeps adds one that keeps what it gets.
func keeps(name string, keep func(s scene, thing interface{})) {
	addKeeper(keeper{name, reachable, false, keep})
}

// loses adds one that does not.
func loses(name string, keep func(s scene, thing interface{})) {
	addKeeper(keeper{name, leaked, false, keep})
}

// seems adds one that does not, though it looks like it.
func seems(name string, keep func(s scene, thing interface{})) {
	addKeeper(keeper{name, leaked, true, keep})
}

// addKeeper makes scenarios of it with each way to wait.
func addKeeper(k keeper) {
	keepers = append(keepers, k)
	for _, w := range waiters {
		w := w
		name := k.name + "/" + w.name
		scenarios = append(scenarios, scenario{name, k.hard, func(s scene) {
			thing, wait := w.make()
			me := s.expect(k.fate)
			go func() {
				me.here()
				wait()
			}()
			k.keep(s, thing)
		}})
	}
}
