package crdt_test

import (
	"testing"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
)

var perMinute = newLimit(100, 60_000_000_000, 100, 60_000_000_000)

func TestDecidingOnOwnCellsAllocatesNothing(t *testing.T) {
	f := &perMinute.frame
	s := crdt.New(f.Start(epoch))
	at := int64(epoch)
	if n := testing.AllocsPerRun(1000, func() {
		at += f.Width / 3
		s.Roll(f, f.Start(at))
		if s.Base()+f.Drain(s.Count()) < at {
			s.Raise(at - f.Drain(s.Count()))
		}
		s.Admit(1)
		s.GiveBack(f, s.Start(), 1)
		s.Sent()
	}); n != 0 {
		t.Errorf("a decision allocates %v times", n)
	}
}

func TestMergingAKnownReplicaAllocatesNothing(t *testing.T) {
	f := &perMinute.frame
	s := crdt.New(f.Start(epoch))
	row := crdt.Row{Cur: crdt.Part{Origin: epoch, Count: crdt.Count{P: 1}}, Prev: crdt.Part{Origin: crdt.Never}}
	s.Merge(f, 1, s.Start(), row)
	if n := testing.AllocsPerRun(1000, func() {
		row.Cur.Count.P++
		s.Merge(f, 1, s.Start(), row)
	}); n != 0 {
		t.Errorf("a merge allocates %v times", n)
	}
}

func BenchmarkAdmit(b *testing.B) {
	b.ReportAllocs()
	f := &perMinute.frame
	s := crdt.New(f.Start(epoch))
	for b.Loop() {
		if s.Base()+f.Drain(s.Count()) < epoch {
			s.Raise(epoch)
		}
		s.Admit(1)
	}
}

func BenchmarkRoll(b *testing.B) {
	b.ReportAllocs()
	f := &perMinute.frame
	s := crdt.New(f.Start(epoch))
	for b.Loop() {
		s.Admit(1)
		s.Roll(f, s.Start()+f.Width)
	}
}

func BenchmarkMerge(b *testing.B) {
	f := &perMinute.frame
	for _, bench := range []struct {
		name     string
		replicas int
	}{{"replicas=2", 2}, {"replicas=10", 10}, {"replicas=100", 100}} {
		b.Run(bench.name, func(b *testing.B) {
			b.ReportAllocs()
			s := crdt.New(f.Start(epoch))
			row := crdt.Row{Cur: crdt.Part{Origin: epoch}, Prev: crdt.Part{Origin: crdt.Never}}
			i := 0
			for b.Loop() {
				i++
				row.Cur.Count.P = uint64(i)
				s.Merge(f, crdt.Replica(1+i%bench.replicas), s.Start(), row)
			}
		})
	}
}

func BenchmarkDigest(b *testing.B) {
	b.ReportAllocs()
	var d crdt.Digest
	k := crdt.Key{Hi: 1, Lo: 2}
	for b.Loop() {
		d.Grow(k, crdt.Life{}, epoch, crdt.Count{P: 1})
	}
}
