package main

import (
	"reflect"
	"sync"
	"sync/atomic"
	"unsafe"
)

type link struct {
	next  *link
	thing interface{}
	n     int
}

type boxed struct {
	a, b  int
	thing interface{}
}

type keyed struct {
	n     int
	thing interface{}
}

type counted struct {
	thing interface{}
	count int
}

func (b *boxed) wake() { touch(b.thing) }

// touch is what nobody ever gets to.
//
//go:noinline
func touch(thing interface{}) {
	if address(thing) == 1 {
		panic("an odd address")
	}
}

// All of these are roots.
var (
	inSlice     []interface{}
	inList      *link
	inMapValue  = map[int]interface{}{}
	inMapKey    = map[interface{}]bool{}
	inMapStruct = map[keyed]*boxed{}
	inLargeMap  = map[string]interface{}{}
	inMapOfMaps = map[int]map[string][]interface{}{}
	inMapArray  = map[int][40]interface{}{}
	inInterface []interface{ wake() }
	inClosure   []func()
	inMethod    []func()
	inMiddle    [][]interface{}
	beyond      [][]interface{}
	interior    []*int
	inArray     [4000]interface{}
	inArrayUsed int
	inValue     atomic.Value
	inUnsafe    []unsafe.Pointer
	inSyncMap   sync.Map
	inPool      = sync.Pool{}
	inBuffer    = make(chan interface{}, 10000)
	inBufferOf  = make(chan [3]interface{}, 10000)
	inPointers  **link
	inData      = []*boxed{{a: 1}, {a: 2}}
	inChannels  []chan chan interface{}
	inStrings   = map[string]*[]interface{}{}
)

