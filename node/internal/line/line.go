// Package line lets goroutines wait for one thing in the order in which they came. It has no
// clock, and starts nothing.
package line

import "sync"

// Lines are lines by key. The zero value has none. Safe for concurrent use. Its lock is held for
// as long as it takes to find somebody in one line.
type Lines[K comparable] struct {
	mu  sync.Mutex
	all map[K][]*Place
}

// Place is a place in a line. Woken has a signal when its holder comes first, and at each Wake
// while it is: it holds one signal, and more would say the same.
type Place struct{ Woken chan struct{} }

// Join takes the last place of a key's line; nil if that has most places already.
func (l *Lines[K]) Join(k K, most int64) *Place {
	l.mu.Lock()
	defer l.mu.Unlock()
	if int64(len(l.all[k])) >= most {
		return nil
	}
	if l.all == nil {
		l.all = map[K][]*Place{}
	}
	p := &Place{Woken: make(chan struct{}, 1)}
	l.all[k] = append(l.all[k], p)
	if len(l.all[k]) == 1 {
		p.wake()
	}
	return p
}

// Leave gives a place up. Whoever comes first then is woken.
func (l *Lines[K]) Leave(k K, p *Place) {
	l.mu.Lock()
	defer l.mu.Unlock()
	line := l.all[k]
	for i := range line {
		if line[i] != p {
			continue
		}
		if len(line) == 1 {
			delete(l.all, k)
			return
		}
		l.all[k] = append(line[:i], line[i+1:]...)
		if i == 0 {
			l.all[k][0].wake()
		}
		return
	}
}

// First reports whether a place is the first of its line.
func (l *Lines[K]) First(k K, p *Place) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	line := l.all[k]
	return len(line) > 0 && line[0] == p
}

// Wake wakes whoever comes first. It never blocks.
func (l *Lines[K]) Wake(k K) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if line := l.all[k]; len(line) > 0 {
		line[0].wake()
	}
}

func (p *Place) wake() {
	select {
	case p.Woken <- struct{}{}:
	default:
	}
}
