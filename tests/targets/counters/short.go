package main

import (
	"runtime"
	"time"
)

// Each of these goroutines ends at once. slots bounds how many are alive at a time.
type slots chan struct{}

func (k slots) take() { k <- struct{}{} }
func (k slots) free() { <-k }

var (
	siteNamed    = newSite("named function without arguments")
	siteArgs     = newSite("named function with arguments")
	siteClosure  = newSite("closure")
	siteMethod   = newSite("method call")
	siteValue    = newSite("method value")
	siteGeneric  = newSite("generic function")
	siteShape    = newSite("generic method")
	siteOuter    = newSite("goroutine that creates another")
	siteNested   = newSite("go statement inside a goroutine")
	siteGoexit   = newSite("ended by runtime.Goexit")
	siteRecover  = newSite("ended by a recovered panic")
	siteDeep     = newSite("grows its stack")
	siteTimer    = newSite("time.AfterFunc")
	currentSlots slots
)

func named() {
	defer siteNamed.enter()()
	defer currentSlots.free()
}

func withArgs(s *site, k slots, _ int) {
	defer s.enter()()
	defer k.free()
}

type worker struct {
	site *site
	k    slots
}

func (w *worker) run() {
	defer w.site.enter()()
	defer w.k.free()
}

func generic[T any](s *site, k slots, _ T) {
	defer s.enter()()
	defer k.free()
}

type box[T any] struct {
	s *site
	k slots
	v T
}

func (b *box[T]) run(extra int) {
	defer b.s.enter()()
	defer b.k.free()
	_ = extra
}

func exitEarly(s *site, k slots) {
	defer s.enter()()
	defer k.free()
	runtime.Goexit()
}

func panics(s *site, k slots) {
	defer s.enter()()
	defer k.free()
	defer func() { _ = recover() }()
	panic("expected")
}

//go:noinline
func deep(n int) int {
	var pad [256]byte
	if n == 0 {
		return int(pad[0])
	}
	pad[n%256] = byte(n)
	return deep(n-1) + int(pad[n%256])
}

func grows(s *site, k slots) {
	defer s.enter()()
	defer k.free()
	deep(40)
}

// shortKinds are called in turn; each creates exactly one goroutine except the nested one: two.
var shortKinds = []func(k slots){
	func(k slots) { siteNamed.willCreate(); go named() },
	func(k slots) { siteArgs.willCreate(); go withArgs(siteArgs, k, 7) },
	func(k slots) {
		siteClosure.willCreate()
		go func() {
			defer siteClosure.enter()()
			defer k.free()
		}()
	},
	func(k slots) {
		w := &worker{siteMethod, k}
		siteMethod.willCreate()
		go w.run()
	},
	func(k slots) {
		f := (&worker{siteValue, k}).run
		siteValue.willCreate()
		go f()
	},
	func(k slots) { siteGeneric.willCreate(); go generic(siteGeneric, k, "text") },
	func(k slots) {
		b := &box[int]{siteShape, k, 1}
		siteShape.willCreate()
		go b.run(2)
	},
	func(k slots) {
		siteOuter.willCreate()
		go func() {
			defer siteOuter.enter()()
			siteNested.willCreate()
			go withArgs(siteNested, k, 1)
		}()
	},
	func(k slots) { siteGoexit.willCreate(); go exitEarly(siteGoexit, k) },
	func(k slots) { siteRecover.willCreate(); go panics(siteRecover, k) },
	func(k slots) { siteDeep.willCreate(); go grows(siteDeep, k) },
	func(k slots) {
		// The runtime's timer code executes the go statement, on a system stack.
		siteTimer.willCreate()
		time.AfterFunc(0, func() {
			defer siteTimer.enter()()
			k.free()
		})
	},
}

// moreKinds is filled by files behind build tags.
var moreKinds []func(k slots)

func short(n, alive int) {
	k := make(slots, alive)
	currentSlots = k
	kinds := append(append([]func(k slots){}, shortKinds...), moreKinds...)
	for i := 0; i < n; {
		for _, kind := range kinds {
			if i >= n {
				break
			}
			k.take()
			i += create(kind, k)
		}
	}
	settle()
}

// create runs one kind and says how many goroutines that makes.
func create(kind func(k slots), k slots) int {
	c := siteOuter.created
	kind(k)
	return 1 + int(siteOuter.created-c)
}
