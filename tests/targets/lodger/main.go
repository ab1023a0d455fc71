// lodger is one of many programs of a machine: most of the time it does nothing. Commands on stdin, an answer a
// line; it ends with its input:
//
//	idle N       N goroutines that wait
//	create N     from now on N goroutines a second that end at once
//	leak N       from now on N goroutines a second are lost
//	exec PATH    becomes the program at PATH, whose answer is the next line
//	become PATH  says ok, and becomes the program at PATH, which has all that comes after that
//	exit         ends
package main

import (
	"bufio"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

func idle() { <-make(chan int) }

func short() {}

func lost(never chan int) { never <- 1 }

func create(perSecond int) {
	for range time.Tick(100 * time.Millisecond) {
		for n := 0; n < perSecond/10; n++ {
			go short()
		}
	}
}

func leak(perSecond int) {
	for range time.Tick(time.Second / time.Duration(perSecond)) {
		go lost(make(chan int)) // leaks
	}
}

func obey(words []string) string {
	number := 0
	if len(words) > 1 {
		number, _ = strconv.Atoi(words[1])
	}
	switch words[0] {
	case "idle":
		for n := 0; n < number; n++ {
			go idle()
		}
	case "create":
		go create(number)
	case "leak":
		go leak(number)
	case "exec", "become":
		if words[0] == "become" {
			fmt.Println("ok")
		}
		return "error: " + syscall.Exec(words[1], words[1:], os.Environ()).Error()
	case "exit":
		os.Exit(0)
	default:
		return "error: no such command"
	}
	return "ok"
}

func main() {
	fmt.Println("READY lodger")
	commands := bufio.NewScanner(os.Stdin)
	for commands.Scan() {
		fmt.Println(obey(strings.Fields(commands.Text())))
	}
}
