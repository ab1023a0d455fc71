package main

import (
	"context"
	"runtime/pprof"
	"time"
)

func init() {
	leaks("chan-send", "channel_send", "a query's result is sent after the caller gave up waiting", chanSend)
	leaks("chan-receive", "channel_receive", "a producer that fails does not close its channel, and the consumer goes on waiting", chanReceive)
	leaks("nil-channel", "nil_channel", "a result is sent on the channel of a struct that was not made by its constructor", nilChannel)
	leaks("full-buffer", "full_buffer", "events are sent to a log whose one writer has ended", fullBuffer)
}

func chanSend() {
	everySecond(5, func() {
		// Goroutines inherit the labels.
		labels := pprof.Labels("job", "report")
		pprof.Do(context.Background(), labels, func(context.Context) {
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
	})
}

func chanReceive() {
	beside()
	var turn inTurn
	everySecond(10, func() {
		rows := make(chan int)
		go func() { // leaks: chan-receive
			total := 0
			for row := range rows {
				total += row
			}
		}()
		for row := 0; row < 3; row++ {
			rows <- row
		}
		if turn.fails() {
			return // without closing it
		}
		close(rows)
	})
}

// A task as it should be made: by newTask.
type task struct{ result chan int }

func newTask() *task { return &task{result: make(chan int, 1)} }

func nilChannel() {
	beside()
	var turn inTurn
	everySecond(10, func() {
		t := newTask()
		if turn.fails() {
			t = &task{}
		}
		go func() { // leaks: nil-channel
			t.result <- 1
		}()
	})
}

func fullBuffer() {
	beside()
	events := make(chan string, 16)
	go func() {
		for n := 0; n < 10; n++ {
			<-events
		}
	}()
	everySecond(5, func() {
		go func() { // leaks: full-buffer
			events <- "somebody logged in"
		}()
	})
}
