package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand"
	"net"
	"net/http"
	"sync"
	"time"
)

func init() {
	healthy("heartbeats", "connections as of websockets come over two minutes up to 120 and stay, with a heartbeat every 5 s; some leave and are replaced", webSockets)
	healthy("uploads", "one upload a second begins, and each takes 50 to 80 s, with something to do every second", uploads)
	healthy("keep-alive", "an HTTP server and 60 clients whose connections stay open and are idle for most of the time", keepAlive)
	healthy("long-polling", "requests of an HTTP server that are answered after 25 s where nothing happens, and at once where something does", longPolling)
	healthy("slow-back-end", "requests wait for a back-end that has become slow, until their context is over after 20 to 30 s", slowBackEnd)
	healthy("busy-server", "an HTTP server with 50 requests a second, each with a goroutine that outlives it by a second or two", busyServer)
}

// freePort opens a port of its own on this machine.
func freePort() net.Listener {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	return listener
}

func webSockets() {
	clients := newHub(5 * time.Second)
	everySecond(1, func() {
		if clients.number() == 120 {
			return
		}
		// Most stay for ever; the others make room for new ones.
		stay := 24 * time.Hour
		if rand.Intn(8) == 0 {
			stay = between(10*time.Second, 40*time.Second)
		}
		clients.connect(stay)
	})
}

func uploads() {
	clients := newHub(time.Second)
	everySecond(1, func() { clients.connect(between(50*time.Second, 80*time.Second)) })
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

// hub holds one end of many connections, with a server at the other, and sends something on each
// of them in turn, until it is time to close it.
type hub struct {
	address string
	mu      sync.Mutex
	ends    map[net.Conn]time.Time
}

func newHub(period time.Duration) *hub {
	listener := freePort()
	go func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			go echo(connection)
		}
	}()
	h := &hub{address: listener.Addr().String(), ends: map[net.Conn]time.Time{}}
	go func() {
		for now := range time.Tick(period) {
			h.beat(now)
		}
	}()
	return h
}

func (h *hub) number() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.ends)
}

// connect opens one more, and keeps it open for so long.
func (h *hub) connect(stay time.Duration) {
	connection, err := net.Dial("tcp", h.address)
	if err != nil {
		panic(err)
	}
	h.mu.Lock()
	h.ends[connection] = time.Now().Add(stay)
	h.mu.Unlock()
	go func() { _, _ = io.Copy(io.Discard, connection) }()
}

func (h *hub) beat(now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for connection, end := range h.ends {
		if now.After(end) {
			delete(h.ends, connection)
			_ = connection.Close()
			continue
		}
		_, _ = io.WriteString(connection, "still here\n")
	}
}

// askFor asks and reads the answer to its end.
func askFor(ctx context.Context, c *http.Client, url string) {
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
	listener := freePort()
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
					askFor(context.Background(), c, url)
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
					askFor(context.Background(), c, url)
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
	everySecond(50, func() { go askFor(context.Background(), c, url) })
}

// audit writes down what was done after the answer was given.
func audit() { time.Sleep(heavyTail(500*time.Millisecond, 5*time.Second)) }
