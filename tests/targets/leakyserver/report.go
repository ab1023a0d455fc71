package main

import (
	"fmt"
	"net/http"
	"sync"
	"time"
)

// report fans out and waits for all: short goroutines in numbers, and none is lost.
func report(w http.ResponseWriter, r *http.Request) {
	var group sync.WaitGroup
	parts := make([]int, 8)
	for i := range parts {
		i := i
		group.Add(1)
		go func() {
			defer group.Done()
			time.Sleep(time.Millisecond)
			parts[i] = i * i
		}()
	}
	group.Wait()
	fmt.Fprintln(w, parts)
}
