// Command layouts is never run. Its debug information is read by `cargo xtask layouts` to learn
// where the fields of the Go runtime's structures are, so it has to link in everything whose
// types gostray asks for: the linker drops the types that nothing uses.
//
// It must compile with every supported release, the oldest being Go 1.18.
package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"runtime/pprof"
	"sync"
	"time"
)

type record struct {
	lock  sync.Mutex
	rw    sync.RWMutex
	group sync.WaitGroup
	once  sync.Once
	pool  sync.Pool
	table sync.Map
	cond  *sync.Cond
	note  string
}

func main() {
	var r record
	r.cond = sync.NewCond(&r.lock)
	runtime.SetFinalizer(&r, func(r *record) { fmt.Println(r.note) })

	numbers := make(chan int, 4)
	done := make(chan struct{})
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()

	r.group.Add(1)
	go func() {
		defer r.group.Done()
		pprof.Do(ctx, pprof.Labels("part", "select"), func(ctx context.Context) {
			ticker := time.NewTicker(time.Millisecond)
			defer ticker.Stop()
			for {
				select {
				case n := <-numbers:
					r.table.Store(n, n)
				case <-ticker.C:
					r.cond.Broadcast()
				case <-ctx.Done():
					close(done)
					return
				}
			}
		})
	}()

	time.AfterFunc(time.Millisecond, func() { numbers <- 1 })
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt)

	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err == nil {
		go func() {
			conn, err := net.Dial("tcp", listener.Addr().String())
			fmt.Println(conn, err)
		}()
		conn, err := listener.Accept()
		fmt.Println(conn, err)
	}

	r.lock.Lock()
	r.cond.Wait()
	r.lock.Unlock()
	r.rw.RLock()
	r.rw.RUnlock()
	r.once.Do(func() { r.pool.Put(&r) })
	runtime.LockOSThread()
	runtime.GC()
	debug.SetGCPercent(50)
	pprof.Lookup("goroutine").WriteTo(os.Stdout, 1)
	pprof.WriteHeapProfile(os.Stdout)
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	fmt.Println(stats.HeapAlloc, runtime.NumGoroutine())
	<-done
	r.group.Wait()
}
