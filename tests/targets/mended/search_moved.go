//go:build moved

package main

import "time"

// pause is another goroutine, which comes before the others now.
func pause(d time.Duration) { time.Sleep(d) }

// search asks two, and waits for neither.
func search() {
	go pause(time.Millisecond)
	first := room(true)
	go deliver(first)
	second := room(false)
	go deliver(second) // leaks
}
