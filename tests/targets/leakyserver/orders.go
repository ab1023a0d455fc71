package main

import (
	"fmt"
	"net/http"
	"sync"
	"time"
)

// pool runs jobs on a fixed number of goroutines that live as long as the server: many of them wait
// for ever, and none is a leak.
type pool struct{ jobs chan func() }

func newPool(workers int) *pool {
	p := &pool{make(chan func(), 100)}
	for i := 0; i < workers; i++ {
		go p.work()
	}
	return p
}

func (p *pool) work() {
	for job := range p.jobs {
		job()
	}
}

// stock is kept up to date by a background ticker.
type stock struct {
	mu   sync.RWMutex
	left map[string]int
}

func newStock() *stock { return &stock{left: map[string]int{"lamp": 1000, "desk": 1000}} }

func (s *stock) refreshEvery(d time.Duration) {
	go func() {
		for range time.Tick(d) {
			s.mu.Lock()
			for k := range s.left {
				s.left[k] = 1000
			}
			s.mu.Unlock()
		}
	}()
}

func (s *stock) take(item string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.left[item]--
	return s.left[item]
}

func order(mail *pool, s *stock) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		left := s.take("lamp")
		mail.jobs <- func() { time.Sleep(time.Millisecond) }
		fmt.Fprintf(w, "ordered, %d left\n", left)
	}
}
