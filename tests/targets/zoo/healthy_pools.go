package main

import (
	"sync"
	"time"
)

func init() {
	healthy("warm-up", "300 workers are started over the first half minute and then stay, each with work now and then", warmUp)
	healthy("pool-fills", "a pool starts a worker where none is free, under a load that rises for two minutes; none ever ends", poolFills)
	healthy("pool-replaced", "a pool of 40 whose workers are sent away after half a minute without work, and replaced", poolReplaced)
	healthy("idle-workers", "64 workers of which nearly all wait for work nearly always, and bursts that reach a few", idleWorkers)
	healthy("cond-queue", "consumers of a queue wait on a sync.Cond; producers come and go", condQueue)
	healthy("semaphore-queue", "requests queue for 20 places under overload, 400 at most, and the queue drains every minute", semaphoreQueue)
}

func warmUp() {
	work := make(chan time.Duration)
	go func() {
		for i := 0; i < 300; i++ {
			go func() {
				for d := range work {
					time.Sleep(d)
				}
			}()
			time.Sleep(100 * time.Millisecond)
		}
	}()
	everySecond(200, func() {
		select {
		case work <- between(time.Millisecond, 20*time.Millisecond):
		default:
		}
	})
}

func poolFills() {
	work := make(chan time.Duration)
	workers := 0
	start := time.Now()
	rate := func() float64 {
		up := time.Since(start).Seconds() / 120
		if up > 1 {
			up = 1
		}
		return 20 + 180*up
	}
	varying(rate, func() {
		d := between(100*time.Millisecond, 500*time.Millisecond)
		select {
		case work <- d:
			return
		default:
		}
		if workers == 80 {
			return
		}
		workers++
		go func() {
			time.Sleep(d)
			for d := range work {
				time.Sleep(d)
			}
		}()
	})
}

func poolReplaced() {
	work := make(chan time.Duration, 100)
	gone := make(chan bool, 40)
	worker := func() {
		idle := time.NewTimer(30 * time.Second)
		for {
			select {
			case d := <-work:
				time.Sleep(d)
				if !idle.Stop() {
					<-idle.C
				}
				idle.Reset(30 * time.Second)
			case <-idle.C:
				gone <- true
				return
			}
		}
	}
	go func() {
		for i := 0; i < 40; i++ {
			go worker()
		}
		for range gone {
			time.Sleep(between(0, 2*time.Second))
			go worker()
		}
	}()
	// One piece of work a second keeps whom it reaches, and 40 seldom all get some in 30 s.
	everySecond(1, func() { work <- between(10*time.Millisecond, 3*time.Second) })
}

func idleWorkers() {
	work := make(chan int)
	for i := 0; i < 64; i++ {
		go func() {
			for n := range work {
				time.Sleep(time.Duration(n) * time.Millisecond)
			}
		}()
	}
	seldom(20*time.Second, 40*time.Second, func() {
		for i := 0; i < 5; i++ {
			work <- 50
		}
	})
}

func condQueue() {
	var mu sync.Mutex
	filled := sync.NewCond(&mu)
	var queue []time.Duration
	for i := 0; i < 30; i++ {
		go func() {
			for {
				mu.Lock()
				for len(queue) == 0 {
					filled.Wait()
				}
				d := queue[0]
				queue = queue[1:]
				mu.Unlock()
				time.Sleep(d)
			}
		}()
	}
	everySecond(4, func() {
		// A producer lives some seconds and adds an item now and then.
		items := 1 + int(between(0, 8))
		go func() {
			for i := 0; i < items; i++ {
				time.Sleep(between(100*time.Millisecond, time.Second))
				mu.Lock()
				queue = append(queue, between(time.Millisecond, 200*time.Millisecond))
				mu.Unlock()
				filled.Signal()
			}
		}()
	})
}

func semaphoreQueue() {
	places := make(chan bool, 20)
	waiting := make(chan bool, 400)
	start := time.Now()
	rate := func() float64 {
		// 20 places at half a second each serve 40 a second: more come for 20 s of each minute.
		if int(time.Since(start).Seconds())%60 < 20 {
			return 58
		}
		return 15
	}
	varying(rate, func() {
		select {
		case waiting <- true:
		default:
			return // refused: the queue is full
		}
		go func() {
			places <- true
			time.Sleep(between(400*time.Millisecond, 600*time.Millisecond))
			<-places
			<-waiting
		}()
	})
}
