//go:build cgo

package main

// static int twice(int v) { return v * 2; }
// __attribute__((noinline)) int c_function(int v) { return twice(v) + 1; }
import "C"

func init() {
	if C.c_function(1) != 3 {
		panic("C does not compute")
	}
}
