// counters creates goroutines at many kinds of `go` statements on command and knows exactly how
// many of each were created, have exited and are alive. Commands are lines on stdin, each answered
// by one line on stdout.
package main

import (
	"bufio"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// base is how many goroutines there are besides the counted ones.
var base int

// settle waits until all goroutines that end by themselves have counted themselves as exited and are
// really gone, and every site knows where it is. NumGoroutine falls in the last step of a goroutine's
// destruction, so afterwards the counters and the runtime agree.
func settle() {
	waitUntil(func() bool {
		live := int64(0)
		for _, s := range sites {
			live += s.live()
			if s.live() != 0 && !s.stays {
				return false
			}
			if atomic.LoadInt64(&s.created) > 0 && atomic.LoadInt32(&s.located) == 0 {
				return false
			}
		}
		return int64(runtime.NumGoroutine()-base) == live
	})
}

func waitUntil(done func() bool) {
	for !done() {
		time.Sleep(time.Millisecond)
	}
}

func number(fields []string, i, fallback int) (int, error) {
	if len(fields) <= i {
		return fallback, nil
	}
	return strconv.Atoi(fields[i])
}

func run(fields []string) (string, error) {
	if fields[0] == "profile" && len(fields) == 2 {
		return "ok", profile(fields[1])
	}
	n, err := number(fields, 1, 0)
	if err != nil {
		return "", err
	}
	switch fields[0] {
	case "short":
		alive, err := number(fields, 2, 100)
		if err != nil {
			return "", err
		}
		short(n, alive)
	case "leak":
		leak(n)
	case "labelled":
		labelled(n)
	case "release":
		release()
	case "settle":
		settle()
	case "counts":
		settle()
		return countsJSON(), nil
	case "goroutines":
		return strconv.Itoa(runtime.NumGoroutine()), nil
	case "gomaxprocs":
		runtime.GOMAXPROCS(n)
	case "quit":
		os.Exit(n)
	default:
		return "", fmt.Errorf("unknown command %q", fields[0])
	}
	return "ok " + strings.Join(fields, " "), nil
}

func main() {
	base = runtime.NumGoroutine()
	fmt.Printf("READY pid=%d go=%s\n", os.Getpid(), runtime.Version())
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		fields := strings.Fields(in.Text())
		if len(fields) == 0 {
			continue
		}
		answer, err := run(fields)
		if err != nil {
			answer = "error " + err.Error()
		}
		fmt.Println(answer)
	}
}
