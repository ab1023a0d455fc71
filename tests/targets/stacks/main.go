// stacks parks goroutines that hold pointers in every way in which a stack can, and says which of them
// its own garbage collector takes to be live. Commands on stdin, an answer a line:
//
//	collect   runs the garbage collector until everything dead has been finalized
//	objects   LABEL:ADDRESS:SIZE:live or dead, for each object. What has "indirect" in its label may be
//	          reached through the heap.
package main

import (
	"bufio"
	"fmt"
	"os"
	"reflect"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"
)

type object struct {
	next *object
	pad  [250]uintptr
}

type entry struct {
	label  string
	hidden uintptr
}

var (
	mutex   sync.Mutex
	entries []entry
	dead    [1024]uint32
	ready   sync.WaitGroup
	never   = make(chan int)
	used    uint64
)

// note remembers where p is in a way that keeps it alive for nobody.
//
//go:noinline
func note(label string, p *object) {
	mutex.Lock()
	place := len(entries)
	entries = append(entries, entry{label, ^uintptr(unsafe.Pointer(p))})
	mutex.Unlock()
	runtime.SetFinalizer(p, func(*object) { atomic.StoreUint32(&dead[place], 1) })
}

//go:noinline
func create(label string) *object {
	p := new(object)
	note(label, p)
	return p
}

//go:noinline
func use(p *object) {
	if p != nil {
		atomic.AddUint64(&used, uint64(p.pad[3]))
	}
}

//go:noinline
func park() {
	ready.Done()
	<-never
}

func local() {
	p := create("local")
	park()
	use(p)
}

func localDead() {
	p := create("local not used again")
	use(p)
	park()
}

//go:noinline
func takes(p, q *object, n int) int {
	use(q)
	park()
	use(p)
	return n
}

func arguments() {
	takes(create("argument"), create("argument not used again"), 1)
}

//go:noinline
func takesMany(a, b, c, d, e, f, g, h, i, j, k, l *object) {
	park()
	use(l)
	use(a)
}

func manyArguments() {
	p := func(n int) *object { return create(fmt.Sprint("argument of many ", n)) }
	takesMany(p(1), p(2), p(3), p(4), p(5), p(6), p(7), p(8), p(9), p(10), p(11), p(12))
}

type pair struct {
	number int
	first  *object
	text   [3]string
	second *object
}

//go:noinline
func parksWith(p *pair) {
	park()
	use(p.second)
}

//go:noinline
func fill(p *pair, a, b *object) {
	p.first, p.second = a, b
}

func variable() {
	var p pair
	fill(&p, create("variable, first field"), create("variable, second field"))
	parksWith(&p)
}

func variableDead() {
	var p pair
	fill(&p, create("variable not used again"), nil)
	use(p.first)
	park()
}

type node struct {
	inside *node
	object *object
}

//go:noinline
func parksWithNode(n *node) {
	park()
	use(n.inside.inside.object)
}

func variablesInAChain() {
	var a, b, c node
	a.inside, b.inside = &b, &c
	c.object = create("variable behind two others")
	a.object = create("variable at the head")
	parksWithNode(&a)
}

func array() {
	var all [300]*object
	for n := 0; n < len(all); n += 100 {
		all[n] = create(fmt.Sprint("array ", n))
	}
	park()
	for _, p := range all[:] {
		use(p)
	}
}

//go:noinline
func parksWithSlice(all []*object) {
	park()
	use(all[0])
}

func slice() {
	var all [20]*object
	all[7] = create("slice of an array")
	parksWithSlice(all[5:9])
}

//go:noinline
func calls(f func()) {
	f()
}

func closure() {
	p := create("closure on the stack")
	calls(func() {
		park()
		use(p)
	})
}

func openDefer() {
	p := create("deferred in place")
	defer func() { use(p) }()
	park()
}

func deferOnStack(n int) {
	p, q := create("deferred on the stack"), create("deferred on the stack with arguments")
	for i := 0; i < 1; i++ {
		// A loop behind it keeps the compiler from deferring in place.
	}
	if n > 0 {
		defer func() { use(p) }()
	}
	defer use(q)
	defer func() {}()
	defer func() {}()
	defer func() {}()
	defer func() {}()
	defer func() {}()
	defer func() {}()
	defer func() {}()
	park()
}

func deferInHeap() {
	for n := 0; n < 3; n++ {
		p := create("indirect: deferred in a loop")
		defer func() { use(p) }()
	}
	q := create("indirect: deferred behind a loop")
	if used == 0 {
		defer func() { use(q) }()
	}
	park()
}

func panics() {
	p := create("below a panic")
	defer func() {
		q := create("in a call that a panic deferred")
		park()
		use(q)
		use(p)
		recover()
	}()
	panic("never printed")
}

func recovered() {
	p := create("behind a recovered panic")
	func() {
		defer func() { recover() }()
		panic("never printed")
	}()
	park()
	use(p)
}

func nilDereference() {
	p := create("below a fault")
	var none *object
	defer func() {
		park()
		use(p)
	}()
	use(none.next)
}

