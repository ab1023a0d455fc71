// Written by a generator, of which this file is the part that never changes: an argument chooses one of
// many small programs. It starts goroutines, comes to rest, and tells what it knows of them. Commands
// are lines on stdin: `truth` and `oracle`, each answered by numbers of goroutines, as JSON.
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"runtime/pprof"
	"strconv"
	"strings"
	"sync"
	"time"
)

type box struct {
	a, b, c interface{}
	n       int
}

type node struct {
	next *node
	it   interface{}
}

type interior struct {
	x interface{}
	y [3]interface{}
	n int
}

// Locks are within something larger: small things without references share a block.
type lock struct {
	sync.Mutex
	_ [4]int
}

type rwlock struct {
	sync.RWMutex
	_ [4]int
}

type waits struct {
	sync.WaitGroup
	_ [4]int
}

var (
	programs = map[int]func(){}
	known    struct {
		sync.Mutex
		pending int
		goids   [3]map[string][]uint64
	}
	touched int
)

//go:noinline
func touch(things ...interface{}) {
	for _, it := range things {
		if it == nil {
			touched++
		}
		fmt.Fprint(&bytes.Buffer{}, it)
	}
}

//go:noinline
func touchArray(things *[6]interface{}) { touch(things[:]...) }

//go:noinline
func sleepPointing(things *[6]interface{}) {
	sleep()
	touchArray(things)
}

//go:noinline
func sleepDeep(depth int, things ...interface{}) {
	if depth == 0 {
		sleep()
	} else {
		sleepDeep(depth - 1)
	}
	touch(things...)
}

func sleep() { time.Sleep(1000 * time.Hour) }

type member struct {
	name string
	fate int
}

// expect announces a goroutine: 0 is leaked, 1 waits for something alive, 2 lives.
func expect(name string, fate int) member {
	known.Lock()
	defer known.Unlock()
	known.pending++
	return member{name, fate}
}

func (m member) here() {
	buffer := make([]byte, 64)
	text := buffer[len("goroutine "):runtime.Stack(buffer, false)]
	id, err := strconv.ParseUint(string(text[:bytes.IndexByte(text, ' ')]), 10, 64)
	if err != nil {
		panic(err)
	}
	known.Lock()
	defer known.Unlock()
	if known.goids[m.fate] == nil {
		known.goids[m.fate] = map[string][]uint64{}
	}
	known.goids[m.fate][m.name] = append(known.goids[m.fate][m.name], id)
	known.pending--
}

func dump(profile string) string {
	var text bytes.Buffer
	p := pprof.Lookup(profile)
	if p == nil {
		return ""
	}
	if err := p.WriteTo(&text, 2); err != nil {
		panic(err)
	}
	return text.String()
}

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

func settle() {
	for arrived := false; !arrived; time.Sleep(time.Millisecond) {
		known.Lock()
		arrived = known.pending == 0
		known.Unlock()
	}
	for quiet := 0; quiet < 2; quiet++ {
		moving := -1
		headers(dump("goroutine"), func(goid uint64, state string) {
			if strings.HasPrefix(state, "runn") {
				moving++
			}
		})
		if moving > 0 {
			quiet = -1
		}
		time.Sleep(time.Millisecond)
	}
	runtime.GC()
	runtime.GC()
}

func asJSON(value interface{}) string {
	text, err := json.Marshal(value)
	if err != nil {
		return "error " + err.Error()
	}
	return string(text)
}

func answer(command string) string {
	switch command {
	case "truth":
		known.Lock()
		defer known.Unlock()
		return asJSON(map[string]interface{}{
			"leaked": known.goids[0], "reachable": known.goids[1], "helping": known.goids[2],
		})
	case "oracle":
		text := dump("goroutineleak")
		if text == "" {
			return "error this release has no such profile"
		}
		all := []uint64{}
		headers(text, func(goid uint64, state string) {
			if strings.Contains(state, "(leaked)") {
				all = append(all, goid)
			}
		})
		return asJSON(all)
	}
	return "error unknown command"
}

func main() {
	number, err := strconv.Atoi(os.Args[1])
	if err != nil {
		panic(err)
	}
	done := make(chan bool)
	go func() {
		programs[number]()
		close(done)
	}()
	<-done
	settle()
	fmt.Println("READY pid=" + strconv.Itoa(os.Getpid()))
	input := bufio.NewScanner(os.Stdin)
	for input.Scan() {
		fmt.Println(answer(input.Text()))
	}
}
