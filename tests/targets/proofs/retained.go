package main

import "runtime"

const mega = 1 << 20

var alsoHere [][]byte

type tree struct {
	left, right *tree
	payload     [6]int
}

func grown(depth int) *tree {
	if depth == 0 {
		return nil
	}
	return &tree{left: grown(depth - 1), right: grown(depth - 1)}
}

func init() {
	add("retained/own", func(s scene) {
		never := make(chan int)
		for i := 0; i < 4; i++ {
			me := s.leaks()
			go func() {
				me.here()
				held := make([]byte, mega)
				<-never
				runtime.KeepAlive(held)
			}()
		}
		s.retains(4 * mega)
	})
	add("retained/among-themselves", func(s scene) {
		never, held := make(chan int), make([]byte, 3*mega)
		for i := 0; i < 4; i++ {
			me := s.leaks()
			go func() {
				me.here()
				<-never
				runtime.KeepAlive(held)
			}()
		}
		s.retains(3 * mega)
	})
	add("retained/tree", func(s scene) {
		me, never := s.leaks(), make(chan int)
		go func() {
			me.here()
			// 2^15 - 1 objects of 64 bytes.
			held := grown(15)
			<-never
			runtime.KeepAlive(held)
		}()
		s.retains((1<<15 - 1) * 64)
	})
	add("retained/pointed-within", func(s scene) {
		me, never := s.leaks(), make(chan int)
		go func() {
			me.here()
			all := make([]byte, 2*mega)
			held := &all[mega]
			<-never
			runtime.KeepAlive(held)
		}()
		s.retains(2 * mega)
	})
	add("retained/in-channel", func(s scene) {
		me := s.leaks()
		go func() {
			me.here()
			full := make(chan []byte, 2)
			full <- make([]byte, mega)
			full <- make([]byte, mega)
			full <- nil
		}()
		s.retains(2 * mega)
	})
	add("retained/by-others-too", func(s scene) {
		me, never, held := s.leaks(), make(chan int), make([]byte, 5*mega)
		alsoHere = append(alsoHere, held)
		go func() {
			me.here()
			<-never
			runtime.KeepAlive(held)
		}()
		s.retains(0)
	})
	add("retained/waits-and-holds", func(s scene) {
		// It can be woken: what it holds is not lost.
		me := s.waits()
		go func() {
			me.here()
			held := make([]byte, mega)
			<-crowd
			runtime.KeepAlive(held)
		}()
	})
	add("retained/shared", func(s scene) {
		never, held := make(chan int), make([]byte, 8*mega)
		one, two := s.leaks(), s.leaks()
		go func() {
			one.here()
			<-never
			runtime.KeepAlive(held)
		}()
		go func() {
			two.here()
			<-make(chan string)
			runtime.KeepAlive(held)
		}()
		s.retains(0)
		shares(string(s), 8*mega)
	})
}
