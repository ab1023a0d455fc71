// parked holds as many parked goroutines as it is told to, of the kinds that servers have, and
// measures how late a goroutine of its own wakes up. Commands are lines on stdin, each answered by
// one line on stdout.
package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/pprof"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

var (
	shared = make(chan int)
	full   = make(chan int)
	gate   sync.Mutex
	group  sync.WaitGroup
	// up counts those that are about to park.
	up int64
)

func arrive() { atomic.AddInt64(&up, 1) }

func receive(own chan int) int { arrive(); return <-own }

func relay(own chan int) int { return receive(own) + 1 }

func handle(own chan int) { relay(own) }

func serve(own, quit chan int) {
	arrive()
	select {
	case <-own:
	case <-quit:
	case <-shared:
	}
}

func lock() { arrive(); gate.Lock(); gate.Unlock() }

func wait() { arrive(); group.Wait() }

// park starts n goroutines: half on a channel of their own a few calls deep, the rest on one of
// theirs among several, on one that all share, on a lock and on a group.
func park(n int) {
	for i := 0; i < n; i++ {
		switch i % 10 {
		case 0, 1, 2, 3, 4:
			go handle(make(chan int))
		case 5, 6:
			go serve(make(chan int), make(chan int, 1))
		case 7:
			go func() { arrive(); full <- 1 }()
		case 8:
			go lock()
		case 9:
			go wait()
		}
	}
	for atomic.LoadInt64(&up) < int64(n) {
		time.Sleep(time.Millisecond)
	}
	// Between announcing itself and parking there are a few instructions; two collections, which stop
	// all goroutines, are behind them.
	runtime.GC()
	runtime.GC()
}

// late sleeps again and again, and keeps the longest delay beyond what it asked for.
var late struct {
	sync.Mutex
	longest time.Duration
}

func sleeper() {
	const nap = 100 * time.Microsecond
	for {
		begin := time.Now()
		time.Sleep(nap)
		delay := time.Since(begin) - nap
		late.Lock()
		if delay > late.longest {
			late.longest = delay
		}
		late.Unlock()
	}
}

func profile(name string, debug int) (string, error) {
	p := pprof.Lookup(name)
	if p == nil {
		return "", fmt.Errorf("there is no profile %s", name)
	}
	begin := time.Now()
	err := p.WriteTo(io.Discard, debug)
	return strconv.FormatInt(int64(time.Since(begin)), 10), err
}

func run(fields []string) (string, error) {
	switch fields[0] {
	case "park":
		n, err := strconv.Atoi(fields[1])
		if err != nil {
			return "", err
		}
		park(n)
		return "ok", nil
	case "late":
		// The longest delay since the last time this was asked, in nanoseconds.
		late.Lock()
		defer late.Unlock()
		longest := late.longest
		late.longest = 0
		return strconv.FormatInt(int64(longest), 10), nil
	case "profile":
		debug, err := strconv.Atoi(fields[2])
		if err != nil {
			return "", err
		}
		return profile(fields[1], debug)
	default:
		return "", fmt.Errorf("unknown command %q", fields[0])
	}
}

func main() {
	gate.Lock()
	group.Add(1)
	go sleeper()
	fmt.Println("READY pid=" + strconv.Itoa(os.Getpid()))
	input := bufio.NewScanner(os.Stdin)
	for input.Scan() {
		answer, err := run(strings.Fields(input.Text()))
		if err != nil {
			answer = "error " + err.Error()
		}
		fmt.Println(answer)
	}
}
