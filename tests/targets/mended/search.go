//go:build !moved

package main

// search asks two, and waits for neither.
func search() {
	first, second := room(true), room(false)
	go deliver(first)
	go deliver(second) // leaks
}
