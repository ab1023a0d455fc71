// A program whose heap is known: for each of its objects it says where it is and which words of it
// are pointers. All other words are decoys: numbers that would be pointers if they were of such a type.
package main

import (
	"bufio"
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync"
	"time"
	"unsafe"
)

const word = unsafe.Sizeof(uintptr(0))

type node struct {
	next  *node
	decoy uintptr
}

type small struct {
	decoy uintptr
	first *node
	more  [3]uintptr
	last  *node
	tail  uintptr
}

// Of 48 words, so that its bits lie in two words of the span's.
type medium struct {
	parts [8]struct {
		decoys [4]uintptr
		at     *node
		other  uintptr
	}
}

// More than 512 bytes.
type wide struct {
	parts [20]struct {
		decoys [5]uintptr
		at     *node
	}
	tail [9]uintptr
}

type pair struct {
	at    *node
	decoy uintptr
}

// Its mask is a program, or made when it is needed.
type huge struct {
	parts [4000]struct {
		decoys [2]uintptr
		at     *node
	}
	tail [100]uintptr
}

var (
	kept    []interface{}
	decoy   uintptr
	target  = &node{}
	results []string
)

// Fills the words of an object of so many bytes: those at `offsets` with a pointer.
func fill(name string, at unsafe.Pointer, size uintptr, offsets []uintptr) {
	pointers := map[uintptr]bool{}
	for _, offset := range offsets {
		pointers[offset] = true
	}
	for offset := uintptr(0); offset < size; offset += word {
		place := unsafe.Pointer(uintptr(at) + offset)
		if pointers[offset] {
			*(**node)(place) = target
		} else {
			*(*uintptr)(place) = decoy
		}
	}
	all := make([]string, len(offsets))
	for i, offset := range offsets {
		all[i] = fmt.Sprint(offset)
	}
	results = append(results, fmt.Sprintf("%s %d %d %s", name, uintptr(at), size, strings.Join(all, ",")))
}

func every(first, step, count uintptr) []uintptr {
	var offsets []uintptr
	for i := uintptr(0); i < count; i++ {
		offsets = append(offsets, first+i*step)
	}
	return offsets
}

func objects() {
	for i := 0; i < 200; i++ {
		n := new(node)
		kept = append(kept, n)
		fill("node", unsafe.Pointer(n), unsafe.Sizeof(*n), []uintptr{0})
		s := new(small)
		kept = append(kept, s)
		fill("small", unsafe.Pointer(s), unsafe.Sizeof(*s), []uintptr{8, 40})
		p := new(*node)
		kept = append(kept, p)
		fill("pointer", unsafe.Pointer(p), word, []uintptr{0})
	}
	for i := 0; i < 50; i++ {
		m := new(medium)
		kept = append(kept, m)
		fill("medium", unsafe.Pointer(m), unsafe.Sizeof(*m), every(32, 48, 8))
		w := new(wide)
		kept = append(kept, w)
		fill("wide", unsafe.Pointer(w), unsafe.Sizeof(*w), every(40, 48, 20))
		count := uintptr(3 + i*7)
		pairs := make([]pair, count)
		kept = append(kept, pairs)
		fill("pairs", unsafe.Pointer(&pairs[0]), count*16, every(0, 16, count))
		c := make(chan pair, count)
		kept = append(kept, c)
		words := make([]uintptr, count)
		kept = append(kept, words)
		fill("words", unsafe.Pointer(&words[0]), count*word, nil)
	}
	// With spans of their own.
	for _, count := range []uintptr{5000, 300000} {
		pairs := make([]pair, count)
		kept = append(kept, pairs)
		fill("large", unsafe.Pointer(&pairs[0]), count*16, every(0, 16, count))
	}
	words := make([]uintptr, 20000)
	kept = append(kept, words)
	fill("largewords", unsafe.Pointer(&words[0]), 20000*word, nil)
	wides := make([]wide, 40)
	kept = append(kept, wides)
	var offsets []uintptr
	for i := range wides {
		offsets = append(offsets, every(uintptr(i)*unsafe.Sizeof(wides[0])+40, 48, 20)...)
	}
	fill("wides", unsafe.Pointer(&wides[0]), 40*unsafe.Sizeof(wides[0]), offsets)
	h := new(huge)
	kept = append(kept, h)
	fill("huge", unsafe.Pointer(h), unsafe.Sizeof(*h), every(16, 24, 4000))
}

// What the runtime's books hold.
func specials() {
	finalized := new(small)
	kept = append(kept, finalized)
	runtime.SetFinalizer(finalized, func(*small) {})
	fill("finalized", unsafe.Pointer(finalized), unsafe.Sizeof(*finalized), []uintptr{8, 40})
	captured := new(node)
	captured.decoy = decoy
	watched := new(small)
	kept = append(kept, watched)
	runtime.SetFinalizer(watched, func(*small) { captured.decoy++ })
	// The finalizer of the first blocks, so the others stay in the queue.
	for i := 0; i < 5; i++ {
		queued := new(small)
		results = append(results, fmt.Sprintf("queued %d 0 ", uintptr(unsafe.Pointer(queued))))
		runtime.SetFinalizer(queued, func(*small) { select {} })
	}
	modern()
}

func churn() {
	var pool sync.Pool
	list := make([]*wide, 1000)
	for i := 0; ; i++ {
		list[i%1000] = new(wide)
		pool.Put(new(small))
		if i%100000 == 0 {
			time.Sleep(time.Millisecond)
		}
	}
}

func main() {
	decoy = uintptr(unsafe.Pointer(target))
	kept = append(kept, target)
	objects()
	specials()
	runtime.GC()
	time.Sleep(20 * time.Millisecond)
	runtime.GC()
	fmt.Println("READY", os.Getpid())
	input := bufio.NewScanner(os.Stdin)
	for input.Scan() {
		switch input.Text() {
		case "objects":
			fmt.Println(strings.Join(results, ";"))
		case "churn":
			go churn()
			fmt.Println("ok")
		}
	}
	runtime.KeepAlive(kept)
}
