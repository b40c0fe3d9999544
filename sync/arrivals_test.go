package sync

import (
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
)

// deluge is what floods a node in these tests.
func deluge(e *Engine, kind string, i int) Packet {
	w := newWriter(tagSecret([]byte(DefaultClusterKey), "default"))
	m := &Message{Kind: KindDelta, Node: "evil", Replica: crdt.Replica(1000 + i%50), Sent: int64(i), Seq: uint64(i + 1)}
	subject := e.subjects.of(m.Kind, m.Node, m.Replica)
	switch kind {
	case "garbage":
		return Packet{Subject: subject, Data: []byte(strings.Repeat("garbage", 30))}
	case "too large":
		return Packet{Subject: subject, Data: make([]byte, MaxMessage+1)}
	}
	return Packet{Subject: subject, Data: w.encode(m, nil)}
}

// Whoever floods a node makes it deaf to nobody.
func TestAFloodLeavesRoomForMembers(t *testing.T) {
	const flood = 50_000
	for kind, why := range map[string]Drop{"garbage": DropTag, "too large": DropOversize, "strangers": DropQueue} {
		t.Run(kind, func(t *testing.T) {
			defer goleak.VerifyNone(t)
			synctest.Test(t, func(t *testing.T) {
				var network Memory
				a, _, log := newTestLoop(t, "a", 0, network.Transport())
				b, store, _ := newTestLoop(t, "b", 1, network.Transport())
				time.Sleep(3 * time.Second)
				packets := make([]Packet, 1000)
				for i := range packets {
					packets[i] = deluge(a.engine, kind, i)
				}
				for i := range flood / len(packets) {
					for _, p := range packets {
						a.Receive(p)
					}
					b.lock() // the store is the engine's
					store.admit(now(), i)
					b.unlock()
					b.Urgent()
					time.Sleep(10 * time.Millisecond)
				}
				s := a.Status()
				for _, p := range s.Peers {
					if p.Node == "b" && (p.State != PeerAlive || p.Behind || kind != "strangers" && s.Stats.Gaps > 0) {
						t.Errorf("%+v, %d gaps", p, s.Stats.Gaps)
					}
				}
				// The queue and what comes in a second are all that strangers get.
				most := uint64(mostStrangeArrivals + strangeArrivalsPerSecond)
				if got := s.Stats.Dropped[why]; got < flood-2*most || kind != "strangers" && got != flood {
					t.Errorf("%d dropped as %v: %v", got, why, s.Stats.Dropped)
				}
				_, _ = a.Close(), b.Close()
				if n := strings.Count(log.String(), "message refused"); kind != "strangers" && (n == 0 || n > 2) {
					t.Errorf("%d lines in half a second", n)
				}
			})
		})
	}
}

// A flood takes no lock and waits for nobody, also while a step hangs.
func TestArrivalsNeverWait(t *testing.T) {
	cfg := Config{Node: "a", Replica: 1}
	l, err := NewLoop(cfg, newLockedStore(cfg).store(), nil, now, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	l.lock()
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for i := range 2000 {
				l.Receive(deluge(l.engine, "strangers", i))
			}
		})
	}
	all.Wait()
	// A member's message finds room all the same.
	const member = 2000
	l.arrivals.known.Store(&map[crdt.Replica]*latest{member: {node: "b"}})
	full := l.arrivals.full.Load()
	m := &Message{Kind: KindDelta, Node: "b", Replica: member, Sent: 1, Seq: 1}
	w := newWriter(tagSecret([]byte(DefaultClusterKey), "default"))
	l.Receive(Packet{Subject: l.engine.subjects.of(m.Kind, m.Node, m.Replica), Data: w.encode(m, nil)})
	if now := l.arrivals.full.Load(); full == 0 || now != full {
		t.Errorf("%d found no room, then %d", full, now)
	}
	l.unlock()
	if err := l.Close(); err != nil {
		t.Error(err)
	}
}

func TestAWindowListedTwiceIsRefused(t *testing.T) {
	p := newReadyProbe(t)
	w := Partitioned{Window: Window{testWidth, simStart}}
	other := Partitioned{Window: Window{testWidth, simStart - testWidth}}
	p.sent, p.to = nil, nil
	p.hear(&Message{Kind: KindRepair, Node: "b", Replica: 2, Request: 1, Have: []Partitioned{w, other, w}})
	if p.drops(DropMalformed) != 1 || len(p.sent) > 0 {
		t.Errorf("%d dropped, sent %+v", p.drops(DropMalformed), p.sent)
	}
	p.hear(&Message{Kind: KindRepair, Node: "b", Replica: 2, Request: 2, Have: []Partitioned{w, other}})
	if p.drops(DropMalformed) != 1 || len(p.sent) == 0 {
		t.Errorf("%d dropped, sent %+v", p.drops(DropMalformed), p.sent)
	}
}

// looks counts looks at a partition's origins, and at a replica's digests.
type looks struct {
	Summaries
	n, digests int
}

func (l *looks) Digests(r crdt.Replica, w Window, out *[crdt.Partitions]crdt.Digest) {
	l.digests++
	l.Summaries.Digests(r, w, out)
}

func (l *looks) Origins(now int64, w Window, partition int) crdt.Digest {
	l.n++
	return l.Summaries.Origins(now, w, partition)
}

// Beats that list origins in ever other ways, and repairs, cost one pass a window in half a beat.
func TestOriginsAreLookedAtOnce(t *testing.T) {
	p := newReadyProbe(t)
	p.store.admit(p.now, 1, 1)
	p.run(3e9)
	counting := &looks{Summaries: p.engine.store.Summaries}
	p.engine.store.Summaries = counting
	carrying := p.engine.origins.windows(p.now)
	if len(carrying) == 0 {
		t.Fatal("no window whose origins are compared")
	}
	b := p.engine.members.find(2)
	for beat := range 50 {
		var list []OriginRoot
		for i := range maxRoots {
			w := Window{testWidth, simStart - int64(i)*testWidth}
			if i%2 == 0 {
				w = carrying[0]
			}
			list = append(list, OriginRoot{Window: w, From: uint32((beat + i) % crdt.Partitions), Count: crdt.Partitions - 1, Digest: 0})
		}
		p.hear(&Message{Kind: KindBeat, Node: "b", Replica: 2, Origins: list, Heard: []Heard{{Replica: 1}}})
		b.origins, b.request = backoff{}, request{} // whatever paces it
		p.now += 1e6
		p.hear(&Message{Kind: KindRepair, Node: "b", Replica: 2, Request: uint64(beat + 1), Have: []Partitioned{{Window: carrying[0]}, {Window: Window{testWidth, 5}}}})
	}
	if most := 2 * len(carrying) * crdt.Partitions; counting.n > most {
		t.Errorf("%d partitions were looked at in 50 ms, want at most %d", counting.n, most)
	}
}

func TestALineSaysHowManyWereRefusedWithoutOne(t *testing.T) {
	p := newProbe(t, nil)
	for range 5 {
		p.step(Input{Kind: InputPacket, Packet: Packet{Subject: "nonsense"}})
	}
	p.run(2e9)
	p.step(Input{Kind: InputPacket, Packet: Packet{Subject: "nonsense"}})
	var lines []string
	for _, ev := range p.events {
		if ev.Kind == EventPacketBad {
			lines = append(lines, ev.Detail)
		}
	}
	if len(lines) != 2 || !strings.Contains(lines[1], "; 4 more since the last line") {
		t.Errorf("%q", lines)
	}
}
