// A program that prints what its own runtime says about its program counters: the oracle for
// gostray's symbolizer. Output goes to stderr:
//
//	base <entry of main.main>
//	frame <return address> <function>|<file>|<line>
//	pc <address> <function>|<file>|<line>
package main

import (
	"runtime"

	"example.com/symbols/shapes"
)

var out []byte

func hex(v uintptr) {
	const digits = "0123456789abcdef"
	for shift := 60; shift >= 0; shift -= 4 {
		out = append(out, digits[v>>uint(shift)&15])
	}
}

func decimal(v int) {
	if v >= 10 {
		decimal(v / 10)
	}
	out = append(out, byte('0'+v%10))
}

func line(kind string, pc uintptr, function, file string, n int) {
	out = append(out, kind...)
	out = append(out, ' ')
	hex(pc)
	out = append(out, ' ')
	out = append(out, function...)
	out = append(out, '|')
	out = append(out, file...)
	out = append(out, '|')
	decimal(n)
	out = append(out, '\n')
}

//go:noinline
func report() {
	var pcs [64]uintptr
	n := runtime.Callers(0, pcs[:])
	out = append(out, "stack\n"...)
	frames := runtime.CallersFrames(pcs[:n])
	for {
		frame, more := frames.Next()
		line("frame", frame.PC+1, frame.Function, frame.File, frame.Line)
		if !more {
			break
		}
	}
}

// sweep asks the runtime about addresses all over the program, from main.main down.
func sweep(from uintptr) {
	for pc := from + 64; ; pc -= 13 {
		f := runtime.FuncForPC(pc)
		if f == nil {
			break
		}
		file, n := f.FileLine(pc)
		line("pc", pc, f.Name(), file, n)
	}
}

type thing struct{ name string }

func (t thing) value(int)    { report() }
func (t *thing) pointer(int) { report(); done <- t.name != "" }

type runner interface{ pointer(int) }

type embedding struct{ *thing }

var done = make(chan bool)

//go:noinline
func worker(v int) { report(); done <- v > 0 }

func small(v int) { done <- v > 0 }

//go:noinline
func startWorker() { go worker(1); <-done }

//go:noinline
func startInlined() { go small(1); <-done }

//go:noinline
func startMethod(t *thing) { go t.pointer(1); <-done }

//go:noinline
func startInterface(r runner) { go r.pointer(1); <-done }

//go:noinline
func startLiteral() {
	go func(v int) { done <- v > 0 }(1)
	<-done
}

//go:noinline
func startPlain() {
	go func() { done <- true }()
	<-done
}

func main() {
	entry := runtime.FuncForPC(pcOfMain()).Entry()
	out = append(out, "base "...)
	hex(entry)
	out = append(out, '\n')
	report()
	shapes.Apply(report)
	shapes.Apply(func() { shapes.Apply(func() { report() }) })
	var list shapes.List[string]
	list.Each("x", report)
	shapes.Map([]int{1}, func(v int) string { report(); return "" })
	var r interface{ value(int) } = &embedding{&thing{"a"}}
	r.value(1)
	f := (&thing{"b"}).value
	f(1)
	func() {
		defer func() { recover(); report() }()
		var none *thing
		_ = none.name
	}()
	startWorker()
	startInlined()
	startMethod(&thing{"c"})
	startInterface(&thing{"d"})
	startLiteral()
	startPlain()
	sweep(entry)
	for len(out) > 0 {
		// Longer writes to a pipe may be cut short by a signal, and print does not go on.
		n := 4096
		if n > len(out) {
			n = len(out)
		}
		print(string(out[:n]))
		out = out[n:]
	}
}

//go:noinline
func pcOfMain() uintptr {
	var pcs [1]uintptr
	runtime.Callers(2, pcs[:])
	return pcs[0] - 1
}
