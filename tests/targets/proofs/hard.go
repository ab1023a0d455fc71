package main

import "unsafe"

// What is here is leaked, and something looks like a reference to what it waits on. Only who knows what
// is a reference and what lives can tell; to take one for the other loses a leak.

var (
	numbersGlobal  [4000]uintptr
	numbersUsed    int
	numbersHeap    []*numbered
	numbersNothing []*[40]uintptr
	dropped        []*link
	lastTouched    uintptr
)

type numbered struct {
	number uintptr
	self   *numbered
}

// address is the second word of an interface: everything that waiters wait on is behind a pointer.
func address(thing interface{}) uintptr { return (*[2]uintptr)(unsafe.Pointer(&thing))[1] }

//go:noinline
func note1(thing interface{}) { lastTouched = ^address(thing) }

func init() {
	seems("number-global", func(s scene, thing interface{}) {
		numbersGlobal[numbersUsed] = address(thing)
		numbersUsed++
	})
	seems("number-heap", func(s scene, thing interface{}) {
		n := &numbered{number: address(thing)}
		n.self = n
		numbersHeap = append(numbersHeap, n)
	})
	seems("number-without-references", func(s scene, thing interface{}) {
		numbersNothing = append(numbersNothing, &[40]uintptr{7: address(thing)})
	})
	seems("number-stack", func(s scene, thing interface{}) {
		number := address(thing)
		helper(s, func() {
			kept := number
			sleep()
			if kept == 1 {
				panic("an odd address")
			}
		})
	})
	// The variable is dead when its goroutine goes to sleep, but its slot is as it was.
	seems("dead-slot", func(s scene, thing interface{}) {
		me, hand := s.helps(), make(chan interface{}, 1)
		hand <- thing
		go func() {
			me.here()
			got := <-hand
			note1(got)
			note1(nil)
			note1(got)
			sleep()
			note1(nil)
		}()
	})
	seems("dead-object", func(s scene, thing interface{}) {
		me, hand := s.helps(), make(chan interface{}, 1)
		hand <- thing
		go func() {
			me.here()
			var object [9]interface{}
			fill(&object, <-hand)
			sleep()
			note1(nil)
		}()
	})
	// A freed object still refers to it, and a dead slot to that.
	seems("dead-slot-freed-object", func(s scene, thing interface{}) {
		me, hand := s.helps(), make(chan *link, 1)
		hand <- &link{&link{nil, thing, 1}, nil, 2}
		go func() {
			me.here()
			got := <-hand
			note1(got)
			note1(nil)
			note1(got)
			sleep()
			note1(nil)
		}()
	})
	seems("freed-neighbours", func(s scene, thing interface{}) {
		// Every other one is dropped: their spans stay in use.
		for i := 0; i < 64; i++ {
			one := &link{nil, thing, i}
			if i%2 == 0 {
				one.thing = nil
				dropped = append(dropped, one)
			}
		}
	})
	seems("below-the-stack", func(s scene, thing interface{}) {
		me, hand := s.helps(), make(chan interface{}, 1)
		hand <- thing
		go func() {
			me.here()
			passThrough(40, hand)
			sleep()
		}()
	})
	seems("ended-goroutine", func(s scene, thing interface{}) {
		for i := 0; i < 4; i++ {
			inItsOwn(func() {
				passThrough(20, func() chan interface{} {
					hand := make(chan interface{}, 1)
					hand <- thing
					return hand
				}())
			})
		}
	})
	seems("overwritten", func(s scene, thing interface{}) {
		hand := make(chan interface{}, 2)
		hand <- thing
		<-hand
		inSlice = append(inSlice, hand)
		all := []interface{}{1, thing}
		all[1] = 2
		inSlice = append(inSlice, all)
	})
	seems("text", func(s scene, thing interface{}) {
		number := address(thing)
		inSlice = append(inSlice, append([]byte(nil), (*[8]byte)(unsafe.Pointer(&number))[:]...))
	})
}

//go:noinline
func fill(object *[9]interface{}, thing interface{}) {
	object[4] = thing
	note1(object[4])
}

//go:noinline
func passThrough(depth int, hand chan interface{}) {
	if depth == 0 {
		got := <-hand
		note1(got)
		note1(got)
		return
	}
	passThrough(depth-1, hand)
}
