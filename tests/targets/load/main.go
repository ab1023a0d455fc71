// load does one kind of work at a time, as much as it is told to, and loses goroutines beside it.
// Commands are lines on stdin, each answered by one line on stdout:
//
//	procs N       GOMAXPROCS
//	idle N        N goroutines that wait, and nothing else
//	create N      N goroutines a second that end at once; 0: as many as possible
//	pingpong N    N pairs of goroutines that pass a token back and forth
//	serve         an HTTP server; answers its address
//	leak N        from now on lose N goroutines a second; 0: none any more
//	done          operations so far: goroutines, passes or requests
//	cpu           processor time used so far, in nanoseconds, kernel time included
package main

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

var (
	done int64
	lost = make(chan int)
)

func idle(n int) {
	for i := 0; i < n; i++ {
		go func() { <-make(chan int) }()
	}
}

func short(slots chan struct{}) {
	atomic.AddInt64(&done, 1)
	<-slots
}

// create works in ticks of a millisecond, so that a rate is even and not a burst a second.
func create(rate int) {
	slots := make(chan struct{}, 100)
	start, made := time.Now(), 0
	for {
		n := 1000
		if rate > 0 {
			time.Sleep(time.Millisecond)
			n = int(time.Since(start).Seconds()*float64(rate)) - made
		}
		for i := 0; i < n; i++ {
			slots <- struct{}{}
			go short(slots)
		}
		made += n
	}
}

func pass(from, to chan int) {
	for {
		to <- <-from
		atomic.AddInt64(&done, 1)
	}
}

func pingpong(pairs int) {
	for i := 0; i < pairs; i++ {
		a, b := make(chan int), make(chan int)
		go pass(a, b)
		go pass(b, a)
		a <- 0
	}
}

// answer does what handlers do: it asks somebody else, in a goroutine of its own.
func answer(w http.ResponseWriter, r *http.Request) {
	found := make(chan string)
	go func() { found <- strings.Repeat("x", 200) }()
	fmt.Fprintln(w, <-found)
	atomic.AddInt64(&done, 1)
}

func serve() string {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "error " + err.Error()
	}
	go http.Serve(listener, http.HandlerFunc(answer))
	return listener.Addr().String()
}

var leaking int64

func leak() {
	for {
		rate := atomic.LoadInt64(&leaking)
		if rate == 0 {
			time.Sleep(100 * time.Millisecond)
			continue
		}
		time.Sleep(time.Second / time.Duration(rate))
		go func() { lost <- 1 }()
	}
}

func used() int64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return u.Utime.Nano() + u.Stime.Nano()
}

func main() {
	go leak()
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
		case "procs":
			runtime.GOMAXPROCS(n)
		case "idle":
			idle(n)
		case "create":
			go create(n)
		case "pingpong":
			pingpong(n)
		case "leak":
			atomic.StoreInt64(&leaking, int64(n))
		case "serve":
			fmt.Println(serve())
			continue
		case "done":
			fmt.Println(atomic.LoadInt64(&done))
			continue
		case "cpu":
			fmt.Println(used())
			continue
		default:
			fmt.Println("error unknown command", fields[0])
			continue
		}
		fmt.Println("ok")
	}
}
