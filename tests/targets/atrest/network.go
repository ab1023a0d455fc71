package main

import (
	"net"
	"os"
	"syscall"
	"time"
)

// polled is what the network poller, or another poller of the runtime, watches.
func polled(c interface {
	SyscallConn() (syscall.RawConn, error)
}, protocol, local, remote string) func() wait {
	raw, err := c.SyscallConn()
	check(err)
	w := wait{Kinds: []string{"network"}, Protocol: protocol, Local: local, Remote: remote}
	check(raw.Control(func(fd uintptr) { w.FD = uint64(fd) }))
	return func() wait { return w }
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}

// pair is a connection's both ends.
func pair(network, address string) (client, server net.Conn) {
	listener, err := net.Listen(network, address)
	check(err)
	client, err = net.Dial(network, listener.Addr().String())
	check(err)
	server, err = listener.Accept()
	check(err)
	keep = append(keep, listener, client, server)
	return client, server
}

func tcp(c net.Conn) func() wait {
	return polled(c.(*net.TCPConn), "tcp", c.LocalAddr().String(), c.RemoteAddr().String())
}

// socketName is a name that no other process has; an @ stands for "not in the file system".
func socketName() string {
	file, err := os.CreateTemp("", "atrest")
	check(err)
	check(file.Close())
	check(os.Remove(file.Name()))
	return "@" + file.Name()
}

func init() {
	add("accept", func(e *entry) {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		check(err)
		e.on(polled(listener.(*net.TCPListener), "tcp", listener.Addr().String(), ""))
		go func() {
			e.enter()
			_, _ = listener.Accept()
		}()
	})
	add("read from TCP", func(e *entry) {
		client, _ := pair("tcp", "127.0.0.1:0")
		e.on(tcp(client))
		go read(e, client)
		// Another reader of the same connection waits for the first, not for the network.
		waitUntil(e, "IO wait")
		second := newEntry("second read from TCP")
		second.on(func() wait { return wait{Kinds: []string{"semaphore"}} })
		go read(second, client)
	})
	add("read with a deadline", func(e *entry) {
		_, server := pair("tcp", "127.0.0.1:0")
		check(server.SetReadDeadline(time.Now().Add(hours)))
		e.on(tcp(server))
		go read(e, server)
	})
	add("write to TCP", func(e *entry) {
		client, _ := pair("tcp", "127.0.0.1:0")
		e.on(tcp(client))
		go func() {
			e.enter()
			for {
				_, _ = client.Write(make([]byte, 1<<20))
			}
		}()
	})
	add("read from UDP", func(e *entry) {
		packets, err := net.ListenPacket("udp", "127.0.0.1:0")
		check(err)
		e.on(polled(packets.(*net.UDPConn), "udp", packets.LocalAddr().String(), ""))
		go func() {
			e.enter()
			_, _, _ = packets.ReadFrom(make([]byte, 10))
		}()
	})
	add("read from a unix socket", func(e *entry) {
		_, server := pair("unix", socketName())
		e.on(polled(server.(*net.UnixConn), "unix", server.LocalAddr().String(), ""))
		go read(e, server)
	})
	add("read from a pipe", func(e *entry) {
		reader, writer, err := os.Pipe()
		check(err)
		keep = append(keep, writer)
		e.on(polled(reader, "", "", ""))
		go func() {
			e.enter()
			_, _ = reader.Read(make([]byte, 10))
		}()
	})
	add("blocking system call", func(e *entry) {
		var fds [2]int
		check(syscall.Pipe(fds[:]))
		go func() {
			e.enter()
			_, _ = syscall.Read(fds[0], make([]byte, 10))
		}()
	})
}

func read(e *entry, c net.Conn) {
	e.enter()
	_, _ = c.Read(make([]byte, 10))
}
