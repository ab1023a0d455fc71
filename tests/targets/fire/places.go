package main

import (
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// A place is where a thing can be put, and from where it can be taken again: nil if there is none.
type place struct {
	put  func(thing)
	take func() thing
}

type node struct {
	next *node
	n    int
	it   thing
}

type owner struct {
	a, b  int
	it    thing
	other interface{}
}

// Every place that needs one has a lock of its own.
var (
	inMap struct {
		sync.Mutex
		all map[int]thing
		n   int
	}
	inKeys struct {
		sync.Mutex
		all map[thing]bool
	}
	inSlice struct {
		sync.Mutex
		all []thing
	}
	inList struct {
		sync.Mutex
		first *node
	}
	inInterface struct {
		sync.Mutex
		all []interface{}
	}
	inClosure struct {
		sync.Mutex
		all []func() thing
	}
	inOwners = &struct {
		sync.Mutex
		all [16]owner
	}{}
	inChannel   = make(chan thing, numberOfThings)
	inChannels  = make(chan chan thing, numberOfThings)
	inSyncMap   sync.Map
	inMiddle    = make([]thing, 4000)
	slots       [6]thing
	inValue     atomic.Value
	pool        = sync.Pool{}
	back        = make(chan thing, numberOfThings)
	left, right = make(chan thing), make(chan thing)
)

// places are all of them; those at the end give nothing back by themselves.
var places []place

const givingPlaces = 12

func init() {
	inMap.all = map[int]thing{}
	inKeys.all = map[thing]bool{}
	places = allPlaces()
}

func allPlaces() []place {
	return []place{
		{
			func(it thing) {
				inMap.Lock()
				defer inMap.Unlock()
				inMap.n++
				inMap.all[inMap.n] = it
			},
			func() thing {
				inMap.Lock()
				defer inMap.Unlock()
				for key, it := range inMap.all {
					delete(inMap.all, key)
					return it
				}
				return nil
			},
		},
		{
			func(it thing) {
				inKeys.Lock()
				defer inKeys.Unlock()
				inKeys.all[it] = true
			},
			func() thing {
				inKeys.Lock()
				defer inKeys.Unlock()
				for it := range inKeys.all {
					delete(inKeys.all, it)
					return it
				}
				return nil
			},
		},
		{
			func(it thing) {
				inSlice.Lock()
				defer inSlice.Unlock()
				// Anew each time: it moves.
				inSlice.all = append(append(make([]thing, 0, len(inSlice.all)+1), it), inSlice.all...)
			},
			func() (it thing) {
				inSlice.Lock()
				defer inSlice.Unlock()
				if last := len(inSlice.all) - 1; last >= 0 {
					it, inSlice.all[last] = inSlice.all[last], nil
					inSlice.all = inSlice.all[:last]
				}
				return it
			},
		},
		{
			func(it thing) {
				inList.Lock()
				defer inList.Unlock()
				inList.first = &node{inList.first, 1, it}
			},
			func() thing {
				inList.Lock()
				defer inList.Unlock()
				first := inList.first
				if first == nil {
					return nil
				}
				inList.first = first.next
				return first.it
			},
		},
		{
			func(it thing) {
				inInterface.Lock()
				defer inInterface.Unlock()
				inInterface.all = append(inInterface.all, owner{it: it})
			},
			func() (it thing) {
				inInterface.Lock()
				defer inInterface.Unlock()
				if last := len(inInterface.all) - 1; last >= 0 {
					it = inInterface.all[last].(owner).it
					inInterface.all = inInterface.all[:last:last]
				}
				return it
			},
		},
		{
			func(it thing) {
				inClosure.Lock()
				defer inClosure.Unlock()
				inClosure.all = append(inClosure.all, func() thing { return it })
			},
			func() (it thing) {
				inClosure.Lock()
				defer inClosure.Unlock()
				if last := len(inClosure.all) - 1; last >= 0 {
					it = inClosure.all[last]()
					inClosure.all = inClosure.all[:last:last]
				}
				return it
			},
		},
		{
			func(it thing) {
				for {
					inOwners.Lock()
					for i := range inOwners.all {
						if one := &inOwners.all[i]; one.it == nil {
							one.it, it = it, nil
							break
						}
					}
					inOwners.Unlock()
					if it == nil {
						return
					}
					runtime.Gosched()
				}
			},
			func() (it thing) {
				inOwners.Lock()
				defer inOwners.Unlock()
				for i := range inOwners.all {
					if one := &inOwners.all[i]; one.it != nil {
						it, one.it = one.it, nil
						return it
					}
				}
				return nil
			},
		},
		{
			func(it thing) { inChannel <- it },
			func() thing {
				select {
				case it := <-inChannel:
					return it
				default:
					return nil
				}
			},
		},
		{
			func(it thing) {
				inner := make(chan thing, 1)
				inner <- it
				inChannels <- inner
			},
			func() thing {
				select {
				case inner := <-inChannels:
					return <-inner
				default:
					return nil
				}
			},
		},
		{
			func(it thing) { inSyncMap.Store(^uintptr(it), it) },
			func() (it thing) {
				inSyncMap.Range(func(key, value interface{}) bool {
					if got, ok := inSyncMap.LoadAndDelete(key); ok {
						it = got.(thing)
						return false
					}
					return true
				})
				return it
			},
		},
		{
			func(it thing) {
				for i := 0; !atomic.CompareAndSwapPointer(&inMiddle[(1700+i)%4000], nil, it); i++ {
				}
			},
			func() thing {
				for i := 0; i < 100; i++ {
					if it := atomic.SwapPointer(&inMiddle[1700+i], nil); it != nil {
						return it
					}
				}
				return nil
			},
		},
		{
			// What the pool drops, the finalizer brings back.
			func(it thing) {
				one := &owner{it: it}
				runtime.SetFinalizer(one, func(one *owner) { back <- one.it })
				pool.Put(one)
			},
			func() thing {
				if one, ok := pool.Get().(*owner); ok {
					it := one.it
					one.it = nil
					runtime.SetFinalizer(one, nil)
					return it
				}
				select {
				case it := <-back:
					return it
				default:
					return nil
				}
			},
		},
		{
			// A goroutine of its own carries it.
			func(it thing) { go carry(it) },
			func() thing { return nil },
		},
		{
			func(it thing) { time.AfterFunc(time.Millisecond, func() { inChannel <- it }) },
			func() thing { return nil },
		},
		{
			func(it thing) { go deferring(it) },
			func() thing { return nil },
		},
		{
			// Over there somebody takes it from stack to stack.
			func(it thing) {
				select {
				case left <- it:
				default:
					inChannel <- it
				}
			},
			func() thing {
				select {
				case it := <-right:
					return it
				default:
					return nil
				}
			},
		},
	}
}

//go:noinline
func carry(it thing) {
	deeper(30)
	put(uintptr(it)>>4, it)
}

//go:noinline
func deferring(it thing) {
	for i := 0; i < 2; i++ {
		defer func(i int) {
			if i == 0 {
				inList.Lock()
				inList.first = &node{inList.first, 1, it}
				inList.Unlock()
			}
		}(i)
	}
	time.Sleep(200 * time.Microsecond)
}

//go:noinline
func deeper(depth int) int {
	var room [12]int
	if depth > 0 {
		room[depth%12] = deeper(depth - 1)
	}
	return room[depth%12] + 1
}

// hold keeps a thing on the stack alone for a while.
//
//go:noinline
func hold(random uint64, it thing) thing {
	switch random % 64 {
	case 0:
		time.Sleep(time.Duration(random>>8%2000) * time.Microsecond)
	case 1, 2:
		runtime.Gosched()
	case 3, 4:
		deeper(int(random >> 8 % 100))
	case 5:
		return holdDeeper(int(random>>8%60), it)
	}
	return it
}

//go:noinline
func holdDeeper(depth int, it thing) thing {
	if depth > 0 {
		return holdDeeper(depth-1, it)
	}
	time.Sleep(50 * time.Microsecond)
	return it
}

func put(random uintptr, it thing) { places[random%givingPlaces].put(it) }

type random uint64

func (r *random) next() uint64 {
	x := *r
	x ^= x << 13
	x ^= x >> 7
	x ^= x << 17
	*r = x
	return uint64(x)
}

// move takes things from where they are, and puts them elsewhere.
func move(r random) {
	for {
		from := places[r.next()%uint64(len(places))]
		it := from.take()
		if it == nil {
			if r.next()%8 == 0 {
				runtime.Gosched()
			}
			continue
		}
		it = hold(r.next(), it)
		if r.next()%4096 == 0 && kinds[^uintptr(it)] < grouped && uintptr(it)>>5&1 == 0 {
			wake(it)
		}
		places[r.next()%uint64(len(places))].put(it)
		atomic.AddInt64(&moves, 1)
	}
}

// exchange has one thing in a register, and exchanges it for what lies in one of a few slots.
func exchange(r random, it thing) {
	for {
		for i := 0; i < 1000; i++ {
			it = atomic.SwapPointer(&slots[r.next()%uint64(len(slots))], it)
		}
		atomic.AddInt64(&moves, 1000)
		if r.next()%16 == 0 {
			time.Sleep(10 * time.Microsecond)
		}
	}
}

// pass takes things from one goroutine to another; they are on stacks and nowhere else.
func pass(from, to chan thing) {
	for it := range from {
		to <- it
		atomic.AddInt64(&moves, 1)
	}
}

// light makes the things, and starts those who hand them around.
func light(fast bool) {
	all := make([]thing, numberOfThings)
	for i := range all {
		kind := i % kindsOfThings
		all[i] = make1(kind)
		kinds[^uintptr(all[i])] = kind
	}
	for i := range slots {
		atomic.StorePointer(&slots[i], all[i])
	}
	all = all[len(slots):]
	for i := 0; i < 2; i++ {
		go exchange(random(i+1)*0x9e3779b97f4a7c15, all[i])
	}
	all = all[2:]
	// A ring of three that hand on what they get.
	ring := []chan thing{make(chan thing), make(chan thing), make(chan thing)}
	for i := range ring {
		go pass(ring[i], ring[(i+1)%3])
	}
	ring[0] <- all[0]
	ring[1] <- all[1]
	all = all[2:]
	if fast {
		// The others lie still, by themselves: their array had all.
		kept = append(kept, all...)
		return
	}
	go pass(left, right)
	for i, it := range all {
		places[i%givingPlaces].put(it)
	}
	for i := 0; i < numberOfMovers; i++ {
		go move(random(i+7) * 0x9e3779b97f4a7c15)
	}
}

var kept []thing
