package main

import (
	"context"
	"os"
	"runtime/pprof"
	"strconv"
)

var siteLabelled = newLeakSite("leak: with pprof labels")

// labelled leaves n goroutines behind that inherit labels: tenant is 0, 1 or 2.
func labelled(n int) {
	g := current
	for i := 0; i < n; i++ {
		labels := pprof.Labels("endpoint", "/search", "tenant", strconv.Itoa(i%3))
		pprof.Do(context.Background(), labels, func(context.Context) {
			siteLabelled.willCreate()
			go waitLabelled(g)
		})
	}
	settle()
}

func waitLabelled(g *gate) {
	defer siteLabelled.enter()()
	<-g.quit
}

// profile writes the program's own goroutine profile.
func profile(path string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	if err := pprof.Lookup("goroutine").WriteTo(f, 0); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}
