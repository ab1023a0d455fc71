//go:build go1.25

package main

import "runtime"

// From Go 1.25 on cleanups have goroutines of their own; before that a blocked finalizer blocks them.
func init() {
	moreFinalizers = append(moreFinalizers, func(e *entry) {
		c := make(chan int)
		e.Name = "cleanup"
		e.on(channel(c))
		runtime.AddCleanup(&[64]int{1}, func(e *entry) {
			e.enter()
			<-c
		}, e)
	})
}
