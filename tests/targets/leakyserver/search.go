package main

import (
	"encoding/json"
	"fmt"
	"math/rand"
	"net/http"
	"time"
)

type answer struct {
	Query string `json:"query"`
	Hits  []int  `json:"hits"`
}

// lookUp stands for a backend that is now and then slow.
func lookUp(query string) answer {
	if rand.Intn(20) == 0 {
		time.Sleep(60 * time.Millisecond)
	} else {
		time.Sleep(time.Duration(rand.Intn(3)) * time.Millisecond)
	}
	hits := make([]int, 64)
	for i := range hits {
		hits[i] = rand.Int()
	}
	return answer{query, hits}
}

// search gives up on a slow backend. Nobody receives then, and the channel has no buffer: the
// goroutine that looks up waits for ever to send its result.
func search(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query().Get("q")
	results := make(chan answer)
	go func() { // leaks here
		results <- lookUp(query)
	}()
	select {
	case a := <-results:
		_ = json.NewEncoder(w).Encode(a)
	case <-time.After(30 * time.Millisecond):
		w.WriteHeader(http.StatusGatewayTimeout)
		fmt.Fprintln(w, "the backend is slow")
	}
}
