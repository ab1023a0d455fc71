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

// Bytes that are held at most: a prover that is slow must not make the heap larger and so be slower.
const most = 300 << 20

// grow adds to the heap in small objects, a hundred times a second; when there is much of it all is
// dropped at once.
func grow(bytes int) {
	for range time.NewTicker(10 * time.Millisecond).C {
		if len(heap)*64 > most {
			heap = nil
		}
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
