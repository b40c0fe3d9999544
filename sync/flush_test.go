package sync

import (
	"slices"
	"testing"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
)

// deltas is when the probe published deltas, and how many rows they had.
func (p *probe) deltas() (rows int, messages int) {
	for _, m := range p.sent {
		if m.Kind == KindDelta {
			messages++
			rows += m.rowsOf()
		}
	}
	p.sent, p.to = nil, nil
	return rows, messages
}

func TestWhatIsNotUrgentLeavesAtTheFlushInterval(t *testing.T) {
	for _, interval := range []time.Duration{0, 20 * time.Millisecond, 200 * time.Millisecond, time.Hour} {
		p := newProbe(t, func(c *Config) { c.Interval = interval })
		want := int64(interval)
		switch {
		case interval == 0:
			want = int64(DefaultInterval)
		case interval > MaxInterval:
			want = int64(MaxInterval) // nothing stays unsent for longer
		}
		p.run(1e9)
		var waits []int64
		for i := range 20 {
			p.run(int64(i) * 7e6)
			p.deltas()
			p.store.admit(p.now, i, 1)
			began := p.now
			for {
				p.tick(max(1, p.wake-p.now))
				if rows, _ := p.deltas(); rows > 0 {
					break
				}
			}
			waits = append(waits, p.now-began)
		}
		if longest := slices.Max(waits); longest > want || longest < want/2 {
			t.Errorf("interval %v: the longest wait was %.1f ms, want up to %.1f", interval, float64(longest)/1e6, float64(want)/1e6)
		}
	}
}

func TestUrgentFlushesLeaveAtOnceAndAtLeastAGapApart(t *testing.T) {
	p := newProbe(t, nil)
	p.run(10e6)
	p.deltas()
	p.store.admit(p.now, 1, 1)
	p.store.hurry()
	p.step(Input{Kind: InputUrgent})
	if rows, messages := p.deltas(); rows != 1 || messages != 1 {
		t.Fatalf("%d rows in %d messages, want one at once", rows, messages)
	}
	// Then a request every 100 µs, each of which is urgent, for 20 ms.
	last, count := p.now, 0
	for end := p.now + 20e6; p.now < end; {
		p.now += 100e3
		p.store.admit(p.now, 1, 1)
		p.store.hurry()
		p.step(Input{Kind: InputUrgent})
		if _, messages := p.deltas(); messages > 0 {
			if d := p.now - last; d < int64(DefaultUrgentGap) {
				t.Fatalf("two urgent flushes are %d µs apart", d/1e3)
			}
			last, count = p.now, count+1
		} else if p.wake > last+int64(DefaultUrgentGap) {
			t.Fatalf("what is urgent waits for %d µs", (p.wake-last)/1e3)
		}
	}
	if count < 19 || count > 21 {
		t.Errorf("%d flushes in 20 ms, want one a millisecond", count)
	}
}

func TestUrgentFlushLeavesTheRestForTheInterval(t *testing.T) {
	p := newProbe(t, nil)
	p.run(55e6)
	p.deltas()
	p.store.admit(p.now, 1, 1)
	p.store.hurry()
	p.store.admit(p.now, 2, 1)
	p.step(Input{Kind: InputUrgent})
	if rows, _ := p.deltas(); rows != 1 {
		t.Errorf("%d rows left at once, want the urgent one", rows)
	}
	p.run(int64(DefaultInterval))
	if rows, _ := p.deltas(); rows != 1 {
		t.Errorf("%d rows left at the interval, want the other one", rows)
	}
}

func TestDeltasAreNumberedWithoutGaps(t *testing.T) {
	p := newProbe(t, nil)
	for i := range 30_000 {
		p.store.admit(p.now, i, 1)
	}
	p.run(1100e6)
	want := uint64(1)
	rows := 0
	for _, m := range p.sent {
		switch m.Kind {
		case KindDelta:
			if m.Seq != want {
				t.Fatalf("delta %d after %d", m.Seq, want-1)
			}
			want++
			rows += m.rowsOf()
		case KindBeat:
			if m.Seq != want-1 {
				t.Errorf("a beat says %d after delta %d", m.Seq, want-1)
			}
		}
	}
	if rows != 30_000 {
		t.Errorf("%d rows of 30000 left", rows)
	}
}

func TestDisconnectedNodeKeepsItsRowsAndSendsAllWhenItIsBack(t *testing.T) {
	n := newSimNet(t, 1)
	nodes := n.joinAll("a", "b", "c")
	a, b := nodes[0], nodes[1]
	n.ready()
	b.disconnect()
	for i := range 5000 {
		b.store.admit(n.now, i, 2)
		a.store.admit(n.now, i, 1)
		if i%100 == 0 {
			b.store.hurry()
			b.step(Input{Kind: InputUrgent})
			b.store.set(n.now, "login", "five a minute")
			b.store.reset(n.now, i)
			n.run(20e6)
		}
	}
	// A request that was on its way when the connection broke is not answered.
	ask := newWriter(tagSecret([]byte(DefaultClusterKey), "default")).encode(&Message{
		Kind: KindSnapshot, Node: "a", Replica: a.replica, To: b.replica, Sent: n.now, Request: 1 << 40,
	}, nil)
	asked := b.engine.members.find(a.replica)
	b.step(Input{Kind: InputPacket, Packet: Packet{
		Subject: b.engine.subjects.between(KindSnapshot, "a", a.replica, "b", b.replica), Data: ask,
	}})
	if asked.asked != 1<<40 {
		t.Fatal("the request was dropped for another reason")
	}
	asked.asked = 0 // a goes on with its own numbers
	if b.astray != 0 {
		t.Errorf("%d packets were published without a connection", b.astray)
	}
	b.connect()
	n.run(400e6) // a flush; then the gap that b missed is asked for
	for _, k := range []int{0, 4999} {
		if e := a.store.entries[memKey{"default", key(k)}]; e.state.Count() != 3 {
			t.Errorf("client %d: a counts %d, want 3", k, e.state.Count())
		}
	}
	n.run(3e9)
	n.agree()
	if len(a.store.regs["login"].Value) == 0 || len(a.store.resets) != 50 {
		t.Errorf("limits %v, %d resets of 50", a.store.regs, len(a.store.resets))
	}
}

// Even while joining, a node that is cut off asks nobody.
func TestJoiningNodeAsksNobodyWithoutAConnection(t *testing.T) {
	p := newProbe(t, nil)
	p.hear(&Message{Kind: KindBeat, Node: "b", Replica: 2})
	p.hear(&Message{Kind: KindBeat, Node: "c", Replica: 3})
	p.step(Input{Kind: InputDisconnected})
	p.asked()
	p.run(3e9)
	p.hear(&Message{Kind: KindBeat, Node: "c", Replica: 3}) // was queued
	p.run(1e9)
	if len(p.sent) != 0 {
		t.Errorf("%d messages without a connection: %+v", len(p.sent), p.sent[0])
	}
}

func TestStepSendsABoundedNumberOfMessages(t *testing.T) {
	p := newProbe(t, nil)
	for i := range 200_000 {
		p.store.admit(p.now, i, crdt.MaxTotal)
	}
	for total := 0; ; {
		p.tick(int64(DefaultInterval))
		rows, messages := p.deltas()
		if messages > mostFlush {
			t.Fatalf("%d messages in one step", messages)
		}
		if total += rows; total == 200_000 {
			return
		}
		if rows == 0 {
			t.Fatalf("stuck after %d rows", total)
		}
	}
}
