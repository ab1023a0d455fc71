package main

import (
	"sync"
	"time"
)

func init() {
	leaks("fan-out", "unbounded_fan_out", "a goroutine for each job, of which a semaphore lets through fewer than come", fanOut)
	leaks("fan-out-lock", "unbounded_fan_out", "a goroutine for each job, of which a lock lets through fewer than come", fanOutLock)
}

func fanOut() {
	beside()
	slots := make(chan struct{}, 2)
	everySecond(12, func() {
		go func() { // leaks: fan-out
			slots <- struct{}{}
			defer func() { <-slots }()
			time.Sleep(250 * time.Millisecond)
		}()
	})
}

func fanOutLock() {
	beside()
	var lock sync.Mutex
	everySecond(12, func() {
		go func() { // leaks: fan-out-lock
			lock.Lock()
			defer lock.Unlock()
			time.Sleep(125 * time.Millisecond)
		}()
	})
}
