package main

import (
	"sync"
	"time"
)

func init() {
	healthy("bursts", "300 goroutines at once every 40 s, which drain over 20 s", bursts)
	healthy("load-ramp", "sessions of 10 to 30 s, at first one a second, after four minutes twelve", loadRamp)
	healthy("ups-and-downs", "sessions of 5 to 15 s under a load that rises and falls every two minutes, as a day's does", upsAndDowns)
	healthy("steps", "a load that doubles from one moment to the next, twice, with work of some seconds", steps)
	healthy("batches", "every few seconds a batch of goroutines under an errgroup, which is waited for by all that want it", batches)
	healthy("pub-sub", "subscribers of a topic come and go; most stay for seconds, some for 40", pubSub)
}

func bursts() {
	burst := func() {
		for i := 0; i < 300; i++ {
			d := between(time.Second, 20*time.Second)
			go time.Sleep(d)
		}
	}
	everySecond(2, func() { go time.Sleep(100 * time.Millisecond) })
	go func() {
		for {
			burst()
			time.Sleep(40 * time.Second)
		}
	}()
}

func loadRamp() {
	start := time.Now()
	rate := func() float64 {
		minutes := time.Since(start).Minutes()
		if minutes > 4 {
			minutes = 4
		}
		return 1 + 11*minutes/4
	}
	varying(rate, session(10*time.Second, 30*time.Second))
}

func upsAndDowns() {
	start := time.Now()
	rate := func() float64 { return wave(start, 2*time.Minute, 1, 15) }
	varying(rate, session(5*time.Second, 15*time.Second))
}

// session starts one with a user who does something every few seconds until they leave.
func session(shortest, longest time.Duration) func() {
	return func() {
		leave := time.After(between(shortest, longest))
		input := make(chan string)
		go func() {
			defer close(input)
			for {
				select {
				case <-leave:
					return
				case <-time.After(between(time.Second, 4*time.Second)):
					input <- "click"
				}
			}
		}()
		go func() {
			for range input {
				time.Sleep(time.Millisecond)
			}
		}()
	}
}

func steps() {
	start := time.Now()
	rate := func() float64 {
		switch since := time.Since(start); {
		case since < 45*time.Second:
			return 5
		case since < 120*time.Second:
			return 10
		default:
			return 20
		}
	}
	varying(rate, func() {
		reply := make(chan int)
		go func() {
			time.Sleep(between(2*time.Second, 6*time.Second))
			reply <- 1
		}()
		go func() { <-reply }()
	})
}

func batches() {
	seldom(2*time.Second, 6*time.Second, func() {
		var group sync.WaitGroup
		var once sync.Once
		var failed error
		for i := 0; i < 25; i++ {
			d := heavyTail(100*time.Millisecond, 8*time.Second)
			group.Add(1)
			go func() {
				defer group.Done()
				time.Sleep(d)
				once.Do(func() { failed = nil })
			}()
		}
		for i := 0; i < 3; i++ {
			go func() {
				group.Wait()
				_ = failed
			}()
		}
	})
}

func pubSub() {
	var mu sync.Mutex
	subscribers := map[chan int]bool{}
	everySecond(3, func() {
		messages := make(chan int, 4)
		mu.Lock()
		subscribers[messages] = true
		mu.Unlock()
		d := heavyTail(5*time.Second, 40*time.Second)
		time.AfterFunc(d, func() {
			mu.Lock()
			delete(subscribers, messages)
			mu.Unlock()
			close(messages)
		})
		go func() {
			for range messages {
				time.Sleep(time.Millisecond)
			}
		}()
	})
	everySecond(1, func() {
		mu.Lock()
		defer mu.Unlock()
		for messages := range subscribers {
			select {
			case messages <- 1:
			default:
			}
		}
	})
}
