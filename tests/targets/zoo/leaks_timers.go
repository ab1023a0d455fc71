package main

import "time"

func init() {
	leaks("ticker", "timer_loop", "each session has a ticker that goes on when the session is over", tickers)
	leaks("time-after", "timer_loop", "each session polls with time.After until somebody closes what nobody closes", polls)
	leaks("sleep-loop", "timer_loop", "each session sends heartbeats between sleeps, for ever", heartbeats)
}

// work is what takes no time to speak of.
func work() { _ = make([]byte, 64) }

func tickers() {
	beside()
	everySecond(5, func() {
		ticker := time.NewTicker(200 * time.Millisecond)
		go func() { // leaks: ticker
			for range ticker.C {
				work()
			}
		}()
	})
}

func polls() {
	beside()
	everySecond(5, func() {
		quit := make(chan struct{})
		go func() { // leaks: time-after
			for {
				select {
				case <-time.After(200 * time.Millisecond):
					work()
				case <-quit:
					return
				}
			}
		}()
	})
}

func heartbeats() {
	beside()
	everySecond(5, func() {
		go func() { // leaks: sleep-loop
			for {
				work()
				time.Sleep(200 * time.Millisecond)
			}
		}()
	})
}
