package main

// Objects of many sizes, with the reference at many places: releases note in different ways where in an
// object references are, and those ways differ by size.
type (
	sized1 struct{ thing interface{} }
	sized3 struct {
		n     int
		thing interface{}
	}
	sized8 struct {
		pad   [5]uintptr
		thing interface{}
		tail  int
	}
	sized33 struct {
		pad   [30]uintptr
		thing interface{}
		tail  int
	}
	sized64 struct {
		pad   [61]uintptr
		thing interface{}
		tail  int
	}
	sized66 struct {
		pad   [63]uintptr
		thing interface{}
		tail  int
	}
	sized140 struct {
		first *int
		pad   [136]uintptr
		thing interface{}
		tail  int
	}
	sized900 struct {
		pad   [500]uintptr
		thing interface{}
		tail  [398]uintptr
	}
	sized4200 struct {
		name  string
		pad   [2000]uintptr
		thing interface{}
		tail  [2196]uintptr
	}
	sized70000 struct {
		rows [700][100]struct {
			n int
			p *int
		}
		thing interface{}
	}
	nested struct {
		a     [3]sized8
		b     [2]sized33
		inner struct {
			_     [7]byte
			items [2][2]sized3
		}
	}
)

var inSizes []interface{}

func init() {
	inSize := func(name string, make func(thing interface{}) interface{}) {
		keeps("size-"+name, func(s scene, thing interface{}) { inSizes = append(inSizes, make(thing)) })
	}
	inSize("1", func(t interface{}) interface{} { return &sized1{t} })
	inSize("3", func(t interface{}) interface{} { return &sized3{1, t} })
	inSize("8", func(t interface{}) interface{} { return &sized8{thing: t} })
	inSize("33", func(t interface{}) interface{} { return &sized33{thing: t} })
	inSize("64", func(t interface{}) interface{} { return &sized64{thing: t} })
	inSize("66", func(t interface{}) interface{} { return &sized66{thing: t} })
	inSize("140", func(t interface{}) interface{} { return &sized140{thing: t} })
	inSize("900", func(t interface{}) interface{} { return &sized900{thing: t} })
	inSize("4200", func(t interface{}) interface{} { return &sized4200{thing: t} })
	inSize("70000", func(t interface{}) interface{} { return &sized70000{thing: t} })
	inSize("nested", func(t interface{}) interface{} {
		n := new(nested)
		n.inner.items[1][1].thing = t
		return n
	})
	inSize("8-of-3", func(t interface{}) interface{} {
		all := make([]sized8, 3)
		all[2].thing = t
		return all
	})
	inSize("8-of-20", func(t interface{}) interface{} {
		all := make([]sized8, 20)
		all[19].thing = t
		return all
	})
	inSize("33-of-5", func(t interface{}) interface{} {
		all := make([]sized33, 5)
		all[4].thing = t
		return all
	})
	inSize("66-of-9", func(t interface{}) interface{} {
		all := make([]sized66, 9)
		all[7].thing = t
		return all
	})
	inSize("140-of-40", func(t interface{}) interface{} {
		all := make([]sized140, 40)
		all[33].thing = t
		return all
	})
	inSize("nested-of-100", func(t interface{}) interface{} {
		all := make([]nested, 100)
		all[91].b[1].thing = t
		return all
	})
	inSize("3-grown", func(t interface{}) interface{} {
		var all []sized3
		for i := 0; i < 100; i++ {
			all = append(all, sized3{n: i})
		}
		return append(all, sized3{101, t})
	})
	inSize("interfaces-of-30000", func(t interface{}) interface{} {
		all := make([]interface{}, 30000)
		all[29999] = t
		return all
	})
}
