package main

import (
	"bytes"
	"encoding/json"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
)

// site is one `go` statement. The creator counts before the statement; the goroutine counts in its
// outermost deferred call, that is shortly before it is gone: see settle.
type site struct {
	name string
	// stays is true where goroutines wait for `release`.
	stays           bool
	created, exited int64
	located         int32
	mu              sync.Mutex
	file            string
	line            int
	creator, start  string
}

var sites []*site

func newSite(name string) *site {
	s := &site{name: name}
	sites = append(sites, s)
	return s
}

func newLeakSite(name string) *site {
	s := newSite(name)
	s.stays = true
	return s
}

func (s *site) willCreate() { atomic.AddInt64(&s.created, 1) }

// enter is called first thing by every goroutine, as `defer s.enter()()`.
func (s *site) enter() func() {
	if atomic.LoadInt32(&s.located) == 0 {
		s.locate()
	}
	return s.leave
}

func (s *site) leave() { atomic.AddInt64(&s.exited, 1) }

func (s *site) live() int64 { return atomic.LoadInt64(&s.created) - atomic.LoadInt64(&s.exited) }

// locate asks the runtime's own traceback where this goroutine was created, so that the expected
// answer is what the toolchain recorded and not what the author of this file believes.
func (s *site) locate() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.located != 0 {
		return
	}
	buf := make([]byte, 16<<10)
	buf = buf[:runtime.Stack(buf, false)]
	lines := strings.Split(string(bytes.TrimSpace(buf)), "\n")
	for i, l := range lines {
		if !strings.HasPrefix(l, "created by ") || i+1 >= len(lines) {
			continue
		}
		s.creator = strings.TrimPrefix(l, "created by ")
		if j := strings.Index(s.creator, " in goroutine "); j >= 0 {
			s.creator = s.creator[:j]
		}
		place := strings.TrimSpace(lines[i+1])
		if j := strings.LastIndex(place, " +0x"); j >= 0 {
			place = place[:j]
		}
		j := strings.LastIndexByte(place, ':')
		s.file = place[:j]
		s.line, _ = strconv.Atoi(place[j+1:])
		if i >= 2 {
			s.start = functionName(lines[i-2])
		}
		atomic.StoreInt32(&s.located, 1)
		return
	}
}

// functionName cuts the arguments off a traceback line; receivers have parentheses of their own.
func functionName(l string) string {
	if j := strings.LastIndexByte(l, '('); j > 0 {
		return l[:j]
	}
	return l
}

type siteCounts struct {
	Name    string `json:"name"`
	File    string `json:"file"`
	Line    int    `json:"line"`
	Creator string `json:"creator"`
	Start   string `json:"start"`
	Created int64  `json:"created"`
	Exited  int64  `json:"exited"`
	Live    int64  `json:"live"`
}

func countsJSON() string {
	out := []siteCounts{}
	for _, s := range sites {
		c, e := atomic.LoadInt64(&s.created), atomic.LoadInt64(&s.exited)
		if c == 0 {
			continue
		}
		out = append(out, siteCounts{s.name, s.file, s.line, s.creator, s.start, c, e, c - e})
	}
	b, err := json.Marshal(out)
	if err != nil {
		panic(err)
	}
	return string(b)
}
