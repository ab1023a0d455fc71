// Package shapes is inlined into main from another file and package.
package shapes

// Apply calls f through two small functions that the compiler inlines.
func Apply(f func()) { apply(f) }

func apply(f func()) {
	f()
}

// List is a generic type with a method that is not inlined.
type List[T any] struct{ items []T }

//go:noinline
func (l *List[T]) Each(v T, f func()) {
	l.items = append(l.items, v)
	f()
}

// Map is a generic function.
//
//go:noinline
func Map[A, B any](in []A, f func(A) B) []B {
	var out []B
	for _, v := range in {
		out = append(out, f(v))
	}
	return out
}
