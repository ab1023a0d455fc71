//go:build cgo && withc

package main

import "C"

var (
	fromC  = make(chan func(), 1)
	inFrom = make(chan bool)
)

// waitForCallback keeps two callbacks from taking each other's function.
func waitForCallback() { <-inFrom }

//export waitCalledFromC
func waitCalledFromC() {
	f := <-fromC
	inFrom <- true
	f()
}
