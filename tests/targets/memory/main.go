// memory leaks goroutines that hold memory, and says how large its heap is. Commands on stdin, an
// answer a line:
//
//	leak TIMES BYTES   from now on so many goroutines a second are lost, each of which holds so much
//	hold TIMES BYTES   so many goroutines are lost now
//	garbage BYTES      from now on so much a second is allocated and let go
//	memory             runtime.MemStats, as JSON, with the number of goroutines lost
//	collect            runs the garbage collector
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"sync/atomic"
	"time"
)

var (
	lost  int64
	never = make(chan int)
)

func main() {
	fmt.Println("READY memory")
	commands := bufio.NewScanner(os.Stdin)
	for commands.Scan() {
		fmt.Println(answer(commands.Text()))
	}
}

func answer(command string) string {
	var times, bytes int
	if _, err := fmt.Sscanf(command, "leak %d %d", &times, &bytes); err == nil {
		go leak(times, bytes)
		return "ok"
	}
	if _, err := fmt.Sscanf(command, "hold %d %d", &times, &bytes); err == nil {
		for ; times > 0; times-- {
			go hold(bytes)
			atomic.AddInt64(&lost, 1)
		}
		return "ok"
	}
	if _, err := fmt.Sscanf(command, "garbage %d", &bytes); err == nil {
		go garbage(bytes)
		return "ok"
	}
	switch command {
	case "memory":
		return memory()
	case "collect":
		runtime.GC()
		return "ok"
	}
	return "error: no such command"
}

func leak(times, bytes int) {
	tick := time.NewTicker(time.Second / time.Duration(times))
	for range tick.C {
		go hold(bytes) // leaks
		atomic.AddInt64(&lost, 1)
	}
}

// hold touches all that it allocates, and waits for what nobody sends.
func hold(bytes int) {
	held := make([]byte, bytes)
	for at := 0; at < len(held); at += 512 {
		held[at] = 1
	}
	<-never
	runtime.KeepAlive(held)
}

var let []byte

// garbage allocates in pieces of a kilobyte, a hundred times a second.
func garbage(bytes int) {
	for range time.NewTicker(10 * time.Millisecond).C {
		for n := 0; n < bytes/100; n += 1024 {
			let = make([]byte, 1024)
		}
	}
}

func memory() string {
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	line, err := json.Marshal(map[string]uint64{
		"heap_alloc": stats.HeapAlloc,
		"heap_inuse": stats.HeapInuse,
		"sys":        stats.Sys,
		"collected":  uint64(stats.NumGC),
		"lost":       uint64(atomic.LoadInt64(&lost)),
	})
	if err != nil {
		return "error: " + err.Error()
	}
	return string(line)
}
