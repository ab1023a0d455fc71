package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

func init() {
	healthy("heartbeats", "connections as of websockets come over two minutes up to 120 and stay, with a heartbeat every 5 s; one a few seconds is replaced", heartbeats)
	healthy("keep-alive", "an HTTP server and 60 clients whose connections stay open and are idle for most of the time", keepAlive)
	healthy("long-polling", "requests of an HTTP server that are answered after 25 s where nothing happens, and at once where something does", longPolling)
	healthy("slow-back-end", "requests wait for a back-end that has become slow, until their context is over after 20 to 30 s", slowBackEnd)
	healthy("busy-server", "an HTTP server with 50 requests a second, each with a goroutine that outlives it by a second or two", busyServer)
}

// listen opens a port of its own on this machine.
func listen() net.Listener {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	return listener
}

func heartbeats() {
	listener := listen()
	go func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			go echo(connection)
		}
	}()
	clients := make(chan bool, 120)
	connect := func() {
		clients <- true
		go func() {
			// Seven in eight stay for ever; the others leave, and make room for new ones.
			beats := 1 << 30
			if len(clients)%8 == 0 {
				beats = int(between(2, 8))
			}
			client(listener.Addr().String(), beats)
			<-clients
		}()
	}
	go func() {
		for {
			connect()
			time.Sleep(time.Second)
		}
	}()
}

// echo serves one connection until the other side closes it.
func echo(connection net.Conn) {
	defer connection.Close()
	lines := bufio.NewReader(connection)
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			return
		}
		if _, err := io.WriteString(connection, line); err != nil {
			return
		}
	}
}

// client sends so many heartbeats, one every 5 s, and reads the answers.
func client(address string, beats int) {
	connection, err := net.Dial("tcp", address)
	if err != nil {
		return
	}
	defer connection.Close()
	lines := bufio.NewReader(connection)
	for i := 0; i < beats; i++ {
		fmt.Fprintln(connection, "beat")
		if _, err := lines.ReadString('\n'); err != nil {
			return
		}
		time.Sleep(5 * time.Second)
	}
}

// get asks and reads the answer to its end.
func get(ctx context.Context, c *http.Client, url string) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return
	}
	answer, err := c.Do(request)
	if err != nil {
		return
	}
	defer answer.Body.Close()
	_, _ = io.Copy(io.Discard, answer.Body)
}

// serve answers requests on a port of its own, and says where.
func serve(handler http.HandlerFunc) string {
	listener := listen()
	go func() { _ = http.Serve(listener, handler) }()
	return "http://" + listener.Addr().String() + "/"
}

func keepAlive() {
	url := serve(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "hello") })
	go func() {
		for i := 0; i < 60; i++ {
			go func() {
				c := &http.Client{Transport: &http.Transport{IdleConnTimeout: 10 * time.Minute}}
				for {
					get(context.Background(), c, url)
					time.Sleep(between(20*time.Second, 60*time.Second))
				}
			}()
			time.Sleep(300 * time.Millisecond)
		}
	}()
}

func longPolling() {
	news := make(chan string)
	url := serve(func(w http.ResponseWriter, r *http.Request) {
		select {
		case text := <-news:
			fmt.Fprintln(w, text)
		case <-time.After(25 * time.Second):
			w.WriteHeader(http.StatusNoContent)
		case <-r.Context().Done():
		}
	})
	c := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 100}}
	go func() {
		// New listeners for a minute and a half; each asks again and again.
		for i := 0; i < 90; i++ {
			go func() {
				for {
					get(context.Background(), c, url)
					time.Sleep(between(0, 500*time.Millisecond))
				}
			}()
			time.Sleep(time.Second)
		}
	}()
	seldom(time.Second, 3*time.Second, func() {
		select {
		case news <- "something":
		default:
		}
	})
}

func slowBackEnd() {
	stuck := make(chan int)
	start := time.Now()
	everySecond(4, func() {
		// Healthy for half a minute of each two, and then it does not answer in time.
		slow := int(time.Since(start).Seconds())%120 >= 30
		ctx, cancel := context.WithTimeout(context.Background(), between(20*time.Second, 30*time.Second))
		answer := make(chan int, 1)
		if !slow {
			go func() {
				time.Sleep(between(5*time.Millisecond, 50*time.Millisecond))
				answer <- 1
			}()
		}
		go func() {
			defer cancel()
			select {
			case <-answer:
			case <-stuck:
			case <-ctx.Done():
			}
		}()
	})
}

func busyServer() {
	url := serve(func(w http.ResponseWriter, _ *http.Request) {
		go audit()
		fmt.Fprintln(w, "done")
	})
	c := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 100}}
	everySecond(50, func() { go get(context.Background(), c, url) })
}

// audit writes down what was done after the answer was given.
func audit() { time.Sleep(heavyTail(500*time.Millisecond, 5*time.Second)) }
