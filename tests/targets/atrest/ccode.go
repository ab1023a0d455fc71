//go:build cgo && withc

package main

/*
#cgo LDFLAGS: -lpthread
#include <pthread.h>
#include <unistd.h>

extern void waitCalledFromC(void);

static void block(void) { for (;;) pause(); }
static void call_back(int n) { if (n) call_back(n - 1); else waitCalledFromC(); }
static void *in_thread(void *unused) { waitCalledFromC(); return unused; }
static int call_back_from_thread(void) {
	pthread_t t;
	return pthread_create(&t, 0, in_thread, 0);
}
*/
import "C"

func init() {
	add("in C", func(e *entry) {
		go func() {
			e.enter()
			C.block()
		}()
	})
	add("called from C", func(e *entry) {
		c := make(chan int)
		e.on(channel(c))
		go func() {
			// The runtime locks it to its thread while C calls Go.
			fromC <- func() { e.locked(); <-c }
			C.call_back(3)
		}()
		waitForCallback()
	})
	add("called from a thread of C", func(e *entry) {
		c := make(chan int)
		e.on(channel(c))
		e.Parent = 0
		go func() {
			fromC <- func() { e.locked(); <-c }
		}()
		if err := C.call_back_from_thread(); err != 0 {
			panic(err)
		}
		waitForCallback()
	})
}
