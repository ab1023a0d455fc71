package main

import (
	"context"
	"runtime"
	"time"
)

type finalized struct {
	n     int
	thing interface{}
}

var inFinalized []*finalized

func init() {
	keeps("timer", func(s scene, thing interface{}) {
		time.AfterFunc(time.Hour, func() { touch(thing) })
	})
	keeps("timer-far", func(s scene, thing interface{}) {
		t := time.AfterFunc(time.Hour, func() { touch(thing) })
		t.Reset(10000 * time.Hour)
	})
	keeps("context-timeout", func(s scene, thing interface{}) {
		ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
		ctx = context.WithValue(ctx, member{}, thing)
		// A child is known to its parent, which the timer knows; who waits on it has the value.
		me := s.waits()
		child, stop := context.WithCancel(ctx)
		go func() {
			me.here()
			<-child.Done()
			touch(child.Value(member{}))
			stop()
			cancel()
		}()
	})
	keeps("finalizer-function", func(s scene, thing interface{}) {
		object := &finalized{n: 1}
		inFinalized = append(inFinalized, object)
		runtime.SetFinalizer(object, func(*finalized) { touch(thing) })
	})
	// What an object with a finalizer refers to lives until that has run, whoever has the object.
	keeps("finalizer-object", func(s scene, thing interface{}) {
		object := &finalized{1, thing}
		runtime.SetFinalizer(object, func(*finalized) {})
		me, never := s.leaks(), make(chan int)
		go func() {
			me.here()
			<-never
			touch(object)
		}()
	})
}

func init() {
	add("after", func(s scene) {
		me := s.waits()
		go func() {
			me.here()
			<-time.After(time.Hour)
		}()
	})
	add("after-or-nobody", func(s scene) {
		me, never := s.waits(), make(chan int)
		go func() {
			me.here()
			select {
			case <-time.After(time.Hour):
			case <-never:
			}
		}()
	})
	add("ticker", func(s scene) {
		me := s.waits()
		go func() {
			me.here()
			for range time.NewTicker(time.Hour).C {
			}
		}()
	})
	add("context-deadline", func(s scene) {
		me := s.waits()
		ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
		go func() {
			me.here()
			<-ctx.Done()
			cancel()
		}()
	})
	add("context-of-living-parent", func(s scene) {
		parent, cancel := context.WithCancel(context.Background())
		inClosure = append(inClosure, cancel)
		ctx, stop := context.WithCancel(parent)
		me := s.waits()
		go func() {
			me.here()
			<-ctx.Done()
			stop()
		}()
	})
	add("context-background", func(s scene) {
		me := s.leaks()
		go func() {
			me.here()
			<-context.Background().Done()
		}()
	})
}
