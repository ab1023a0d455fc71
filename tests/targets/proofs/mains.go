package main

import (
	"fmt"
	"os"
	"os/signal"
	"strconv"
)

// waitInMain has the main goroutine wait, and another one obey.
func waitInMain(how string) {
	held, others := make(chan int), make(chan int)
	kept := scene("main/" + how)
	var me member
	if how == "signal" {
		me = kept.waits()
	} else {
		me = kept.leaks()
	}
	go func() {
		me.here()
		<-held
	}()
	main := scene("main")
	var mine member
	switch how {
	case "done":
		mine = main.leaks()
	case "signal":
		mine = main.waits()
	default:
		// It is as if leaked, but nobody wants to be told so.
		mine = main.helps()
	}
	mine.here()
	go serve()
	fmt.Println("READY pid=" + strconv.Itoa(os.Getpid()))
	defer close(held)
	switch how {
	case "select":
		select {}
	case "done":
		<-others
	case "signal":
		end := make(chan os.Signal, 1)
		signal.Notify(end, os.Interrupt)
		<-end
	}
}