func init() {
	keeps("slice", func(s scene, thing interface{}) { inSlice = append(inSlice, thing) })
	keeps("list", func(s scene, thing interface{}) { inList = &link{inList, thing, 1} })
	keeps("map-value", func(s scene, thing interface{}) { inMapValue[len(inMapValue)] = thing })
	keeps("map-key", func(s scene, thing interface{}) { inMapKey[thing] = true })
	keeps("map-struct-key", func(s scene, thing interface{}) { inMapStruct[keyed{1, thing}] = nil })
	keeps("map-struct-value", func(s scene, thing interface{}) {
		inMapStruct[keyed{len(inMapStruct), nil}] = &boxed{1, 2, thing}
	})
	keeps("map-large", func(s scene, thing interface{}) {
		inLargeMap[string(s)] = thing
		for i := 0; i < 200; i++ {
			inLargeMap[string(s)+string(rune('a'+i))] = nil
		}
	})
	keeps("map-of-maps", func(s scene, thing interface{}) {
		inMapOfMaps[len(inMapOfMaps)] = map[string][]interface{}{"x": {nil, thing}}
	})
	keeps("map-indirect", func(s scene, thing interface{}) {
		var row [40]interface{}
		row[33] = thing
		inMapArray[len(inMapArray)] = row
	})
	keeps("interface", func(s scene, thing interface{}) {
		inInterface = append(inInterface, &boxed{1, 2, thing})
	})
	keeps("boxed", func(s scene, thing interface{}) { inSlice = append(inSlice, boxed{1, 2, thing}) })
	keeps("closure", func(s scene, thing interface{}) {
		inClosure = append(inClosure, func() { touch(thing) })
	})
	keeps("method", func(s scene, thing interface{}) {
		inMethod = append(inMethod, (&boxed{1, 2, thing}).wake)
	})
	keeps("slice-middle", func(s scene, thing interface{}) {
		all := make([]interface{}, 64)
		all[40] = thing
		inMiddle = append(inMiddle, all[10:12:12])
	})
	keeps("slice-beyond-length", func(s scene, thing interface{}) {
		all := make([]interface{}, 3, 9)
		all[2] = thing
		beyond = append(beyond, all[:0])
	})
	keeps("interior", func(s scene, thing interface{}) {
		interior = append(interior, &(&counted{thing: thing}).count)
	})
	keeps("array", func(s scene, thing interface{}) {
		inArray[inArrayUsed] = thing
		inArrayUsed++
	})
	keeps("data", func(s scene, thing interface{}) {
		inData[1].thing = &link{nil, thing, 1}
		inData = append(inData, &boxed{3, 4, inData[1].thing})
	})
	keeps("value", func(s scene, thing interface{}) {
		old, _ := inValue.Load().(*link)
		inValue.Store(&link{old, thing, 1})
	})
	keeps("unsafe", func(s scene, thing interface{}) {
		inUnsafe = append(inUnsafe, unsafe.Pointer(&boxed{1, 2, thing}))
	})
	keeps("sync-map", func(s scene, thing interface{}) { inSyncMap.Store(string(s), thing) })
	keeps("pool", func(s scene, thing interface{}) {
		// A leaked goroutine has it until the collections are past.
		hold := make(chan interface{}, 1)
		hold <- thing
		after(func() { inPool.Put(<-hold) })
	})
	keeps("buffer", func(s scene, thing interface{}) { inBuffer <- thing })
	keeps("buffer-of-arrays", func(s scene, thing interface{}) { inBufferOf <- [3]interface{}{1: thing} })
	keeps("channel-of-channels", func(s scene, thing interface{}) {
		inner, outer := make(chan interface{}, 1), make(chan chan interface{}, 4)
		inner <- thing
		outer <- inner
		inChannels = append(inChannels, outer)
	})
	keeps("pointers", func(s scene, thing interface{}) {
		first := &link{nil, thing, 1}
		if inPointers != nil {
			first.next = *inPointers
		}
		inPointers = &first
	})
	keeps("made-by-reflection", func(s scene, thing interface{}) {
		field := reflect.StructField{Name: "Thing", Type: reflect.TypeOf(&thing).Elem()}
		kind := reflect.StructOf([]reflect.StructField{
			{Name: "Pad", Type: reflect.ArrayOf(5, reflect.TypeOf(1))}, field,
		})
		made := reflect.New(kind)
		made.Elem().Field(1).Set(reflect.ValueOf(thing))
		inSlice = append(inSlice, made.Interface())
		inMapValue[len(inMapValue)] = reflect.New(reflect.ArrayOf(300, kind)).Interface()
	})
	keeps("made-array-by-reflection", func(s scene, thing interface{}) {
		made := reflect.New(reflect.ArrayOf(700, reflect.TypeOf(boxed{})))
		made.Elem().Index(650).Set(reflect.ValueOf(boxed{1, 2, thing}))
		inSlice = append(inSlice, made.Interface())
	})
	loses("nobody", func(s scene, thing interface{}) {})
	loses("dropped-map", func(s scene, thing interface{}) {
		inLargeMap["dropped"] = map[int]interface{}{1: thing}
		delete(inLargeMap, "dropped")
	})
	loses("leaked-stack", func(s scene, thing interface{}) {
		me, never := s.leaks(), make(chan int)
		go func() {
			me.here()
			<-never
			touch(thing)
		}()
	})
	loses("leaked-argument", func(s scene, thing interface{}) {
		go waitHolding(s.leaks(), make(chan string), thing)
	})
	loses("leaked-heap", func(s scene, thing interface{}) {
		go waitHolding(s.leaks(), make(chan string), &link{&link{nil, thing, 2}, nil, 1})
	})
	loses("leaked-cycle", func(s scene, thing interface{}) {
		a, b := make(chan interface{}), make(chan interface{})
		one, two := s.leaks(), s.leaks()
		go func() {
			one.here()
			b <- <-a
		}()
		go func() {
			two.here()
			a <- <-b
			touch(thing)
		}()
	})
}

//go:noinline
func waitHolding(me member, never chan string, thing interface{}) {
	me.here()
	<-never
	touch(thing)
}
