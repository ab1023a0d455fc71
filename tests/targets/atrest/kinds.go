package main

import (
	"bytes"
	"fmt"
	"runtime"
	"strconv"
	"sync"
	"syscall"
	"time"
	"unsafe"
)

// A kind starts one goroutine, or several with entries of their own.
type kind struct {
	name  string
	start func(e *entry)
}

var kinds []kind

func add(name string, start func(e *entry)) { kinds = append(kinds, kind{name, start}) }

// entry is one goroutine and what is known of it.
type entry struct {
	Name   string `json:"name"`
	Goid   uint64 `json:"goid"`
	Parent uint64 `json:"parent"`
	// Waits is what it waits on; nil where nothing is said of that.
	Waits  []wait            `json:"waits"`
	Labels map[string]string `json:"labels"`
	// Thread is the thread it is locked to; 0 for none.
	Thread int `json:"thread"`
	// waits are asked when the truth is told: it changes.
	waits []func() wait
}

// wait is one thing a goroutine waits on; addresses are hexadecimal.
type wait struct {
	// Kinds are the words that fit.
	Kinds    []string `json:"kinds"`
	Address  string   `json:"address,omitempty"`
	Length   uint64   `json:"length"`
	Capacity uint64   `json:"capacity"`
	FD       uint64   `json:"fd"`
	Protocol string   `json:"protocol,omitempty"`
	Local    string   `json:"local,omitempty"`
	Remote   string   `json:"remote,omitempty"`
	// WakesInSeconds counts from now.
	WakesInSeconds float64 `json:"wakes_in_seconds"`
}

var (
	mutex    sync.Mutex
	entries  []*entry
	mainGoid uint64
	// keep is what goroutines wait for but do not hold: the collector must not close it.
	keep []interface{}
)

// newEntry is called by the goroutine that will execute the go statement.
func newEntry(name string) *entry {
	e := &entry{Name: name, Parent: goid()}
	mutex.Lock()
	defer mutex.Unlock()
	entries = append(entries, e)
	return e
}

// enter is the first thing a goroutine of a kind does.
func (e *entry) enter() {
	mutex.Lock()
	e.Goid = goid()
	mutex.Unlock()
}

// allEntered says whether every goroutine of a kind has begun; one that has may start another.
func allEntered() bool {
	mutex.Lock()
	defer mutex.Unlock()
	for _, e := range entries {
		if e.Goid == 0 {
			return false
		}
	}
	return true
}

// locked is enter for a goroutine that is locked to its thread.
func (e *entry) locked() {
	mutex.Lock()
	e.Thread = syscall.Gettid()
	mutex.Unlock()
	e.enter()
}

// on notes what the goroutine will wait on, before it is started.
func (e *entry) on(waits ...func() wait) { e.waits = append(e.waits, waits...) }

func truth() string {
	mutex.Lock()
	defer mutex.Unlock()
	for _, e := range entries {
		e.Waits = nil
		for _, w := range e.waits {
			e.Waits = append(e.Waits, w())
		}
	}
	return asJSON(map[string]interface{}{"main": mainGoid, "goroutines": entries})
}

// goid reads the number of the calling goroutine from its own traceback, the only place that tells.
func goid() uint64 {
	text := make([]byte, 64)
	text = text[:runtime.Stack(text, false)]
	text = bytes.TrimPrefix(text, []byte("goroutine "))
	number, err := strconv.ParseUint(string(text[:bytes.IndexByte(text, ' ')]), 10, 64)
	if err != nil {
		panic(err)
	}
	return number
}

// pointer is the one word that an interface holds of a pointer or a channel.
func pointer(value interface{}) unsafe.Pointer {
	return (*[2]unsafe.Pointer)(unsafe.Pointer(&value))[1]
}

// channel reads what all releases have at the start of a channel: elements in the buffer, and room.
// The built-in cap says 0 of a timer's channel from Go 1.23 on, whatever room there is.
func channel(c interface{}) func() wait {
	return func() wait {
		words := (*[2]uint)(pointer(c))
		return wait{
			Kinds: []string{"channel"}, Address: fmt.Sprintf("%#x", uintptr(pointer(c))),
			Length: uint64(words[0]), Capacity: uint64(words[1]),
		}
	}
}

// nilChannel is what operations on nil channels wait on.
func nilChannel() wait { return wait{Kinds: []string{"nil_channel"}} }

// object is something of package sync.
func object(value interface{}, kinds ...string) func() wait {
	return func() wait {
		return wait{Kinds: kinds, Address: fmt.Sprintf("%#x", uintptr(pointer(value)))}
	}
}

// clock is a moment.
func clock(wakes time.Time) func() wait {
	return func() wait {
		return wait{Kinds: []string{"timer"}, WakesInSeconds: time.Until(wakes).Seconds()}
	}
}
