// figures does what it is told to, and says what its own runtime/metrics say, without allocating anything for
// it. Commands on stdin, an answer a line:
//
//	allocate TIMES BYTES   so many objects of that size, which are kept
//	start TIMES            so many goroutines that wait
//	end TIMES              so many of them end
//	hand TIMES             two goroutines hand something to and fro
//	collect                runs the garbage collector
//	gogc PERCENT           GOGC, -1 for off
//	limit BYTES            GOMEMLIMIT, where there is one
//	processors N           GOMAXPROCS
//	figures                NAME=VALUE …; of a histogram UPPER:COUNT,… with the bits of the upper bound
package main

import (
	"bufio"
	"fmt"
	"math"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"strconv"
	"strings"
	"sync"
)

var names = []string{
	"/memory/classes/heap/stacks:bytes",
	"/memory/classes/heap/released:bytes",
	"/memory/classes/total:bytes",
	"/gc/heap/allocs:bytes",
	"/gc/heap/allocs:objects",
	"/gc/heap/goal:bytes",
	"/gc/gogc:percent",
	"/gc/gomemlimit:bytes",
	"/sched/gomaxprocs:threads",
	"/sched/goroutines:goroutines",
	"/sched/latencies:seconds",
}

var (
	samples = make([]metrics.Sample, len(names))
	line    = make([]byte, 0, 1<<16)
	kept    [][]byte
	waiting = make(chan struct{})
)

func main() {
	for i, name := range names {
		samples[i].Name = name
	}
	metrics.Read(samples)
	fmt.Println("READY figures")
	commands := bufio.NewScanner(os.Stdin)
	for commands.Scan() {
		if string(commands.Bytes()) == "figures" {
			figures()
			continue
		}
		fmt.Println(obey(strings.Fields(commands.Text())))
	}
}

// figures says them.
func figures() {
	metrics.Read(samples)
	line = line[:0]
	for i := range samples {
		value := samples[i].Value
		switch value.Kind() {
		case metrics.KindUint64:
			name(i)
			line = strconv.AppendUint(line, value.Uint64(), 10)
		case metrics.KindFloat64Histogram:
			name(i)
			histogram(value.Float64Histogram())
		}
	}
	line = append(line, '\n')
	os.Stdout.Write(line)
}

func name(i int) {
	if len(line) > 0 {
		line = append(line, ' ')
	}
	line = append(line, names[i]...)
	line = append(line, '=')
}

func histogram(all *metrics.Float64Histogram) {
	for i, count := range all.Counts {
		if count > 0 {
			line = strconv.AppendUint(line, math.Float64bits(all.Buckets[i+1]), 10)
			line = append(line, ':')
			line = strconv.AppendUint(line, count, 10)
			line = append(line, ',')
		}
	}
}

func obey(words []string) string {
	number := func(i int) int {
		if i >= len(words) {
			return 0
		}
		n, _ := strconv.Atoi(words[i])
		return n
	}
	switch words[0] {
	case "allocate":
		for n := number(1); n > 0; n-- {
			kept = append(kept, make([]byte, number(2)))
		}
	case "start":
		var up sync.WaitGroup
		for n := number(1); n > 0; n-- {
			up.Add(1)
			go func() { up.Done(); <-waiting }()
		}
		up.Wait()
	case "end":
		before := runtime.NumGoroutine()
		for n := number(1); n > 0; n-- {
			waiting <- struct{}{}
		}
		for runtime.NumGoroutine() > before-number(1) {
			runtime.Gosched()
		}
	case "hand":
		there, back := make(chan int), make(chan int)
		go func() {
			for n := range there {
				back <- n
			}
			close(back)
		}()
		for n := number(1); n > 0; n-- {
			there <- n
			<-back
		}
		close(there)
		<-back
	case "collect":
		runtime.GC()
	case "gogc":
		debug.SetGCPercent(number(1))
	case "limit":
		limit(int64(number(1)))
	case "processors":
		runtime.GOMAXPROCS(number(1))
	default:
		return "error: no such command"
	}
	return "ok"
}
