// atrest starts one goroutine of every kind, comes to rest, and tells what it knows of itself.
// Commands are lines on stdin, each answered by one line on stdout:
//
//	start       start all kinds; answered when all of them rest
//	finalizers  block a finalizer and, where there are some, a cleanup
//	dump        the text of pprof's goroutine profile with debug=2, as a JSON string
//	truth       what every goroutine waits on, its labels, parent and thread, as JSON
//	protect     take all rights away from a page of a goroutine's stack, until unprotect
//	runnable    a dump with goroutines that are ready to run; none of them does until the next line
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"runtime/pprof"
	"strings"
	"time"
)

func dump() string {
	var text bytes.Buffer
	if err := pprof.Lookup("goroutine").WriteTo(&text, 2); err != nil {
		panic(err)
	}
	return text.String()
}

// moves says whether a goroutine other than the first in the dump, which makes it, is on its way.
func moves(dump string) bool {
	for _, goroutine := range strings.Split(dump, "\n\n")[1:] {
		header := goroutine[:strings.IndexByte(goroutine, '\n')]
		if strings.Contains(header, "[runnable") || strings.Contains(header, "[running") {
			return true
		}
	}
	return false
}

// settle waits until nothing moves any more: every goroutine has entered its kind, none is on its way,
// and two dumps some time apart are equal. One in a system call may yet be on its way to where it will
// wait; whoever compares takes a dump before and one after.
func settle() {
	for last := ""; ; {
		now := dump()
		// The goroutine that makes the dump comes first.
		others := now[strings.Index(now, "\n\n"):]
		if others == last && !moves(now) && allEntered() {
			return
		}
		last = others
		time.Sleep(5 * time.Millisecond)
	}
}

// waitUntil waits until a goroutine is in a state.
func waitUntil(e *entry, state string) {
	for {
		mutex.Lock()
		header := fmt.Sprintf("goroutine %d [%s", e.Goid, state)
		mutex.Unlock()
		if strings.Contains(dump(), header) {
			return
		}
		time.Sleep(time.Millisecond)
	}
}

func asJSON(value interface{}) string {
	text, err := json.Marshal(value)
	if err != nil {
		panic(err)
	}
	return string(text)
}

func start() {
	for _, k := range kinds {
		k.start(newEntry(k.name))
	}
	settle()
}

func main() {
	mainGoid = goid()
	fmt.Printf("READY pid=%d\n", os.Getpid())
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		switch command := strings.TrimSpace(in.Text()); command {
		case "start":
			start()
			fmt.Println("ok start")
		case "finalizers":
			finalizers()
			settle()
			fmt.Println("ok finalizers")
		case "dump":
			fmt.Println(asJSON(dump()))
		case "truth":
			fmt.Println(truth())
		case "protect":
			protect()
			fmt.Println("ok protect")
		case "unprotect":
			unprotect()
			fmt.Println("ok unprotect")
		case "runnable":
			runnable()
			fmt.Println("ok runnable")
		default:
			fmt.Println("error unknown command", command)
		}
	}
}
