package main

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"
)

func init() {
	healthy("janitors", "caches are made in the first 20 s and some evicted later; each has a janitor with a ticker", janitors)
	healthy("back-off", "calls that fail are tried again after 1, 2, 4 … seconds, for up to 40 s", backOff)
	healthy("library", "what libraries start for themselves: a pool's opener and cleaner, signals, watchers of contexts, timers", library)
	healthy("pipelines", "pipelines of five stages are set up and torn down, with streams of 2 to 20 s", pipelines)
	healthy("lock-convoy", "every half minute somebody holds a lock for ten seconds, while more and more wait for it", lockConvoy)
}

// cache forgets what is old until it is closed.
type cache struct {
	mu      sync.Mutex
	entries map[int]time.Time
	closed  chan bool
}

func newCache() *cache {
	c := &cache{entries: map[int]time.Time{}, closed: make(chan bool)}
	go c.janitor()
	return c
}

func (c *cache) janitor() {
	tick := time.NewTicker(10 * time.Second)
	defer tick.Stop()
	for {
		select {
		case now := <-tick.C:
			c.mu.Lock()
			for key, at := range c.entries {
				if now.Sub(at) > time.Minute {
					delete(c.entries, key)
				}
			}
			c.mu.Unlock()
		case <-c.closed:
			return
		}
	}
}

func janitors() {
	go func() {
		var caches []*cache
		for i := 0; i < 100; i++ {
			caches = append(caches, newCache())
			time.Sleep(200 * time.Millisecond)
		}
		// One tenant leaves, another comes.
		for i := 0; ; i = (i + 1) % len(caches) {
			time.Sleep(between(5*time.Second, 15*time.Second))
			close(caches[i].closed)
			caches[i] = newCache()
		}
	}()
}

var errUnreachable = errors.New("unreachable")

func backOff() {
	start := time.Now()
	call := func() error {
		// Down for 40 s of each 100.
		if int(time.Since(start).Seconds())%100 >= 60 {
			return errUnreachable
		}
		time.Sleep(10 * time.Millisecond)
		return nil
	}
	everySecond(5, func() {
		go func() {
			pause := time.Second
			for deadline := time.Now().Add(40 * time.Second); time.Now().Before(deadline); {
				if call() == nil {
					return
				}
				time.Sleep(pause + between(0, pause/4))
				if pause *= 2; pause > 8*time.Second {
					pause = 8 * time.Second
				}
			}
		}()
	})
}

func library() {
	ctx := context.Background()
	requests := make(chan bool, 1000)
	// As database/sql does for each pool: an opener that waits to be asked, and a cleaner.
	for i := 0; i < 10; i++ {
		go func() {
			for {
				select {
				case <-requests:
				case <-ctx.Done():
					return
				}
			}
		}()
		go func() {
			for range time.Tick(time.Minute) {
			}
		}()
	}
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGHUP)
	go func() {
		for range signals {
		}
	}()
	// A context below one of a foreign type is watched by a goroutine of package context.
	everySecond(10, func() {
		parent := foreignContext{ctx, make(chan struct{})}
		_, cancel := context.WithTimeout(parent, time.Minute)
		time.AfterFunc(between(100*time.Millisecond, 10*time.Second), cancel)
	})
	seldom(5*time.Second, 10*time.Second, func() { requests <- true })
}

// foreignContext has a channel of its own, so that package context cannot see through it.
type foreignContext struct {
	context.Context
	done chan struct{}
}

func (f foreignContext) Done() <-chan struct{} { return f.done }

func pipelines() {
	stage := func(in <-chan int) <-chan int {
		out := make(chan int)
		go func() {
			defer close(out)
			for n := range in {
				out <- n + 1
			}
		}()
		return out
	}
	everySecond(1, func() {
		source := make(chan int)
		end := time.Now().Add(heavyTail(2*time.Second, 20*time.Second))
		go func() {
			defer close(source)
			for time.Now().Before(end) {
				source <- 0
				time.Sleep(200 * time.Millisecond)
			}
		}()
		last := (<-chan int)(source)
		for i := 0; i < 5; i++ {
			last = stage(last)
		}
		go func() {
			for range last {
			}
		}()
	})
}

func lockConvoy() {
	var mu sync.Mutex
	go func() {
		for {
			time.Sleep(20 * time.Second)
			mu.Lock()
			time.Sleep(10 * time.Second)
			mu.Unlock()
		}
	}()
	everySecond(8, func() {
		go func() {
			mu.Lock()
			defer mu.Unlock()
			time.Sleep(time.Millisecond)
		}()
	})
}
