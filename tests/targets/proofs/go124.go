//go:build go1.24

package main

import (
	"runtime"
	"weak"
)

var (
	inWeak  []weak.Pointer[boxed]
	cleaned []*finalized
)

func init() {
	keeps("cleanup-function", func(s scene, thing interface{}) {
		object := &finalized{n: 1}
		cleaned = append(cleaned, object)
		runtime.AddCleanup(object, func(int) { touch(thing) }, 1)
	})
	keeps("cleanup-argument", func(s scene, thing interface{}) {
		object := &finalized{n: 1}
		cleaned = append(cleaned, object)
		runtime.AddCleanup(object, func(thing interface{}) { touch(thing) }, thing)
	})
	// To the collector, and so to Go's detector, a weak pointer is none. But what a leaked goroutine holds
	// stays, and whoever has a weak pointer to it can make a strong one.
	keeps("weak", func(s scene, thing interface{}) {
		object := &boxed{1, 2, thing}
		inWeak = append(inWeak, weak.Make(object))
		me, never := s.leaks(), make(chan int)
		go func() {
			me.here()
			<-never
			touch(object)
		}()
	})
}
