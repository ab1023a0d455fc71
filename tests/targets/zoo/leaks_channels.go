package main

import "time"

func init() {
	leaks("chan-send", "channel_send", "a query's result is sent after the caller gave up waiting", chanSend)
}

func chanSend() {
	everySecond(5, func() {
		results := make(chan int)
		go func() { // leaks: chan-send
			time.Sleep(20 * time.Millisecond)
			results <- 1
		}()
		select {
		case <-results:
		case <-time.After(time.Millisecond):
		}
	})
}
