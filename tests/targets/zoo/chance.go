package main

import (
	"math"
	"math/rand"
	"time"
)

// between is a time from lo to hi, all equally likely.
func between(lo, hi time.Duration) time.Duration {
	return lo + time.Duration(rand.Int63n(int64(hi-lo)+1))
}

// heavyTail is mostly little more than lo, and once in a while close to hi.
func heavyTail(lo, hi time.Duration) time.Duration {
	// Of a Pareto distribution with shape 1, cut off at hi.
	u := rand.Float64() * (1 - float64(lo)/float64(hi))
	return time.Duration(float64(lo) / (1 - u))
}

// wave goes up and down between lo and hi, once in each period, beginning at lo.
func wave(start time.Time, period time.Duration, lo, hi float64) float64 {
	turns := float64(time.Since(start)) / float64(period)
	return lo + (hi-lo)*(1-math.Cos(2*math.Pi*turns))/2
}

// varying calls f as many times a second as rate says at each moment.
func varying(rate func() float64, f func()) {
	due := 0.0
	everySecond(50, func() {
		for due += rate() / 50; due >= 1; due-- {
			f()
		}
	})
}

// seldom calls f again and again, after a pause between lo and hi.
func seldom(lo, hi time.Duration, f func()) {
	go func() {
		for {
			time.Sleep(between(lo, hi))
			f()
		}
	}()
}
