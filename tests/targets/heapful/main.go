// heapful has a heap of small objects with references: trees, lists and maps, a third of it each. It measures
// how late a goroutine of its own wakes up. Commands are lines on stdin, each answered by one line on stdout:
//
//	fill MIB    adds so much to the heap; answered by the bytes in use then
//	leak TIMES  so many goroutines are leaked, each with a kilobyte
//	late        how late the goroutine was since this was asked last: JSON, times in nanoseconds
//	profile     Go's own goroutineleak profile; answered by how long that took, in nanoseconds
package main

import (
	"bufio"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/pprof"
	"sort"
	"strconv"
	"strings"
	"sync"
	"time"
)

type tree struct {
	left, right *tree
	key, value  int
}

type item struct {
	next *item
	name *string
	size int
}

type account struct {
	owner *item
	tags  []string
}

var (
	trees []*tree
	lists []*item
	maps  []map[int]*account
)

func grown(depth int) *tree {
	if depth == 0 {
		return nil
	}
	return &tree{grown(depth - 1), grown(depth - 1), depth, depth}
}

func used() uint64 {
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}

// fill adds to each until it has its third.
func fill(bytes uint64) uint64 {
	begin := used()
	for used() < begin+bytes/3 {
		for i := 0; i < 64; i++ {
			trees = append(trees, grown(12))
		}
	}
	for used() < begin+2*bytes/3 {
		for n := 0; n < 64; n++ {
			var first *item
			for i := 0; i < 2000; i++ {
				name := strconv.Itoa(i)
				first = &item{first, &name, i}
			}
			lists = append(lists, first)
		}
	}
	for used() < begin+bytes {
		for n := 0; n < 16; n++ {
			all := map[int]*account{}
			for i := 0; i < 3000; i++ {
				all[i] = &account{lists[(n+i)%len(lists)], []string{"x", "y"}[:i%3]}
			}
			maps = append(maps, all)
		}
	}
	runtime.GC()
	runtime.GC()
	return used()
}

func leak(times int) {
	for i := 0; i < times; i++ {
		go func() {
			held := make([]byte, 1024)
			<-make(chan int)
			runtime.KeepAlive(held)
		}()
	}
}

var delays struct {
	sync.Mutex
	all []time.Duration
}

// tick sleeps a millisecond again and again.
func tick() {
	const nap = time.Millisecond
	for {
		begin := time.Now()
		time.Sleep(nap)
		late := time.Since(begin) - nap
		delays.Lock()
		delays.all = append(delays.all, late)
		delays.Unlock()
	}
}

func late() string {
	delays.Lock()
	all := delays.all
	delays.all = make([]time.Duration, 0, 100000)
	delays.Unlock()
	if len(all) == 0 {
		return `{"times":0}`
	}
	sort.Slice(all, func(i, j int) bool { return all[i] < all[j] })
	at := func(part float64) int64 { return int64(all[int(part*float64(len(all)-1))]) }
	return fmt.Sprintf(`{"times":%d,"p50":%d,"p99":%d,"max":%d}`, len(all), at(0.5), at(0.99), at(1))
}

func answer(command string) (string, error) {
	fields := strings.Fields(command)
	number := 0
	if len(fields) == 2 {
		var err error
		if number, err = strconv.Atoi(fields[1]); err != nil {
			return "", err
		}
	}
	switch fields[0] {
	case "fill":
		return fmt.Sprint(fill(uint64(number) << 20)), nil
	case "leak":
		leak(number)
		return "ok", nil
	case "late":
		return late(), nil
	case "profile":
		profile := pprof.Lookup("goroutineleak")
		if profile == nil {
			return "", fmt.Errorf("this release has no such profile")
		}
		begin := time.Now()
		var text strings.Builder
		err := profile.WriteTo(&text, 1)
		return fmt.Sprint(int64(time.Since(begin))), err
	}
	return "", fmt.Errorf("unknown command %q", command)
}

func main() {
	// A heap of this size is not collected while it is measured.
	debug.SetGCPercent(400)
	go tick()
	fmt.Println("READY pid=" + strconv.Itoa(os.Getpid()))
	input := bufio.NewScanner(os.Stdin)
	for input.Scan() {
		text, err := answer(input.Text())
		if err != nil {
			text = "error " + err.Error()
		}
		fmt.Println(text)
	}
}
