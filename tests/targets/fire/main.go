// fire hands things around at full speed between goroutines that live, through every kind of hiding
// place. On each thing a goroutine waits all the time: none of those is ever leaked, because the thing is
// always held by somebody alive, or lies where somebody alive can take it. Beside them some goroutines
// are truly leaked. Commands are lines on stdin, each answered by one line on stdout:
//
//	truth    the numbers of the goroutines that are leaked, and of those that wait, as JSON
//	oracle   the numbers of those that Go's own detector calls leaked (from Go 1.27 on), as JSON
//	moves    how often a thing has changed its place
//
// Arguments: `gc` has the collector run all the time, `alloc` has much allocated, `fast` leaves out what takes
// longer than an exchange of two words.
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
	"sync"
	"sync/atomic"
	"time"
	"unsafe"
)

// A thing is the address of what a goroutine waits on, and nothing else.
type thing = unsafe.Pointer

const (
	numberOfThings = 48
	numberOfMovers = 10
	numberOfLeaks  = 60
)

var (
	moves   int64
	arrived sync.WaitGroup
	numbers struct {
		sync.Mutex
		leaked, reachable map[string][]uint64
	}
)

func goid() uint64 {
	buffer := make([]byte, 64)
	text := buffer[len("goroutine "):runtime.Stack(buffer, false)]
	id, err := strconv.ParseUint(string(text[:bytes.IndexByte(text, ' ')]), 10, 64)
	if err != nil {
		panic(err)
	}
	return id
}

func register(in *map[string][]uint64, name string) {
	id := goid()
	numbers.Lock()
	if *in == nil {
		*in = map[string][]uint64{}
	}
	(*in)[name] = append((*in)[name], id)
	numbers.Unlock()
	arrived.Done()
}

// leak starts goroutines that wait for ever, of several kinds.
func leak() {
	for i := 0; i < numberOfLeaks; i++ {
		arrived.Add(1)
		go func(i int) {
			name := "kind " + strconv.Itoa(i%6)
			register(&numbers.leaked, name)
			switch i % 6 {
			case 0:
				<-make(chan int)
			case 1:
				make(chan string) <- name
			case 2:
				m := new([5]sync.RWMutex)
				m[1].Lock()
				m[1].RLock()
			case 3:
				w := new([5]sync.WaitGroup)
				w[2].Add(1)
				w[2].Wait()
			case 4:
				c := sync.NewCond(new(sync.Mutex))
				c.L.Lock()
				c.Wait()
			case 5:
				select {
				case <-make(chan int):
				case make(chan error, 1) <- nil:
					select {}
				}
			}
		}(i)
	}
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

func oracle() string {
	text := dump("goroutineleak")
	if text == "" {
		return "error this release has no such profile"
	}
	all := []uint64{}
	for _, goroutine := range strings.Split(text, "\n\n") {
		header, _, _ := strings.Cut(goroutine, "]")
		var id uint64
		if _, err := fmt.Sscanf(header, "goroutine %d", &id); err == nil && strings.HasSuffix(header, "(leaked)") {
			all = append(all, id)
		}
	}
	return asJSON(all)
}

func asJSON(value interface{}) string {
	text, err := json.Marshal(value)
	if err != nil {
		return "error " + err.Error()
	}
	return string(text)
}

func truth() string {
	numbers.Lock()
	defer numbers.Unlock()
	return asJSON(map[string]interface{}{"leaked": numbers.leaked, "reachable": numbers.reachable})
}

type leaf struct {
	left, right *leaf
	data        [6]int
}

var garbage [8]*leaf

func grown(depth int) *leaf {
	if depth == 0 {
		return nil
	}
	return &leaf{grown(depth - 1), grown(depth - 1), [6]int{depth}}
}

func main() {
	fast := false
	for _, argument := range os.Args[1:] {
		switch argument {
		case "gc":
			go func() {
				for {
					runtime.GC()
					time.Sleep(time.Millisecond)
				}
			}()
		case "alloc":
			debug.SetGCPercent(20)
			go func() {
				for i := 0; ; i++ {
					garbage[i%len(garbage)] = grown(14)
					time.Sleep(100 * time.Microsecond)
				}
			}()
		case "fast":
			fast = true
		}
	}
	leak()
	light(fast)
	arrived.Wait()
	// All wait by now, or the collector could not have run twice.
	time.Sleep(50 * time.Millisecond)
	runtime.GC()
	runtime.GC()
	fmt.Println("READY pid=" + strconv.Itoa(os.Getpid()))
	input := bufio.NewScanner(os.Stdin)
	for input.Scan() {
		switch input.Text() {
		case "truth":
			fmt.Println(truth())
		case "oracle":
			fmt.Println(oracle())
		case "moves":
			fmt.Println(atomic.LoadInt64(&moves))
		default:
			fmt.Println("error unknown command")
		}
	}
}
