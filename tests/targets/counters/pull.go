//go:build go1.23

package main

import "iter"

var sitePull = newSite("iter.Pull")

// A coroutine is a goroutine that is created and destroyed on paths of its own in the runtime.
func init() {
	moreKinds = append(moreKinds, func(k slots) {
		sitePull.willCreate()
		next, stop := iter.Pull(func(yield func(int) bool) {
			defer sitePull.enter()()
			defer k.free()
			for i := 0; yield(i); i++ {
			}
		})
		next()
		stop()
	})
}
