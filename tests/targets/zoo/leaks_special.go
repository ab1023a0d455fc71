package main

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"
)

func init() {
	special("one-in-a-thousand", "1,000 look-ups a second at one site, most of which end within 40 ms; of one in a thousand nobody takes the answer",
		oneInAThousand, leak{Marker: "one-in-a-thousand", Pattern: "channel_send", WithinSeconds: 120})
	special("only-under-load", "a load that rises after half a minute, for 90 s of each two minutes; while it is high, two a second are lost",
		onlyUnderLoad, leak{Marker: "only-under-load", Pattern: "channel_send", WithinSeconds: 60, StartsAfterSeconds: 30})
	special("before-attaching", "3,000 were lost before anybody looked, and none since",
		func() { before(); background() }, leak{Marker: "before", Pattern: "channel_receive", WithinSeconds: 60, Stopped: true})
	special("before-and-on", "2,000 were lost before anybody looked, and since then one a second",
		beforeAndOn, leak{Marker: "before-and-on", Pattern: "select_without_way_out", WithinSeconds: 60})
	special("several-at-once", "three leaks of different kinds and rates in one program that is busy with other things",
		severalAtOnce,
		leak{Marker: "several-send", Pattern: "channel_send", WithinSeconds: 60},
		leak{Marker: "several-group", Pattern: "wait_group", WithinSeconds: 60},
		leak{Marker: "several-mutex", Pattern: "mutex", WithinSeconds: 60})
	special("slow-in-busy-server", "an HTTP server with 100 requests a second, one of which loses a watcher of its progress",
		slowInBusyServer, leak{Marker: "slow-in-busy-server", Pattern: "select_without_way_out", WithinSeconds: 60})
	special("long-healthy-lifetimes", "five jobs a second that take 5 to 10 s, and every fifth waits for ever for a line that is not closed",
		longHealthyLifetimes, leak{Marker: "long-healthy-lifetimes", Pattern: "channel_receive", WithinSeconds: 60})
	special("leak-beside-a-ramp", "sessions become more for four minutes, as they should; two exporters a second are lost beside them",
		leakBesideARamp, leak{Marker: "leak-beside-a-ramp", Pattern: "channel_receive", WithinSeconds: 60})
}

// background is what a program does besides: short work, and a few who wait for more.
func background() {
	work := make(chan time.Duration)
	for i := 0; i < 8; i++ {
		go func() {
			for d := range work {
				time.Sleep(d)
			}
		}()
	}
	everySecond(20, func() {
		d := between(time.Millisecond, 50*time.Millisecond)
		select {
		case work <- d:
		default:
		}
		go time.Sleep(d)
	})
}

func oneInAThousand() {
	background()
	for i := 0; i < 100; i++ {
		// Each loses one in a thousand of its own, and each at another moment.
		turn := 10 * i
		time.Sleep(time.Millisecond)
		everySecond(10, func() {
			turn++
			patience := time.Second
			if turn%1000 == 0 {
				patience = time.Microsecond
			}
			answer := make(chan int)
			go func() { // leaks: one-in-a-thousand
				time.Sleep(heavyTail(3*time.Millisecond, 300*time.Millisecond))
				answer <- 1
			}()
			select {
			case <-answer:
			case <-time.After(patience):
			}
		})
	}
}

func onlyUnderLoad() {
	background()
	start := time.Now()
	high := func() bool {
		since := int(time.Since(start).Seconds())
		return since%120 >= 30
	}
	rate := func() float64 {
		if high() {
			return 50
		}
		return 5
	}
	number := 0
	varying(rate, func() {
		number++
		// Under load one in 25 is too late for the one who asked.
		late := high() && number%25 == 0
		answer := make(chan int)
		go func() { // leaks: only-under-load
			time.Sleep(between(10*time.Millisecond, 200*time.Millisecond))
			answer <- 1
		}()
		if !late {
			go func() { <-answer }()
		}
	})
}

func before() {
	lines := make(chan string)
	for i := 0; i < 3000; i++ {
		go func() { // leaks: before
			for range lines {
				time.Sleep(time.Millisecond)
			}
		}()
	}
}

func beforeAndOn() {
	background()
	stuck := make(chan int)
	reset := make(chan int)
	lose := func() {
		go func() { // leaks: before-and-on
			for {
				select {
				case <-stuck:
				case <-reset:
				}
			}
		}()
	}
	for i := 0; i < 2000; i++ {
		lose()
	}
	everySecond(1, lose)
}

func severalAtOnce() {
	background()
	everySecond(5, func() {
		results := make(chan int)
		go func() { results <- 1 }() // leaks: several-send
	})
	everySecond(1, func() {
		var parts sync.WaitGroup
		parts.Add(3)
		for i := 0; i < 2; i++ {
			go parts.Done()
		}
		go func() { // leaks: several-group
			parts.Wait()
		}()
	})
	everySecond(2, func() {
		account := new(sync.Mutex)
		account.Lock() // the way out of an error forgot to unlock
		go func() {    // leaks: several-mutex
			account.Lock()
			defer account.Unlock()
		}()
	})
}

func slowInBusyServer() {
	var mu sync.Mutex
	number := 0
	url := serve(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		number++
		forgotten := number%100 == 0
		mu.Unlock()
		done := make(chan bool)
		progress := make(chan int)
		go func() { // leaks: slow-in-busy-server
			for {
				select {
				case <-progress:
				case <-done:
					return
				}
			}
		}()
		progress <- 50
		time.Sleep(between(time.Millisecond, 20*time.Millisecond))
		if forgotten {
			http.Error(w, "no such thing", http.StatusNotFound)
			return
		}
		close(done)
		fmt.Fprintln(w, "done")
	})
	c := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 100}}
	for i := 0; i < 10; i++ {
		everySecond(10, func() { askFor(context.Background(), c, url) })
	}
}

func longHealthyLifetimes() {
	background()
	number := 0
	everySecond(5, func() {
		number++
		closes := number%5 != 0
		lines := make(chan string)
		go func() { // leaks: long-healthy-lifetimes
			for range lines {
				time.Sleep(time.Millisecond)
			}
		}()
		end := time.Now().Add(between(5*time.Second, 10*time.Second))
		go func() {
			for time.Now().Before(end) {
				lines <- "row"
				time.Sleep(500 * time.Millisecond)
			}
			if closes {
				close(lines)
			}
		}()
	})
}

func leakBesideARamp() {
	loadRamp()
	everySecond(2, func() {
		spans := make(chan int)
		go func() { // leaks: leak-beside-a-ramp
			for range spans {
				time.Sleep(time.Millisecond)
			}
		}()
		spans <- 1
	})
}
