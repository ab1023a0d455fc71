package main

import (
	"runtime/debug"
	"syscall"
	"unsafe"
)

const page = 4096

// protected is a page in the midst of a goroutine's stack.
var protected uintptr

// bottom calls itself until the stack has n KiB and more, and tells where it ends.
//
//go:noinline
func bottom(n int, c chan uintptr) byte {
	var pad [1000]byte
	pad[n] = byte(n)
	if n == 0 {
		// Waiting once makes the stack as large as waiting needs: from then on it stays where it is.
		<-c
		c <- uintptr(unsafe.Pointer(&pad))
		<-c
		return pad[n]
	}
	return bottom(n-1, c) + pad[n]
}

// protect takes all rights away from a page of a stack. Until unprotect nothing may look at it: no
// collection, no dump.
func protect() {
	debug.SetGCPercent(-1)
	e, c := newEntry("protected"), make(chan uintptr)
	e.on(channel(c))
	go func() {
		e.enter()
		bottom(60, c)
	}()
	c <- 0
	// Ten pages lie between, so that the page has nothing but frames in it.
	protected = (<-c + 10*page) &^ (page - 1)
	settle()
	mprotect(0)
}

func unprotect() { mprotect(syscall.PROT_READ | syscall.PROT_WRITE) }

func mprotect(rights uintptr) {
	_, _, errno := syscall.RawSyscall(syscall.SYS_MPROTECT, protected, page, rights)
	if errno != 0 {
		panic(errno)
	}
}
