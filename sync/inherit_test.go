package sync

import (
	"testing"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
)

func TestWhoComesLaterLearnsWhatWasMissingBefore(t *testing.T) {
	const second = int64(1e9)
	missing := func(of crdt.Replica, began, ended int64) Missing {
		return Missing{of, Span{Began: began, Ended: ended}}
	}
	p := newProbe(t, func(c *Config) { c.Alone = true })
	p.run(50 * second)
	p.tells(2, 500*second, 0, missing(7, 100*second, 60*second), missing(8, 40*second, 0), missing(1, 30*second, 20*second))
	p.want("it was over before we came", 7, [2]int64{100, 60})
	p.want("it is silent, and we never heard it", 8, [2]int64{40, 0})
	p.want("we know ourselves what we admitted", 1)
	p.tick(second)
	p.tells(2, 501*second, 0, missing(7, 101*second+second/2, 61*second+second/2), missing(8, 41*second, 0))
	p.want("the same again, not quite at the same time", 7, [2]int64{101, 61})
	p.tells(3, 501*second, 0, missing(7, 120*second, 119*second))
	p.want("another one of it", 7, [2]int64{120, 119}, [2]int64{101, 61})
	p.beat(8, 0, false)
	p.want("it is heard at last: then its silence is ours to know", 8, [2]int64{51, 0}, [2]int64{0, 0})

	p.tells(2, 501*second, 0, missing(9, 10*second, 0))
	p.want("another one is silent", 9, [2]int64{10, 0})
	p.run(4 * second)
	p.want("nobody tells of it any more", 9, [2]int64{14, 4})
}

// A node that was there knows better than those who tell.
func TestWhatWeHeardOurselvesWeKnowBetter(t *testing.T) {
	p := newHearing(t)
	p.run(100e9)
	p.beat(2, 0, false)
	got := len(p.spansOf(2))
	p.tells(3, 500e9, 0, Missing{2, Span{Began: 50e9, Ended: 40e9}}, Missing{2, Span{Began: 50e9}})
	if len(p.spansOf(2)) != got {
		t.Errorf("%v", p.spansOf(2))
	}
}

// Nobody can make a node keep, or tell, more than fits.
func TestMissingIsCapped(t *testing.T) {
	p := newProbe(t, func(c *Config) { c.Alone = true })
	p.run(50e9)
	for i := range int64(4 * MaxPeers) {
		p.tells(2, 500e9, 0, Missing{crdt.Replica(100 + i), Span{Began: 10e9 + i}}, Missing{crdt.Replica(9000 + i), Span{Began: 100e9, Ended: 60e9 + i}})
	}
	ms := &p.engine.members
	if len(ms.inherited) > MaxPeers || len(ms.spans.closed) > maxSpans || !ms.spans.dropped {
		t.Errorf("%d silent and %d spans are kept, dropped %t", len(ms.inherited), len(ms.spans.closed), ms.spans.dropped)
	}
	out := ms.missing(p.now)
	if len(out) != maxMissing {
		t.Errorf("%d are told", len(out))
	}
	for _, m := range out {
		if m.Ended != 0 {
			t.Fatalf("%+v is told, and some that go on are not", m)
		}
	}
}
