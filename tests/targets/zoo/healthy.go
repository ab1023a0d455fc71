package main

import "time"

func init() {
	healthy("short", "twenty goroutines a second, each of which ends after some milliseconds", short)
}

func short() {
	everySecond(20, func() {
		go time.Sleep(5 * time.Millisecond)
	})
}
