package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
)

func init() {
	leaks("network", "network_without_deadline", "clients of a server that does not answer all of them read without a deadline", readers)
	register(scenario{
		"http-hangs", "requests to a server that does not answer, by a client without a limit",
		[]leak{
			{Marker: "http-hangs", Pattern: "network_without_deadline", WithinSeconds: 60},
			// Each connection has two goroutines of its own.
			{Marker: "http-hangs-connection", Pattern: "network_without_deadline", In: "net/http.(*Transport).dialConn", WithinSeconds: 60},
		},
		hangs,
	})
	leaksIn("net/http.(*Transport).dialConn", "http-body", "http_body_not_closed", "responses are dropped without closing their bodies where the status is bad", bodies)
}

// kept holds what is not to be collected, and so not closed.
var kept struct {
	sync.Mutex
	connections []net.Conn
}

func keep(c net.Conn) {
	kept.Lock()
	defer kept.Unlock()
	kept.connections = append(kept.connections, c)
}

// listen answers each connection by a goroutine that ends, and returns where.
func listen(answer func(net.Conn)) string {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	go func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				panic(err)
			}
			go answer(connection)
		}
	}()
	return listener.Addr().String()
}

func readers() {
	beside()
	address := listen(func(c net.Conn) {
		hello := make([]byte, 1)
		if _, err := c.Read(hello); err == nil && hello[0] == 'a' {
			_, _ = c.Write(hello)
			_ = c.Close()
			return
		}
		keep(c)
	})
	var turn inTurn
	everySecond(6, func() {
		hello := "a"
		if turn.fails() {
			hello = "b"
		}
		go ask(address, hello) // leaks: network
	})
}

func ask(address, hello string) {
	connection, err := net.Dial("tcp", address)
	if err != nil {
		return
	}
	defer connection.Close()
	if _, err := io.WriteString(connection, hello); err != nil {
		return
	}
	_, _ = connection.Read(make([]byte, 1))
}

// web answers requests: "/good" with a whole body and the end of the connection, "/bad" with the
// beginning of a long one, and "/never" not at all.
func web() string {
	return "http://" + listen(func(c net.Conn) {
		request, err := http.ReadRequest(bufio.NewReader(c))
		if err != nil {
			_ = c.Close()
			return
		}
		switch request.URL.Path {
		case "/good":
			fmt.Fprint(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
			_ = c.Close()
		case "/bad":
			fmt.Fprint(c, "HTTP/1.1 500 Sorry\r\nContent-Length: 100000\r\n\r\nsorry, because")
			keep(c)
		default:
			keep(c)
		}
	})
}

func fetch(url string) {
	response, err := http.Get(url) // leaks: http-body
	if err != nil {
		return
	}
	if response.StatusCode != http.StatusOK {
		return // without closing it
	}
	defer response.Body.Close()
	_, _ = io.Copy(io.Discard, response.Body)
}

func bodies() {
	beside()
	server := web()
	var turn inTurn
	everySecond(6, func() {
		if turn.fails() {
			go fetch(server + "/bad")
		} else {
			go fetch(server + "/good")
		}
	})
}

func hangs() {
	beside()
	server := web()
	var turn inTurn
	everySecond(6, func() {
		url := server + "/good"
		if turn.fails() {
			url = server + "/never"
		}
		go get(url) // leaks: http-hangs
	})
}

func get(url string) {
	response, err := http.Get(url) // leaks: http-hangs-connection
	if err != nil {
		return
	}
	defer response.Body.Close()
	_, _ = io.Copy(io.Discard, response.Body)
}
