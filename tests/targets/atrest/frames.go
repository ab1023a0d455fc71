package main

import (
	"reflect"
	"runtime"
	"sort"
	"sync"
)

// Each of these waits in another kind of frame; all wait for a channel, so that nothing else differs.

func inlined1(c chan int) { inlined2(c) }
func inlined2(c chan int) { inlined3(c) }
func inlined3(c chan int) { inlined4(c) }
func inlined4(c chan int) { <-c }

//go:noinline
func notInlined(c chan int) {
	inlined2(c)
	runtime.KeepAlive(c)
}

func generic[T any](c chan T) T { return <-c }

//go:noinline
func genericToo[K comparable, V any](c chan int, _ map[K]V) {
	var k K
	func() {
		<-c
		runtime.KeepAlive(k)
	}()
}

type list[T any] struct{ c chan T }

//go:noinline
func (l *list[T]) take() T { return <-l.c }

type waiter interface{ wait(more int) }

type byPointer struct{ c chan int }

func (w *byPointer) wait(int) { <-w.c }

type byValue struct {
	c   chan int
	pad [3]int
}

//go:noinline
func (w byValue) wait(more int) {
	<-w.c
	runtime.KeepAlive(w.pad[more%3])
}

// embeds has methods that the compiler makes.
type embeds struct {
	name string
	*byPointer
}

// throughInterface hides from the compiler which method it is.
//
//go:noinline
func throughInterface(w waiter) { w.wait(1) }

//go:noinline
func call(f func()) { f() }

//go:noinline
func deep(n int, c chan int) int {
	if n == 0 {
		return <-c
	}
	return deep(n-1, c) + 1
}

//go:noinline
func large(n int, c chan int) int {
	var pad [1000]byte
	pad[n] = byte(n)
	if n == 0 {
		<-c
	} else {
		pad[0] = byte(large(n-1, c))
	}
	return int(pad[n])
}

type node struct{ next *node }

// faults dereferences nil in the midst of a line, behind calls that are inlined.
//
//go:noinline
func faults(n *node) *node {
	m := n.next
	return m.next
}

func deferred(c chan int) {
	defer func() {
		<-c
	}()
	runtime.KeepAlive(c)
}

func panics(c chan int) {
	defer func() {
		inlined1(c)
		_ = recover()
	}()
	panic("while a deferred call waits")
}

func recovers(c chan int) {
	defer func() { _ = recover() }()
	defer func() {
		<-c
	}()
	faults(new(node))
}

func repanics(c chan int) {
	defer func() {
		defer func() {
			<-c
			_ = recover()
		}()
		panic(recover())
	}()
	panic("the first")
}

func recovered(c chan int) {
	func() {
		defer func() { _ = recover() }()
		faults(new(node))
	}()
	<-c
}

func goexits(c chan int) {
	defer func() { <-c }()
	runtime.Goexit()
}

func init() {
	frames := func(name string, f func(c chan int)) {
		add(name, func(e *entry) {
			c := make(chan int)
			e.on(channel(c))
			go func() {
				e.enter()
				f(c)
			}()
		})
	}
	frames("inlined", func(c chan int) { inlined1(c) })
	frames("inlined, called, inlined", func(c chan int) { notInlined(c) })
	frames("generic function", func(c chan int) { generic(c) })
	frames("generic function, two types", func(c chan int) { genericToo(c, map[string][]byte{}) })
	frames("generic method", func(c chan int) { (&list[int]{c}).take() })
	frames("interface, pointer", func(c chan int) { throughInterface(&byPointer{c}) })
	frames("interface, value", func(c chan int) { throughInterface(byValue{c: c}) })
	frames("interface, pointer to value", func(c chan int) { throughInterface(&byValue{c: c}) })
	frames("interface, embedded", func(c chan int) { throughInterface(embeds{"a", &byPointer{c}}) })
	frames("closure in closure", func(c chan int) {
		call(func() { call(func() { call(func() { <-c }) }) })
	})
	frames("method value", func(c chan int) {
		f := byValue{c: c}.wait
		call(func() { f(2) })
	})
	frames("method expression", func(c chan int) {
		f := byValue.wait
		call(func() { f(byValue{c: c}, 2) })
	})
	frames("deferred", deferred)
	frames("deferred while panicking", panics)
	frames("deferred after a fault", recovers)
	frames("deferred in a second panic", repanics)
	frames("after recovering", recovered)
	frames("deferred in Goexit", goexits)
	frames("deep", func(c chan int) { deep(200, c) })
	frames("a little deep", func(c chan int) { deep(80, c) })
	frames("large frames", func(c chan int) { large(200, c) })
	frames("reflect call", func(c chan int) {
		reflect.ValueOf(generic[int]).Call([]reflect.Value{reflect.ValueOf(c)})
	})
	frames("made by reflect", func(c chan int) {
		body := func([]reflect.Value) []reflect.Value {
			<-c
			return nil
		}
		reflect.MakeFunc(reflect.TypeOf(func() {}), body).Interface().(func())()
	})
	frames("method by reflect", func(c chan int) {
		call(reflect.ValueOf(sliceWaiter{c}).Method(0).Interface().(func()))
	})
	frames("callback of the library", func(c chan int) {
		sort.Slice(make([]int, 30), func(i, j int) bool {
			<-c
			return i < j
		})
	})
	frames("callback of sync.Map", func(c chan int) {
		var m sync.Map
		m.Store("key", c)
		m.Range(func(_, value interface{}) bool {
			<-value.(chan int)
			return true
		})
	})
}

type sliceWaiter []chan int

// Wait is exported because reflect calls no other methods.
func (w sliceWaiter) Wait() { <-w[0] }
