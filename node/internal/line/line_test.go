package line_test

import (
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/line"
)

func woken(p *line.Place) bool {
	select {
	case <-p.Woken:
		return true
	default:
		return false
	}
}

func TestWhoeverComesFirstIsWokenFirst(t *testing.T) {
	var l line.Lines[string]
	a, b, c := l.Join("k", 3), l.Join("k", 3), l.Join("k", 3)
	if l.Join("k", 3) != nil {
		t.Error("a fourth fits into a line of three")
	}
	if !woken(a) || woken(b) || woken(c) || !l.First("k", a) || l.First("k", b) {
		t.Error("not the first alone is woken")
	}
	l.Wake("other")
	if woken(a) {
		t.Error("a is woken for another key")
	}
	l.Wake("k")
	l.Leave("k", b) // it gave up
	if !woken(a) || woken(c) {
		t.Error("the wrong one is woken")
	}
	l.Leave("k", a)
	if !woken(c) || !l.First("k", c) {
		t.Error("nobody is woken when the first leaves")
	}
	l.Leave("k", c)
	l.Leave("k", c)
	if d := l.Join("k", 1); d == nil || !woken(d) {
		t.Error("the line is not empty")
	}
}

func TestLinesServeInOrderWhoeverWaits(t *testing.T) {
	var l line.Lines[int]
	var mu sync.Mutex
	var served []int
	var all sync.WaitGroup
	for i := range 50 {
		p := l.Join(1, 100)
		all.Go(func() {
			for !l.First(1, p) {
				select {
				case <-p.Woken:
				case <-time.After(30 * time.Second):
					t.Error("not woken")
					return
				}
			}
			mu.Lock()
			served = append(served, i)
			mu.Unlock()
			l.Leave(1, p)
		})
	}
	all.Wait()
	if !slices.IsSorted(served) || len(served) != 50 {
		t.Errorf("served %v", served)
	}
}
