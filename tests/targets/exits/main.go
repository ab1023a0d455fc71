// exits ends in the way it is told to, or changes under the feet of whoever watches it. Commands are
// lines on stdin; each that does not end the program is answered by one line on stdout.
package main

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

var churned int64

// churn keeps the probed functions busy, so that the end comes in the midst of hits.
func churn() {
	for {
		var group sync.WaitGroup
		for i := 0; i < 100; i++ {
			group.Add(1)
			go group.Done()
		}
		group.Wait()
		atomic.AddInt64(&churned, 100)
		time.Sleep(100 * time.Microsecond)
	}
}

// forks starts children one after the other: a child shares the breakpoint pages until it execs.
func forks(n int) error {
	for i := 0; i < n; i++ {
		if err := exec.Command("/bin/true").Run(); err != nil {
			return err
		}
	}
	return nil
}

func run(fields []string) error {
	switch fields[0] {
	case "exit":
		status := 0
		if len(fields) > 1 {
			status, _ = strconv.Atoi(fields[1])
		}
		os.Exit(status)
	case "panic":
		panic("told to")
	case "kill":
		return syscall.Kill(os.Getpid(), syscall.SIGKILL)
	case "exec":
		return syscall.Exec(fields[1], fields[1:], os.Environ())
	case "forks":
		n, err := strconv.Atoi(fields[1])
		if err != nil {
			return err
		}
		return forks(n)
	case "churned":
		fmt.Println(atomic.LoadInt64(&churned))
		return nil
	default:
		return fmt.Errorf("unknown command %q", fields[0])
	}
	fmt.Println("ok", strings.Join(fields, " "))
	return nil
}

// alternate becomes another program and that this one again, without end.
func alternate() {
	for i := 0; i < 3; i++ {
		go churn()
	}
	time.Sleep(time.Millisecond)
	args := []string{os.Args[2], "alternate", os.Args[0]}
	if err := syscall.Exec(args[0], args, append(os.Environ(), "AGAIN=1")); err != nil {
		panic(err)
	}
}

func main() {
	if os.Getenv("AGAIN") == "" {
		fmt.Printf("READY pid=%d\n", os.Getpid())
	}
	if len(os.Args) > 1 && os.Args[1] == "alternate" {
		alternate()
	}
	go churn()
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		fields := strings.Fields(in.Text())
		if len(fields) == 0 {
			continue
		}
		if err := run(fields); err != nil {
			fmt.Println("error", err)
		} else if fields[0] == "forks" {
			fmt.Println("ok forks")
		}
	}
}
