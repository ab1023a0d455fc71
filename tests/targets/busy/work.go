package main

import (
	"os"
	"runtime"
	"sync"
	"syscall"
	"time"
)

// siteCount is how many go statements there are.
const siteCount = 13

var onces [siteCount]sync.Once

// work is what is done again and again, everything at the same time.
var work = []func(){short, nested, growing, handedRound, burst, waiting, ending, collect}

func again(f func()) {
	enter(&onces[0])
	for {
		f()
	}
}

func end(group *sync.WaitGroup) {
	enter(&onces[1])
	group.Done()
}

type doer struct{ group *sync.WaitGroup }

func (d *doer) do(int) {
	enter(&onces[2])
	d.group.Done()
}

func generic[T any](group *sync.WaitGroup, _ T) {
	enter(&onces[3])
	group.Done()
}

func short() {
	var group sync.WaitGroup
	for i := 0; i < 30; i++ {
		group.Add(3)
		go end(&group)
		go (&doer{&group}).do(i)
		go generic(&group, "text")
	}
	group.Wait()
}

func nested() {
	var group sync.WaitGroup
	group.Add(20)
	for i := 0; i < 20; i++ {
		go func() {
			enter(&onces[4])
			go func() {
				enter(&onces[5])
				group.Done()
			}()
		}()
	}
	group.Wait()
}

// deep has a stack of n KiB and more, and waits at the bottom of it.
//
//go:noinline
func deep(n int, c chan int) int {
	var pad [1000]byte
	pad[n] = byte(n)
	if n == 0 {
		return <-c
	}
	return deep(n-1, c) + int(pad[n])
}

func growing() {
	c, done := make(chan int), make(chan bool)
	for i := 0; i < 10; i++ {
		depth := 5 * i
		go func() {
			enter(&onces[6])
			for j := 0; j < 5; j++ {
				deep(depth, c)
				// A collection shrinks what is little used.
				<-c
			}
			done <- true
		}()
	}
	for i, ended := 0, 0; ended < 10; i++ {
		select {
		case c <- i:
		case <-done:
			ended++
		}
	}
}

// handedRound passes channels through channels, so that goroutines wait on ever others.
func handedRound() {
	ring := make(chan chan int, 3)
	done := make(chan bool)
	for i := 0; i < 5; i++ {
		go func() {
			enter(&onces[7])
			for c := range ring {
				c <- 1
			}
			done <- true
		}()
	}
	for i := 0; i < 100; i++ {
		c := make(chan int, i%2)
		select {
		case ring <- c:
			<-c
		case <-time.After(time.Second):
		}
	}
	close(ring)
	for i := 0; i < 5; i++ {
		<-done
	}
}

var size = 500

// burst has ever more goroutines alive at a time, up to a bound.
func burst() {
	mutex.Lock()
	n := size
	if size < 4000 {
		size += size / 20
	}
	mutex.Unlock()
	gate := make(chan bool)
	var group sync.WaitGroup
	group.Add(n)
	for i := 0; i < n; i++ {
		go func() {
			enter(&onces[8])
			<-gate
			group.Done()
		}()
	}
	close(gate)
	group.Wait()
}

// waiting waits for everything that is quickly over.
func waiting() {
	var lock sync.Mutex
	var group sync.WaitGroup
	reader, writer, err := os.Pipe()
	if err != nil {
		panic(err)
	}
	defer reader.Close()
	defer writer.Close()
	group.Add(12)
	for i := 0; i < 10; i++ {
		go func() {
			enter(&onces[9])
			for j := 0; j < 20; j++ {
				lock.Lock()
				runtime.Gosched()
				lock.Unlock()
				time.Sleep(time.Microsecond)
				_ = syscall.Nanosleep(&syscall.Timespec{Nsec: 1000}, nil)
			}
			group.Done()
		}()
	}
	go func() {
		enter(&onces[10])
		for i := 0; i < 100; i++ {
			_, _ = writer.Write([]byte("x"))
			runtime.Gosched()
		}
		group.Done()
	}()
	go func() {
		enter(&onces[11])
		for i := 0; i < 100; i++ {
			_, _ = reader.Read(make([]byte, 1))
		}
		group.Done()
	}()
	group.Wait()
}

// ending has goroutines end in other ways than by returning.
func ending() {
	var group sync.WaitGroup
	group.Add(10)
	for i := 0; i < 10; i++ {
		panics := i%2 == 0
		go func() {
			enter(&onces[12])
			defer group.Done()
			defer func() { _ = recover() }()
			if panics {
				panic("expected")
			}
			runtime.Goexit()
		}()
	}
	group.Wait()
}

var collecting sync.Mutex

// collect is a sweep and a mark phase, with the assists and the shrinking of stacks that they bring.
func collect() {
	collecting.Lock()
	defer collecting.Unlock()
	runtime.GC()
}
