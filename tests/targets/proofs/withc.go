//go:build cgo && withc

package main

/*
#include <stdint.h>
#include <stdlib.h>
static uintptr_t *keep(uintptr_t handle) { uintptr_t *p = malloc(64); p[3] = handle; return p; }
*/
import "C"

import (
	"os"
	"plugin"
	"runtime/cgo"
)

var inC []*C.uintptr_t

func init() {
	keeps("handle", func(s scene, thing interface{}) {
		inC = append(inC, C.keep(C.uintptr_t(cgo.NewHandle(thing))))
	})
	path := os.Getenv("KEEPER_PLUGIN")
	if path == "" {
		return
	}
	opened, err := plugin.Open(path)
	if err != nil {
		panic(err)
	}
	for _, name := range []string{"KeepInBSS", "KeepInData", "KeepInMap", "KeepOnStack", "KeepByTimer"} {
		symbol, err := opened.Lookup(name)
		if err != nil {
			panic(err)
		}
		keep := symbol.(func(interface{}))
		keeps("plugin-"+name, func(s scene, thing interface{}) { keep(thing) })
	}
}
