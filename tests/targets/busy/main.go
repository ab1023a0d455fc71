// busy does everything at once that moves what a reader of its memory looks at: goroutines come and
// go as fast as they can, in bursts that make the list of all longer; stacks grow, are copied and
// shrink; channels are handed round; collections follow each other. Commands are lines on stdin, each
// answered by one line on stdout:
//
//	sites   where goroutines are created and what they start with, as JSON
//	made    how many goroutines have begun so far
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

type site struct {
	Created string `json:"created"`
	Start   string `json:"start"`
}

var (
	made    int64
	mutex   sync.Mutex
	located = map[site]bool{}
)

// enter is called by every goroutine, and tells once for each of them who knows where it comes from:
// the runtime's own traceback.
func enter(once *sync.Once) {
	atomic.AddInt64(&made, 1)
	once.Do(func() {
		text := make([]byte, 16<<10)
		lines := strings.Split(strings.TrimSpace(string(text[:runtime.Stack(text, false)])), "\n")
		start, created := lines[len(lines)-4], strings.TrimSpace(lines[len(lines)-1])
		mutex.Lock()
		defer mutex.Unlock()
		located[site{created[:strings.LastIndex(created, " +0x")], start[:strings.LastIndexByte(start, '(')]}] = true
	})
}

func run(command string) string {
	mutex.Lock()
	defer mutex.Unlock()
	switch command {
	case "sites":
		sites := []site{}
		for s := range located {
			sites = append(sites, s)
		}
		text, err := json.Marshal(sites)
		if err != nil {
			panic(err)
		}
		return string(text)
	case "made":
		return strconv.FormatInt(atomic.LoadInt64(&made), 10)
	}
	return "error unknown command " + command
}

func main() {
	for _, f := range work {
		for i := 0; i < 2; i++ {
			go again(f)
		}
	}
	// Ready is who has done everything once.
	for done := false; !done; {
		mutex.Lock()
		done = len(located) >= siteCount
		mutex.Unlock()
		time.Sleep(time.Millisecond)
	}
	fmt.Printf("READY pid=%d\n", os.Getpid())
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		fmt.Println(run(strings.TrimSpace(in.Text())))
	}
}
