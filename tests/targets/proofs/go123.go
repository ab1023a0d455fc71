//go:build go1.23

package main

import (
	"iter"
	"unique"
)

var (
	inUnique []unique.Handle[keyed]
	pulled   []func() (int, bool)
)

func holdingSequence(thing interface{}) iter.Seq[int] {
	return func(yield func(int) bool) {
		for i := 0; yield(i); i++ {
		}
		touch(thing)
	}
}

func init() {
	keeps("unique", func(s scene, thing interface{}) {
		inUnique = append(inUnique, unique.Make(keyed{7, thing}))
	})
	keeps("coroutine", func(s scene, thing interface{}) {
		next, _ := iter.Pull(holdingSequence(thing))
		next()
		pulled = append(pulled, next)
	})
	// Nothing can ask for more, but Go takes a coroutine for something that lives.
	keeps("coroutine-dropped", func(s scene, thing interface{}) {
		next, _ := iter.Pull(holdingSequence(thing))
		next()
	})
}
