//go:build cgo && withc

package main

import "C"

//export goCallback
func goCallback() { go withArgs(siteCallback, currentSlots, 3) }
