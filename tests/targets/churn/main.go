// churn creates and ends goroutines as fast as told. Commands are lines on stdin, each answered by
// one line on stdout:
//
//	bench N    time N goroutines, each created by the one before as its last act
//	spawn N    time N goroutines created by one loop, at most 100 alive
//	rate N     from now on create N goroutines a second in the background; 0: as many as possible; -1: none
//	total      how many the background has created so far
package main

import (
	"bufio"
	"flag"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// link ends right after it has created the next, so that with one P creation and exit of every
// goroutine but the last lie inside the measured interval, and nothing else does.
func link(left int, done chan<- struct{}) {
	if left == 0 {
		done <- struct{}{}
		return
	}
	go link(left-1, done)
}

func chain(n int) {
	done := make(chan struct{})
	go link(n-1, done)
	<-done
}

func short(slots chan struct{}) { <-slots }

func spawn(n int) {
	slots := make(chan struct{}, 100)
	for i := 0; i < n; i++ {
		slots <- struct{}{}
		go short(slots)
	}
	for i := 0; i < cap(slots); i++ {
		slots <- struct{}{}
	}
}

// measured runs f for n goroutines and tells wall and processor time for each.
func measured(f func(int), n int) string {
	start, cpu := time.Now(), cpuTime()
	f(n)
	wall, used := time.Since(start), cpuTime()-cpu
	return fmt.Sprintf(`{"n":%d,"ns_per_goroutine":%.1f,"cpu_ns_per_goroutine":%.1f}`,
		n, float64(wall.Nanoseconds())/float64(n), float64(used.Nanoseconds())/float64(n))
}

var (
	rate  int64 = -1
	total int64
)

// background works in ticks of a millisecond, so that a rate is even and not a burst a second.
func background() {
	slots := make(chan struct{}, 100)
	start, made := time.Now(), int64(0)
	last := int64(-1)
	for {
		r := atomic.LoadInt64(&rate)
		if r != last {
			start, made, last = time.Now(), 0, r
		}
		n := int64(1000)
		if r != 0 {
			time.Sleep(time.Millisecond)
			n = int64(time.Since(start).Seconds()*float64(r)) - made
		}
		for i := int64(0); i < n && r >= 0; i++ {
			slots <- struct{}{}
			go short(slots)
			made++
			atomic.AddInt64(&total, 1)
		}
	}
}

func main() {
	procs := flag.Int("gomaxprocs", 0, "GOMAXPROCS; 0: as the environment says")
	first := flag.Int64("rate", -1, "as the command rate")
	flag.Parse()
	if *procs > 0 {
		runtime.GOMAXPROCS(*procs)
	}
	atomic.StoreInt64(&rate, *first)
	if *first >= 0 {
		go background()
	}
	running := *first >= 0
	fmt.Printf("READY pid=%d go=%s\n", os.Getpid(), runtime.Version())
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		fields := strings.Fields(in.Text() + " 0")
		n, err := strconv.Atoi(fields[1])
		if err != nil {
			fmt.Println("error", err)
			continue
		}
		switch fields[0] {
		case "bench":
			fmt.Println(measured(chain, n))
		case "spawn":
			fmt.Println(measured(spawn, n))
		case "rate":
			atomic.StoreInt64(&rate, int64(n))
			if !running {
				running = true
				go background()
			}
			fmt.Println("ok rate", n)
		case "total":
			fmt.Println(atomic.LoadInt64(&total))
		case "gomaxprocs":
			runtime.GOMAXPROCS(n)
			fmt.Println("ok gomaxprocs", n)
		case "quit":
			return
		default:
			fmt.Println("error unknown command", fields[0])
		}
	}
}
