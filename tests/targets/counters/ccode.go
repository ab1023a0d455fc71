//go:build cgo && withc

package main

/*
#cgo LDFLAGS: -lpthread
#include <pthread.h>
extern void goCallback(void);
static void *in_thread(void *unused) { goCallback(); return unused; }
static void call_back(void) { goCallback(); }
static int call_back_from_thread(void) {
	pthread_t t;
	int err = pthread_create(&t, 0, in_thread, 0);
	return err ? err : pthread_join(t, 0);
}
*/
import "C"

var siteCallback = newSite("callback from C")

// init adds goroutines made by Go code that C calls: on the calling thread, and now and then on a
// thread that C started, which the runtime lends a goroutine it did not create the usual way.
func init() {
	calls := 0
	moreKinds = append(moreKinds, func(k slots) {
		siteCallback.willCreate()
		if calls++; calls%1000 != 0 {
			C.call_back()
		} else if err := C.call_back_from_thread(); err != 0 {
			panic(err)
		}
	})
}
