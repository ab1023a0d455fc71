package main

import (
	"sync"
	"sync/atomic"
	"time"
)

// gate holds what the leaked goroutines of all `leak` commands up to the next `release` wait for.
type gate struct {
	receive  chan int
	send     chan int
	never    chan int
	quit     chan struct{}
	mutex    sync.Mutex
	rw       sync.RWMutex
	group    sync.WaitGroup
	cond     *sync.Cond
	released int32
}

func newGate() *gate {
	g := &gate{receive: make(chan int), send: make(chan int), never: make(chan int), quit: make(chan struct{})}
	g.cond = sync.NewCond(&sync.Mutex{})
	g.mutex.Lock()
	g.rw.Lock()
	g.group.Add(1)
	return g
}

var current = newGate()

type leakKind struct {
	site *site
	make func(s *site, g *gate)
}

var leakKinds = []leakKind{
	{newLeakSite("leak: channel receive"), func(s *site, g *gate) {
		go func() {
			defer s.enter()()
			<-g.receive
		}()
	}},
	{newLeakSite("leak: channel send"), func(s *site, g *gate) {
		go func() {
			defer s.enter()()
			g.send <- 1
		}()
	}},
	{newLeakSite("leak: select"), func(s *site, g *gate) {
		go func() {
			defer s.enter()()
			select {
			case <-g.never:
			case <-g.quit:
			}
		}()
	}},
	{newLeakSite("leak: mutex"), func(s *site, g *gate) { go lockForever(s, g) }},
	{newLeakSite("leak: read lock"), func(s *site, g *gate) {
		go func() {
			defer s.enter()()
			g.rw.RLock()
			g.rw.RUnlock() //lint:ignore SA2001 waiting is the point
		}()
	}},
	{newLeakSite("leak: wait group"), func(s *site, g *gate) {
		go func() {
			defer s.enter()()
			g.group.Wait()
		}()
	}},
	{newLeakSite("leak: cond"), func(s *site, g *gate) { go waitCond(s, g) }},
	{newLeakSite("leak: sleep"), func(s *site, g *gate) { go sleepForever(s, g) }},
	{newLeakSite("leak: nil channel"), func(s *site, g *gate) { go receiveNil(s) }},
	{newLeakSite("leak: select without cases"), func(s *site, g *gate) {
		go func() {
			defer s.enter()()
			select {}
		}()
	}},
}

func lockForever(s *site, g *gate) {
	defer s.enter()()
	g.mutex.Lock()
	g.mutex.Unlock() //lint:ignore SA2001 waiting is the point
}

func waitCond(s *site, g *gate) {
	defer s.enter()()
	g.cond.L.Lock()
	for atomic.LoadInt32(&g.released) == 0 {
		g.cond.Wait()
	}
	g.cond.L.Unlock()
}

func sleepForever(s *site, g *gate) {
	defer s.enter()()
	// A sleep cannot be interrupted: the loop is what makes `release` possible.
	for atomic.LoadInt32(&g.released) == 0 {
		time.Sleep(time.Second)
	}
}

func receiveNil(s *site) {
	defer s.enter()()
	var c chan int
	<-c
}

func leak(n int) {
	for i := 0; i < n; i++ {
		k := leakKinds[i%len(leakKinds)]
		k.site.willCreate()
		k.make(k.site, current)
	}
	settle()
}

// release ends all leaked goroutines, but for those on nil channels and in empty selects, which
// nothing can end.
func release() {
	g := current
	current = newGate()
	senders := leakKinds[1].site.live()
	g.cond.L.Lock()
	atomic.StoreInt32(&g.released, 1)
	g.cond.L.Unlock()
	g.cond.Broadcast()
	close(g.receive)
	close(g.quit)
	for i := int64(0); i < senders; i++ {
		<-g.send
	}
	g.mutex.Unlock()
	g.rw.Unlock()
	g.group.Done()
	end := map[*site]bool{}
	for i, k := range leakKinds {
		end[k.site] = i < len(leakKinds)-2
	}
	waitUntil(func() bool {
		for s, ends := range end {
			if ends && s.live() != 0 {
				return false
			}
		}
		return true
	})
	settle()
}
