//go:build go1.24

package main

import (
	"fmt"
	"runtime"
	"unsafe"
	"weak"
)

var weakPointer weak.Pointer[small]

func modern() {
	object := new(small)
	kept = append(kept, object)
	argument := new(node)
	runtime.AddCleanup(object, func(at *node) { at.decoy++ }, argument)
	results = append(results, fmt.Sprintf("cleanup %d 0 ", uintptr(unsafe.Pointer(argument))))
	target := new(small)
	kept = append(kept, target)
	weakPointer = weak.Make(target)
	results = append(results, fmt.Sprintf("weak %d 0 ", uintptr(unsafe.Pointer(target))))
}
