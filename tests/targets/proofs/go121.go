//go:build go1.21

package main

import (
	"context"
	"runtime"
	"sync"
)

var pinners []*runtime.Pinner

func init() {
	keeps("pinned", func(s scene, thing interface{}) {
		pinner := new(runtime.Pinner)
		pinner.Pin(&boxed{1, 2, thing})
		pinners = append(pinners, pinner)
	})
	keeps("once-value", func(s scene, thing interface{}) {
		value := sync.OnceValue(func() interface{} { return thing })
		inClosure = append(inClosure, func() { touch(value()) })
	})
	keeps("context-after", func(s scene, thing interface{}) {
		ctx, cancel := context.WithCancel(context.Background())
		context.AfterFunc(ctx, func() { touch(thing) })
		inClosure = append(inClosure, cancel)
	})
}
