// leakyserver is a small but ordinary HTTP service, with a worker pool, background tickers and one
// goroutine leak: see search.go. It serves until its input ends or it is told to stop.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"time"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:0", "address to listen on")
	load := flag.Bool("load", false, "send requests to itself")
	perSecond := flag.Int("rate", 200, "requests a second with -load")
	duration := flag.Duration("duration", 10*time.Minute, "end after this time")
	flag.Parse()

	l, err := net.Listen("tcp", *addr)
	if err != nil {
		log.Fatal(err)
	}
	mail := newPool(4)
	stock := newStock()
	stock.refreshEvery(200 * time.Millisecond)
	mux := http.NewServeMux()
	mux.HandleFunc("/search", search)
	mux.HandleFunc("/order", order(mail, stock))
	mux.HandleFunc("/report", report)
	mux.HandleFunc("/health", func(w http.ResponseWriter, r *http.Request) { fmt.Fprintln(w, "ok") })

	go func() {
		server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
		if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			log.Fatal(err)
		}
	}()
	fmt.Printf("READY pid=%d addr=%s\n", os.Getpid(), l.Addr())
	if *load {
		go sendLoad("http://"+l.Addr().String(), *perSecond)
	}
	ended := make(chan struct{})
	go func() {
		// Whoever started the server holds the other end: when they die, so does the server.
		_, _ = io.Copy(io.Discard, os.Stdin)
		close(ended)
	}()
	select {
	case <-ended:
	case <-time.After(*duration):
	}
}
