//go:build go1.23

package main

import "iter"

func init() {
	channelsKnowTimers = true
	add("coroutine", func(e *entry) {
		next, stop := iter.Pull(func(yield func(int) bool) {
			e.enter()
			for i := 0; yield(i); i++ {
			}
		})
		next()
		keep = append(keep, stop)
	})
}
