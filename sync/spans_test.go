package sync

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
)

func TestSpansThatAreOver(t *testing.T) {
	var s spans
	s.close(2, 100, 200, SpanLost)
	s.close(3, 150, 250, SpanHealed)
	s.close(2, 240, 260, SpanHealed)
	s.close(4, 300, 300, SpanLost) // it is empty
	all := s.all(1000)
	for r, want := range map[crdt.Replica][]Span{2: {{900, 800, SpanLost, false, 1}, {760, 740, SpanHealed, false, 3}}, 3: {{850, 750, SpanHealed, false, 2}}, 4: nil} {
		if !slices.Equal(all[r], want) {
			t.Errorf("%d: %+v, want %+v", r, all[r], want)
		}
	}
	if s.dropped {
		t.Error("something was dropped")
	}
}

// Every instant that a list of all spans covers is covered, or said to be dropped.
func TestSpansForgetNothingInSilence(t *testing.T) {
	type full struct {
		of          crdt.Replica
		began, over int64
	}
	random := rand.New(rand.NewPCG(1, 2))
	var s spans
	var oracle []full
	now := int64(0)
	for range 3 * maxSpans {
		now += random.Int64N(10)
		f := full{crdt.Replica(random.IntN(5)), now - random.Int64N(50), now}
		s.close(f.of, f.began, f.over, SpanLost)
		if f.began < f.over {
			oracle = append(oracle, f)
		}
		all := s.all(now)
		for _, f := range oracle {
			if !slices.ContainsFunc(all[f.of], func(s Span) bool { return s.Began == now-f.began && s.Ended == now-f.over }) && (!s.dropped || s.droppedAt < f.over) {
				t.Fatalf("at %d: %+v is gone, and dropped are those until %d", now, f, s.droppedAt)
			}
		}
	}
	if !s.dropped || len(s.closed) != maxSpans {
		t.Errorf("%d are kept", len(s.closed))
	}
}

func TestOffsetsKeepWhatTheyWere(t *testing.T) {
	const second = int64(1e9)
	var o Offsets
	o.Note(0, -5, 5, true)
	o.Note(second, -2, 2, false) // a better measurement of the same
	o.Note(2*second, 90, 95, true)
	o.Note(3*second, 91, 94, false)
	for _, c := range []struct {
		since, lo, hi int64
		some          bool
	}{{0, -2, 94, true}, {second, -2, 94, true}, {second + 1, 91, 94, true}, {4 * second, 0, 0, false}} {
		lo, hi, some := o.Within(c.since)
		if some != c.some || some && (lo != c.lo || hi != c.hi) {
			t.Errorf("since %d: %d to %d, %t; want %d to %d", c.since, lo, hi, some, c.lo, c.hi)
		}
	}
	var other Offsets
	other.Note(second/2, 700, 701, true)
	other.absorb(&o)
	if lo, hi, _ := other.Within(0); lo != -2 || hi != 701 {
		t.Errorf("%d to %d after another list was taken over", lo, hi)
	}
}

// However many stretches there are, each difference counts for at least as long as it should.
func TestOffsetsForgetNothingTooSoon(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	type noted struct{ at, v int64 }
	var o Offsets
	var oracle []noted
	for i := range int64(1000) {
		n := noted{i * 1e9, random.Int64N(1e6)}
		oracle = append(oracle, n)
		o.Note(n.at, n.v, n.v, true)
		since := random.Int64N(n.at + 1)
		lo, hi, _ := o.Within(since)
		for _, n := range oracle {
			if n.at >= since && (n.v < lo || n.v > hi) {
				t.Fatalf("%+v is not within %d to %d since %d", n, lo, hi, since)
			}
		}
	}
	if len(o.past) > maxOffsetStretches {
		t.Errorf("%d stretches", len(o.past))
	}
}

// Whatever delays messages have, the true offset of a clock that nobody sets lies within what
// is measured, and a step of it is seen.
func TestABearingHoldsTheTruth(t *testing.T) {
	const ms = int64(1e6)
	for seed := range uint64(50) {
		random := rand.New(rand.NewPCG(seed, 5))
		var b bearing
		var theirs lagWindow
		offset, step := random.Int64N(200*ms)-100*ms, int64(0)
		first := offset
		for i := range int64(60) {
			now := i * 500 * ms
			if i == 30 {
				step = 300*ms - 600*ms*int64(seed%2)
				offset += step
			}
			theirs.add(now+offset, random.Int64N(20*ms)+offset, recentSpan) // they hear us
			b.sent(now, now-random.Int64N(20*ms)+offset)                    // we hear them
			b.seen(now, theirs.least())
			if i == 29 || i == 59 {
				if b.lo > offset || b.hi < offset || b.hi-b.lo > 45*ms {
					t.Fatalf("seed %d: %d to %d ms, and it is %d", seed, b.lo/ms, b.hi/ms, offset/ms)
				}
			}
		}
		if lo, hi, _ := b.history.Within(0); lo > min(first, offset) || hi < max(first, offset) {
			t.Errorf("seed %d: since the start %d to %d ms, and it was %d, then %d", seed, lo/ms, hi/ms, first/ms, offset/ms)
		}
	}
}

// A span is one of isolation only if this node was isolated all the while.
func TestSpansOfIsolation(t *testing.T) {
	const second = int64(1e9)
	for _, c := range []struct {
		name            string
		isolated, ended int64 // seconds; 0: never
		want            bool
	}{
		{"never", 0, 0, false},
		{"noticed at once, and it goes on", 104, 0, true},
		{"it ended with the span", 104, 199, true},
		{"it ended before", 104, 150, false},
		{"it was noticed late", 110, 0, false},
	} {
		var s spans
		if c.isolated > 0 {
			s.isolate(c.isolated*second, true)
		}
		if c.ended > 0 {
			s.isolate(c.ended*second, false)
		}
		s.close(2, 100*second, 200*second, SpanHealed)
		if got := s.all(200 * second)[2][0].Apart; got != c.want {
			t.Errorf("%s: apart is %t", c.name, got)
		}
	}
}
