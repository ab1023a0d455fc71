package main

import (
	"context"
	"errors"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

func init() {
	leaks("wait-group", "wait_group", "a worker that fails returns without Done", waitGroup)
	register(scenario{
		"errgroup", "members of a group send to whoever left at the first error",
		[]leak{
			{Marker: "errgroup", Pattern: "errgroup", WithinSeconds: 60},
			{Marker: "errgroup-member", Pattern: "errgroup", In: "golang.org/x/sync/errgroup.(*Group).Go", WithinSeconds: 60},
		},
		errGroup,
	})
	leaks("mutex", "mutex", "a lock of one of several accounts is not given back where something fails", mutex)
	leaks("cond", "cond", "those who wait for a queue are not woken when it is closed", cond)
}

func waitGroup() {
	beside()
	var turn inTurn
	everySecond(10, func() {
		fails := turn.fails()
		var group sync.WaitGroup
		group.Add(2)
		for n := 0; n < 2; n++ {
			n := n
			go func() {
				if n == 1 && fails {
					return // without Done
				}
				group.Done()
			}()
		}
		go func() { // leaks: wait-group
			group.Wait()
		}()
	})
}

var errRefused = errors.New("refused")

func errGroup() {
	beside()
	var turn inTurn
	everySecond(6, func() {
		fails := turn.fails()
		go gather(fails) // leaks: errgroup
	})
}

func gather(fails bool) {
	group, _ := errgroup.WithContext(context.Background())
	results := make(chan int)
	for n := 0; n < 2; n++ {
		n := n
		group.Go(func() error { // leaks: errgroup-member
			results <- n
			return nil
		})
	}
	group.Go(func() error {
		<-results
		if fails {
			return errRefused
		}
		<-results
		return nil
	})
	_ = group.Wait()
}

type account struct {
	lock    sync.Mutex
	balance int
}

func (a *account) withdraw(amount int) {
	a.lock.Lock()
	if a.balance < amount {
		return // without Unlock
	}
	a.balance -= amount
	a.lock.Unlock()
}

func mutex() {
	beside()
	poor, rich := &account{balance: 2}, &account{balance: 1 << 60}
	everySecond(5, func() {
		for _, a := range []*account{poor, rich} {
			a := a
			go func() { // leaks: mutex
				a.withdraw(1)
			}()
		}
	})
}

type queue struct {
	sync.Mutex
	changed *sync.Cond
	items   []int
	closed  bool
}

func (q *queue) take() {
	q.Lock()
	defer q.Unlock()
	for len(q.items) == 0 && !q.closed {
		q.changed.Wait()
	}
	if len(q.items) > 0 {
		q.items = q.items[1:]
	}
}

func cond() {
	beside()
	var turn inTurn
	everySecond(10, func() {
		q := new(queue)
		q.changed = sync.NewCond(q)
		go q.take() // leaks: cond
		if turn.fails() {
			time.Sleep(20 * time.Millisecond)
			q.Lock()
			q.closed = true // and nobody is told
			q.Unlock()
			return
		}
		q.Lock()
		q.items = append(q.items, 1)
		q.Unlock()
		q.changed.Signal()
	})
}
