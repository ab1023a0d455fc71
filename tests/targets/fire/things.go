package main

import (
	"sync"
	"unsafe"
)

const (
	receiver = iota
	sender
	selector
	locker
	conditioned
	grouped
	reader
	kindsOfThings
)

// kinds says what a thing is, by its address with all bits turned over: whoever looks for addresses
// shall not find one. It is complete before anything moves.
var kinds = map[uintptr]int{}

func name(kind int) string {
	return [...]string{"receive", "send", "select", "mutex", "cond", "waitgroup", "rwmutex"}[kind]
}

// make1 makes a thing and starts the goroutine that waits on it, which keeps it, but does not count.
func make1(kind int) thing {
	arrived.Add(1)
	var it thing
	switch kind {
	case receiver:
		c := make(chan int)
		it = *(*unsafe.Pointer)(unsafe.Pointer(&c))
		go func() {
			register(&numbers.reachable, name(kind))
			for {
				<-c
			}
		}()
	case sender:
		c := make(chan int)
		it = *(*unsafe.Pointer)(unsafe.Pointer(&c))
		go func() {
			register(&numbers.reachable, name(kind))
			for {
				c <- 1
			}
		}()
	case selector:
		c, never := make(chan int), make(chan int)
		it = *(*unsafe.Pointer)(unsafe.Pointer(&c))
		go func() {
			register(&numbers.reachable, name(kind))
			for {
				select {
				case <-c:
				case <-never:
				}
			}
		}()
	case locker:
		m := new([5]sync.Mutex)
		m[3].Lock()
		it = unsafe.Pointer(&m[3])
		go func() {
			register(&numbers.reachable, name(kind))
			for {
				m[3].Lock()
			}
		}()
	case conditioned:
		c := sync.NewCond(new(sync.Mutex))
		it = unsafe.Pointer(c)
		go func() {
			register(&numbers.reachable, name(kind))
			c.L.Lock()
			for {
				c.Wait()
			}
		}()
	case grouped:
		w := new([5]sync.WaitGroup)
		w[3].Add(1)
		it = unsafe.Pointer(&w[3])
		go func() {
			register(&numbers.reachable, name(kind))
			w[3].Wait()
		}()
	case reader:
		m := new(sync.RWMutex)
		m.Lock()
		it = unsafe.Pointer(m)
		go func() {
			register(&numbers.reachable, name(kind))
			m.RLock()
		}()
	}
	return it
}

// wake lets the goroutine that waits on it go once around, where that is possible.
func wake(it thing) {
	switch kinds[^uintptr(it)] {
	case receiver, selector:
		select {
		case (*(*chan int)(unsafe.Pointer(&it))) <- 1:
		default:
		}
	case sender:
		select {
		case <-*(*chan int)(unsafe.Pointer(&it)):
		default:
		}
	case locker:
		m := (*sync.Mutex)(it)
		// Its waiter has it, and waits for it; or it has just let go.
		m.TryLock()
		m.Unlock()
	case conditioned:
		(*sync.Cond)(it).Signal()
	}
}
