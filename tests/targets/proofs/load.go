package main

import "time"

type leaf struct {
	next  *leaf
	thing interface{}
	data  [5]int
}

var (
	heap    []*leaf
	garbage *leaf
)

// grow adds to the heap in small objects, a hundred times a second.
func grow(bytes int) {
	for range time.NewTicker(10 * time.Millisecond).C {
		for n := 0; n < bytes/100; n += 64 {
			heap = append(heap, &leaf{data: [5]int{n}})
		}
	}
}

// churn allocates lists that hold what the program has, and drops them.
func churn() {
	for {
		var list *leaf
		for n := 0; n < 10000; n++ {
			list = &leaf{list, inSlice, [5]int{n}}
		}
		garbage = list
		time.Sleep(time.Millisecond)
	}
}
