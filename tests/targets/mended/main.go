// mended is a program of which there are several builds: one leaks, in another the statement has moved
// (tag moved), in a third it is mended (-ldflags=-X=main.mended=yes).
package main

import (
	"fmt"
	"io"
	"os"
	"time"
)

// mended is set when linking.
var mended string

// room makes a channel that takes a result that nobody wants any more, or one that does not.
func room(always bool) chan int {
	if always || mended != "" {
		return make(chan int, 1)
	}
	return make(chan int)
}

// deliver sends a result when it is there.
func deliver(results chan<- int) {
	time.Sleep(5 * time.Millisecond)
	results <- 1
}

func main() {
	go func() {
		for range time.Tick(50 * time.Millisecond) {
			search()
		}
	}()
	fmt.Println("READY mended")
	_, _ = io.Copy(io.Discard, os.Stdin)
}
