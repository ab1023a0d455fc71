package main

import (
	"context"
	"time"
)

func init() {
	leaks("select", "select_without_way_out", "each session has a goroutine for its messages and requests, and none for its end", sessions)
	leaks("context", "context_never_cancelled", "a watcher lives as long as a context that is not cancelled where a request fails", watchers)
	leaks("context-receive", "context_never_cancelled", "a cleanup waits for the end of a context that is not cancelled where a request fails", cleanups)
}

func sessions() {
	beside()
	everySecond(5, func() {
		messages, requests := make(chan string), make(chan int, 4)
		go func() { // leaks: select
			for {
				select {
				case message := <-messages:
					_ = len(message)
				case request := <-requests:
					_ = request + 1
				}
			}
		}()
		messages <- "hello"
		requests <- 7
	})
}

func watch(ctx context.Context, updates <-chan string) {
	seen := 0
	for {
		select {
		case <-updates:
			seen++
		case <-ctx.Done():
			return
		}
	}
}

func watchers() {
	beside()
	var turn inTurn
	everySecond(10, func() {
		ctx, cancel := context.WithCancel(context.Background())
		updates := make(chan string)
		go watch(ctx, updates) // leaks: context
		updates <- "first"
		if turn.fails() {
			return // without cancelling it
		}
		cancel()
	})
}

func cleanups() {
	beside()
	var turn inTurn
	everySecond(10, func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
		ctx = context.WithValue(ctx, inTurn{}, "request 7")
		go func() { // leaks: context-receive
			<-ctx.Done()
			_ = ctx.Value(inTurn{})
		}()
		if turn.fails() {
			return // without cancelling it
		}
		cancel()
	})
}
