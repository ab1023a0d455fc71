// keeper is a plugin: it keeps things in a module's data that is not the program's.
package main

import "time"

var (
	inBSS  [4000]interface{}
	used   int
	inData = []interface{}{"nothing"}
	last   interface{}
	inMap  = map[string]interface{}{}
)

// KeepInBSS keeps it in what the linker left empty.
func KeepInBSS(thing interface{}) {
	inBSS[used] = thing
	used++
}

// KeepInData keeps it behind what the linker filled.
func KeepInData(thing interface{}) { inData = append(inData, thing) }

// KeepInMap keeps it in a map.
func KeepInMap(thing interface{}) { inMap[string(rune(len(inMap)))] = thing }

// KeepOnStack keeps it on the stack of a goroutine whose code is the plugin's.
func KeepOnStack(thing interface{}) {
	ready := make(chan bool)
	go func() {
		ready <- true
		time.Sleep(1000 * time.Hour)
		last = thing
	}()
	<-ready
}

// KeepByTimer keeps it in what a timer calls.
func KeepByTimer(thing interface{}) {
	time.AfterFunc(time.Hour, func() {
		last = thing
	})
}

func main() {}
