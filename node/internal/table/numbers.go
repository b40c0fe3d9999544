package table

import (
	"slices"
	"sync/atomic"
)

// numbers gives small numbers to values that many cells refer to: rules and replicas. A number
// belongs to its value for as long as anybody uses it. The zero value is empty. at may be
// called at any time; everything else needs the shard's lock.
type numbers[T comparable] struct {
	values atomic.Pointer[[]T] // by number
	of     map[T]uint32
	uses   []uint32 // by number
	free   []uint32 // the numbers that nobody uses
	// held: values has some that nobody uses.
	held bool
}

// at is the value of a number, the zero T if there is no such number.
func (n *numbers[T]) at(i uint32) (v T) {
	if p := n.values.Load(); p != nil && int(i) < len(*p) {
		return (*p)[i]
	}
	return v
}

// use counts one more use of a value, and returns its number.
func (n *numbers[T]) use(v T) uint32 {
	i, some := n.of[v]
	if !some {
		i = n.add(v)
	}
	n.uses[i]++
	return i
}

// drop counts one use less.
func (n *numbers[T]) drop(i uint32) {
	if n.uses[i]--; n.uses[i] == 0 {
		delete(n.of, n.at(i))
		n.free = append(n.free, i)
		n.held = true
	}
}

// trim lets go of the values that nobody uses.
func (n *numbers[T]) trim() {
	switch {
	case !n.held:
		return
	case len(n.of) == 0:
		n.values.Store(nil)
		n.of, n.uses, n.free = nil, nil, nil
	default:
		next := n.used()
		n.values.Store(&next)
	}
	n.held = false
}

// used is a copy of the list without the values that nobody uses. Readers may hold the list.
func (n *numbers[T]) used() []T {
	next := slices.Clone(*n.values.Load())
	for _, unused := range n.free {
		var none T
		next[unused] = none
	}
	return next
}

// add numbers a value. Readers may hold the old list, so what they can see of it stays.
func (n *numbers[T]) add(v T) (i uint32) {
	var next []T
	if last := len(n.free) - 1; last >= 0 {
		i = n.free[last]
		next = n.used()
		n.free = n.free[:last]
		next[i] = v
	} else {
		if p := n.values.Load(); p != nil {
			next = *p
		}
		i = uint32(len(next)) //nolint:gosec // few
		next = append(next, v)
		n.uses = append(n.uses, 0)
	}
	if n.of == nil {
		n.of = map[T]uint32{}
	}
	n.of[v] = i
	n.values.Store(&next)
	return i
}

// size is how many values have a number.
func (n *numbers[T]) size() int { return len(n.of) }
