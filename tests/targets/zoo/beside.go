package main

import "time"

// beside starts what ordinary programs do all the time: short goroutines, twenty a second, beside
// those that are lost.
func beside() {
	everySecond(20, func() {
		go time.Sleep(5 * time.Millisecond)
	})
}

// inTurn tells every second caller that something went wrong.
type inTurn struct{ calls int }

func (t *inTurn) fails() bool {
	t.calls++
	return t.calls%2 == 0
}