func selects() {
	p, q := create("during a select"), create("before a select")
	use(q)
	other := make(chan *object)
	ready.Done()
	select {
	case <-never:
	case other <- p:
	case p = <-other:
	}
	use(p)
}

func mutexes() {
	p, q := create("during a lock"), create("before a lock")
	use(q)
	var lock sync.Mutex
	lock.Lock()
	ready.Done()
	lock.Lock()
	use(p)
}

func waits() {
	p := create("during a wait for a condition")
	cond := sync.NewCond(new(sync.Mutex))
	cond.L.Lock()
	ready.Done()
	cond.Wait()
	use(p)
}

func sends() {
	c := make(chan *object)
	ready.Done()
	c <- create("being sent")
}

func reads() {
	p, q := create("during a system call"), create("before a system call")
	use(q)
	var pipe [2]int
	if err := syscall.Pipe(pipe[:]); err != nil {
		panic(err)
	}
	var buffer [8]byte
	ready.Done()
	syscall.Read(pipe[0], buffer[:])
	use(p)
}

func sleeps() {
	p := create("during a sleep")
	ready.Done()
	time.Sleep(time.Hour)
	use(p)
}

func reflects() {
	made := reflect.MakeFunc(reflect.TypeOf(use), func(arguments []reflect.Value) []reflect.Value {
		p := create("in a function made by reflect")
		park()
		use(p)
		use(arguments[0].Interface().(*object))
		return nil
	})
	made.Interface().(func(*object))(create("argument of a function made by reflect"))
}

func (p *object) Parks(q *object) {
	park()
	use(q)
	use(p)
}

func reflectCalls() {
	receiver, argument := create("receiver through reflect"), create("argument through reflect")
	method := reflect.ValueOf(receiver).MethodByName("Parks")
	method.Call([]reflect.Value{reflect.ValueOf(argument)})
}

func reflectMethodValue() {
	receiver, argument := create("receiver of a method value"), create("argument of a method value")
	method := reflect.ValueOf(receiver).MethodByName("Parks").Interface().(func(*object))
	method(argument)
}

func deep(n int, p *object) *object {
	var here [20]*object
	here[n%20] = p
	if n == 0 {
		park()
	} else {
		here[(n+1)%20] = deep(n-1, p)
	}
	use(here[n%20])
	return here[0]
}

func recursion() {
	p := create("deep recursion")
	deep(200, p)
}

func veryDeep() {
	p := create("very deep recursion")
	deep(20000, p)
}

//go:noinline
func parksWithAll(p *[15000]*object) {
	park()
	use(p[12345])
}

func large() {
	var p [15000]*object
	p[12345] = create("large variable")
	parksWithAll(&p)
}

//go:noinline
func parksWithMore(p *[40000]*object) {
	park()
	use(p[33333])
}

// From Go 1.24 on the compiler moves it to the heap.
func larger() {
	var p [40000]*object
	p[33333] = create("larger variable")
	parksWithMore(&p)
}

type generic[T any] struct {
	first  T
	second *T
}

//go:noinline
func parksIn[T any](g *generic[T], used func(T)) {
	park()
	used(g.first)
}

func generics() {
	g := generic[*object]{first: create("generic")}
	parksIn(&g, use)
}

type parker interface{ Parks(*object) }

//go:noinline
func through(p parker, q *object) { p.Parks(q) }

func interfaces() {
	through(create("receiver"), create("argument through an interface"))
}

func results() (p, q *object) {
	p = create("result")
	q = create("result of two")
	defer func() { use(q) }()
	park()
	return p, q
}

func main() {
	all := []func(){
		local, localDead, arguments, manyArguments, variable, variableDead, variablesInAChain, array,
		slice, closure, openDefer, func() { deferOnStack(1) }, deferInHeap, panics, recovered,
		nilDereference, selects, mutexes, waits, sends, reads, sleeps, reflects, reflectCalls,
		reflectMethodValue, recursion, veryDeep, large, larger, generics, interfaces, func() { results() },
	}
	ready.Add(len(all))
	for _, f := range all {
		go f()
	}
	ready.Wait()
	time.Sleep(100 * time.Millisecond)
	fmt.Println("READY stacks")
	commands := bufio.NewScanner(os.Stdin)
	for commands.Scan() {
		switch commands.Text() {
		case "collect":
			for n := 0; n < 5; n++ {
				runtime.GC()
				time.Sleep(20 * time.Millisecond)
			}
			fmt.Println("ok")
		case "objects":
			fmt.Println(objects())
		default:
			fmt.Println("error: no such command")
		}
	}
}

func objects() string {
	mutex.Lock()
	defer mutex.Unlock()
	var texts []string
	for n, e := range entries {
		state := "live"
		if atomic.LoadUint32(&dead[n]) != 0 {
			state = "dead"
		}
		text := fmt.Sprintf("%s:%d:%d:%s", e.label, ^e.hidden, unsafe.Sizeof(object{}), state)
		texts = append(texts, text)
	}
	return strings.Join(texts, ";")
}
