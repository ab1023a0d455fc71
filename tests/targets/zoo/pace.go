package main

import "time"

// everySecond calls f so many times a second, evenly, for as long as the program runs.
func everySecond(times int, f func()) {
	go func() {
		tick := time.NewTicker(time.Second / time.Duration(times))
		for range tick.C {
			f()
		}
	}()
}
