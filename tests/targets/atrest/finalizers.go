package main

import (
	"runtime"
	"time"
)

// moreFinalizers is filled by a file behind a build tag.
var moreFinalizers []func(e *entry)

func finalizers() {
	all := append([]func(e *entry){blockFinalizer}, moreFinalizers...)
	for _, block := range all {
		e := newEntry("finalizer")
		// The runtime started the goroutine, when it first needed it.
		e.Parent = 0
		block(e)
		for {
			mutex.Lock()
			in := e.Goid != 0
			mutex.Unlock()
			if in {
				break
			}
			runtime.GC()
			time.Sleep(time.Millisecond)
		}
	}
}

//go:noinline
func blockFinalizer(e *entry) {
	c := make(chan int)
	e.on(channel(c))
	// Large enough not to share a block with what stays reachable.
	runtime.SetFinalizer(&[64]int{1}, func(*[64]int) {
		e.enter()
		<-c
	})
}
