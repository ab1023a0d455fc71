package main

import (
	"bytes"
	"fmt"
	"runtime"
	"sort"
	"strconv"
	"strings"
	"sync"
	"time"
)

// A scenario starts goroutines and says of each what is true of it.
type scenario struct {
	name string
	// hard ones are leaked, but something that is no reference looks like one.
	hard bool
	run  func(s scene)
}

var scenarios []scenario

func add(name string, run func(s scene)) {
	scenarios = append(scenarios, scenario{name: name, run: run})
}

func addHard(name string, run func(s scene)) {
	scenarios = append(scenarios, scenario{name: name, hard: true, run: run})
}

// scene is the name of a scenario under way. It refers to nothing else, so anyone may keep it.
type scene string

// A member is one goroutine that is about to be started.
type member struct {
	scene scene
	fate  fate
}

type fate int

const (
	leaked fate = iota
	reachable
	// helping ones are alive: they sleep, or work.
	helping
)

// What is known so far: numbers only, so that it keeps nothing alive.
var known struct {
	sync.Mutex
	// pending counts those that have not arrived yet.
	pending int
	goids   [3]map[string][]uint64
	// retained is how many bytes only leaked goroutines of a scenario hold, shared how many bytes those of
	// several scenarios hold together, by the name that those have in common.
	retained, shared map[string]int
	hard             map[string]bool
	after            []func()
}

func (s scene) expect(f fate) member {
	known.Lock()
	defer known.Unlock()
	known.pending++
	return member{s, f}
}

// leaks announces a goroutine that nothing can ever wake.
func (s scene) leaks() member { return s.expect(leaked) }

// waits announces one that something alive may wake.
func (s scene) waits() member { return s.expect(reachable) }

// helps announces one that lives and holds things.
func (s scene) helps() member { return s.expect(helping) }

// retains says that only this scenario's leaked goroutines hold so many bytes.
func (s scene) retains(bytes int) {
	known.Lock()
	defer known.Unlock()
	note(&known.retained, string(s), bytes)
}

// shares says that the scenarios with this in their names hold so many bytes together.
func shares(part string, bytes int) {
	known.Lock()
	defer known.Unlock()
	note(&known.shared, part, bytes)
}

func note(in *map[string]int, name string, bytes int) {
	if *in == nil {
		*in = map[string]int{}
	}
	(*in)[name] += bytes
}

// after has something done when the collections are past.
func after(f func()) {
	known.Lock()
	defer known.Unlock()
	known.after = append(known.after, f)
}

func afterCollections() error {
	known.Lock()
	all := known.after
	known.after = nil
	known.Unlock()
	for _, f := range all {
		inItsOwn(f)
	}
	for i := range all {
		all[i] = nil
	}
	return nil
}

// here is the first thing that an announced goroutine does.
//
//go:noinline
func (m member) here() {
	id := goid()
	known.Lock()
	defer known.Unlock()
	if known.goids[m.fate] == nil {
		known.goids[m.fate] = map[string][]uint64{}
	}
	known.goids[m.fate][string(m.scene)] = append(known.goids[m.fate][string(m.scene)], id)
	known.pending--
}

func goid() uint64 {
	buffer := make([]byte, 64)
	text := buffer[len("goroutine "):runtime.Stack(buffer, false)]
	id, err := strconv.ParseUint(string(text[:bytes.IndexByte(text, ' ')]), 10, 64)
	if err != nil {
		panic(err)
	}
	return id
}

func allArrived() bool {
	known.Lock()
	defer known.Unlock()
	return known.pending == 0
}

// waiting has the numbers of all that shall be parked.
func waiting() map[uint64]bool {
	known.Lock()
	defer known.Unlock()
	all := map[uint64]bool{}
	for _, f := range []fate{leaked, reachable} {
		for _, ids := range known.goids[f] {
			for _, id := range ids {
				all[id] = true
			}
		}
	}
	return all
}

// inItsOwn runs f in a goroutine that ends with it: nothing of it stays on a stack that lives.
func inItsOwn(f func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	<-done
}

func names() []string {
	var all []string
	for _, one := range scenarios {
		all = append(all, one.name)
	}
	sort.Strings(all)
	return all
}

func (s *scenario) is(wanted string) bool {
	switch {
	case wanted == "all":
		return true
	case wanted == "hard":
		return s.hard
	case wanted == "easy":
		return !s.hard
	case strings.HasSuffix(wanted, "/"):
		return strings.HasPrefix(s.name, wanted)
	}
	return s.name == wanted
}

func start(wanted []string) error {
	for _, want := range wanted {
		found := false
		for i := range scenarios {
			if one := &scenarios[i]; one.is(want) {
				found = true
				inItsOwn(func() { one.run(scene(one.name)) })
				if one.hard {
					known.Lock()
					if known.hard == nil {
						known.hard = map[string]bool{}
					}
					known.hard[one.name] = true
					known.Unlock()
				}
			}
		}
		if !found {
			return fmt.Errorf("no scenario %s", want)
		}
	}
	return nil
}

func truth() string {
	known.Lock()
	defer known.Unlock()
	hard := []string{}
	for name := range known.hard {
		hard = append(hard, name)
	}
	return asJSON(map[string]interface{}{
		"leaked":    known.goids[leaked],
		"reachable": known.goids[reachable],
		"helping":   known.goids[helping],
		"retained":  known.retained,
		"shared":    known.shared,
		"hard":      hard,
	})
}

// sleep is how those who live pass the time.
func sleep() { time.Sleep(1000 * time.Hour) }
