// proofs starts goroutines of which it knows whether anything can ever wake them again, comes to rest,
// and tells what it knows. Commands are lines on stdin, each answered by one line on stdout:
//
//	names          the names of all scenarios, as JSON
//	start NAME…    starts these scenarios, or `all`, `hard`, `retained` or a part of their names that ends in `/`;
//	               answered when all of their goroutines rest, and two collections are past, by the truth
//	truth          the numbers of all goroutines started so far, by scenario, as JSON
//	oracle         the numbers of those that Go's own detector calls leaked (from Go 1.27 on), as JSON
//	dump           the text of pprof's goroutine profile with debug=2, as a JSON string
//	grow BYTES     from now on so much a second is added to the heap, and dropped now and then
//	churn          from now on the collector has much to do
//	collect        runs the collector twice
//
// An argument says where the main goroutine waits: `select` in a select without cases, `done` on a
// channel only it has, `signal` on one that the runtime has; otherwise it reads the commands.
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/pprof"
	"strconv"
	"strings"
	"time"
)

func dump(profile string) string {
	p := pprof.Lookup(profile)
	if p == nil {
		return ""
	}
	var text bytes.Buffer
	if err := p.WriteTo(&text, 2); err != nil {
		panic(err)
	}
	return text.String()
}

// headers calls f with each goroutine's number and the words between the brackets.
func headers(dump string, f func(goid uint64, state string)) {
	for _, goroutine := range strings.Split(dump, "\n\n") {
		header, _, _ := strings.Cut(goroutine, "]")
		var goid uint64
		if _, err := fmt.Sscanf(header, "goroutine %d", &goid); err != nil {
			continue
		}
		_, state, _ := strings.Cut(header, " [")
		f(goid, state)
	}
}

// resting says whether all that shall rest do, each as its scenario wants it: those that wait for others
// are parked on something, and the others are past their preparations.
func resting() bool {
	left := waiting()
	headers(dump("goroutine"), func(goid uint64, state string) {
		if !strings.HasPrefix(state, "runnable") && !strings.HasPrefix(state, "running") &&
			!strings.HasPrefix(state, "sleep") && !strings.HasPrefix(state, "preempted") {
			delete(left, goid)
		}
	})
	return len(left) == 0
}

func settle() {
	for !allArrived() {
		time.Sleep(time.Millisecond)
	}
	for last := false; ; {
		now := resting()
		if now && last {
			break
		}
		last = now
		time.Sleep(2 * time.Millisecond)
	}
}

func asJSON(value interface{}) string {
	text, err := json.Marshal(value)
	if err != nil {
		return "error " + err.Error()
	}
	return string(text)
}

func oracle() string {
	text := dump("goroutineleak")
	if text == "" {
		return "error this release has no such profile"
	}
	leaked := []uint64{}
	headers(text, func(goid uint64, state string) {
		if strings.Contains(state, "(leaked)") {
			leaked = append(leaked, goid)
		}
	})
	return asJSON(leaked)
}

func answer(command string) string {
	fields := strings.Fields(command)
	if len(fields) == 0 {
		return "error no command"
	}
	switch fields[0] {
	case "names":
		return asJSON(names())
	case "start":
		// A pool keeps what is in it for two collections only.
		defer debug.SetGCPercent(-1)
		if err := start(fields[1:]); err != nil {
			return "error " + err.Error()
		}
		settle()
		runtime.GC()
		runtime.GC()
		debug.SetGCPercent(-1)
		if err := afterCollections(); err != nil {
			return "error " + err.Error()
		}
		return truth()
	case "truth":
		return truth()
	case "oracle":
		return oracle()
	case "dump":
		return asJSON(dump("goroutine"))
	case "grow":
		n, err := strconv.Atoi(fields[len(fields)-1])
		if err != nil {
			return "error " + err.Error()
		}
		go grow(n)
		return "ok"
	case "churn":
		debug.SetGCPercent(50)
		go churn()
		return "ok"
	case "collect":
		runtime.GC()
		runtime.GC()
		return "ok"
	}
	return "error unknown command " + command
}

func serve() {
	input := bufio.NewScanner(os.Stdin)
	input.Buffer(make([]byte, 1<<16), 1<<20)
	for input.Scan() {
		fmt.Println(answer(input.Text()))
	}
	os.Exit(0)
}

func main() {
	if len(os.Args) < 2 {
		fmt.Println("READY pid=" + strconv.Itoa(os.Getpid()))
		serve()
	}
	waitInMain(os.Args[1])
}
