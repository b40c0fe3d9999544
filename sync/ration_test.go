package sync

import (
	"strings"
	"testing"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
)

// paged is rows of which a snapshot takes that many messages, of a row each.
type paged struct {
	Rows
	pages int
	looks int // exports
	bare  bool
}

func (r *paged) Export(_ int64, q *Query, b *Batch) (next Cursor, done bool) {
	r.looks++
	at := q.Cursor
	if d := rowsFor(7, int(at.Index), 1)[0]; !r.bare {
		b.Add(&d, d.Rows[0])
	}
	at.Index++
	return at, int(at.Index) == r.pages
}

// A snapshot larger than any ration arrives whole, in time, also over a link that loses messages:
// what has come is not asked for again.
func TestASnapshotLargerThanARationArrivesWhole(t *testing.T) {
	for name, c := range map[string]struct {
		pages, lost int // one in lost
	}{
		"more than a round":     {3 * mostPages, 0},
		"most of a ration":      {3900, 0},
		"more than a ration":    {4300, 0},
		"over a lossy link":     {2000, 50},
		"over a very lossy one": {100, 10},
	} {
		t.Run(name, func(t *testing.T) {
			n := newSimNet(t, 1)
			a := n.join("a", 0)
			n.run(3e9)
			rows := &paged{Rows: a.engine.store.Rows, pages: c.pages}
			a.engine.store.Rows = rows
			n.lose = func(_, _ *simNode, p Packet) bool {
				return c.lost > 0 && Kind(p.Data[1]) == KindRows && n.random.IntN(c.lost) == 0
			}
			b := n.join("b", 0)
			n.until(joinLimit+1e9, "ready", b.engine.Ready)
			if s := b.engine.Status(b.clock()); s.Partial || len(b.store.entries) != c.pages {
				t.Errorf("partial %v, %d of %d rows: %q", s.Partial, len(b.store.entries), c.pages, b.events[len(b.events)-1].Detail)
			}
			if rows.looks > c.pages && (c.lost == 0 || rows.looks > 4*c.pages) {
				t.Errorf("%d messages for a snapshot of %d", rows.looks, c.pages)
			}
		})
	}
}

// A snapshot that does not come in time says so, and how far it came.
func TestASnapshotThatIsTooLargeSaysSo(t *testing.T) {
	n := newSimNet(t, 1)
	a := n.join("a", 0)
	n.run(3e9)
	a.engine.store.Rows = &paged{Rows: a.engine.store.Rows, pages: 60_000}
	b := n.join("b", 0)
	n.until(joinLimit+1e9, "ready", b.engine.Ready)
	said := b.events[len(b.events)-1]
	if s := b.engine.Status(b.clock()); !s.Partial || said.Kind != EventReady || !strings.Contains(said.Detail, "rows of a snapshot came in time, and not all") {
		t.Errorf("partial %v, said %+v", s.Partial, said)
	}
}

// pagesFor lets a peer ask for rows, and counts the messages that it gets.
func (p *probe) pagesFor(node string, r crdt.Replica, requests int) (n int) {
	p.sent, p.to = nil, nil
	for range requests {
		p.beats++
		p.hear(&Message{Kind: KindSnapshot, Node: node, Replica: r, Request: p.beats})
	}
	for _, m := range p.sent {
		if m.Kind == KindRows {
			n++
		}
	}
	return n
}

func TestRowsAreRationedByPeer(t *testing.T) {
	p := newReadyProbe(t)
	p.engine.store.Rows = &paged{Rows: p.engine.store.Rows, pages: 1 << 30}
	most, perSecond := int(pageRation.most), int(pageRation.perSecond)
	if n := p.pagesFor("b", 2, 500); n > most || n < most-mostPages {
		t.Errorf("%d messages of rows at once, want about %d", n, most)
	}
	p.run(2e9)
	if n := p.pagesFor("c", 3, 10); n != 10*mostPages {
		t.Errorf("another peer gets %d messages, want %d", n, 10*mostPages)
	}
	p.run(8e9)
	p.sent = nil
	// A question that waits is answered when there is a ration, and a peer has but one.
	if n := p.pagesFor("b", 2, 500); n > 10*perSecond || n < 10*perSecond-2*mostPages {
		t.Errorf("%d messages of rows 10 s later, want about %d", n, 10*perSecond)
	}
	p.sent = nil
	for range 100 {
		p.run(10e6)
	}
	late := 0
	for _, m := range p.sent {
		if m.Kind == KindRows {
			late++
		}
	}
	if late != mostPages || len(p.engine.questions) != 0 {
		t.Errorf("%d messages answer the question that waited, %d wait", late, len(p.engine.questions))
	}
}

// All peers together get a ration, too, whoever asks first.
func TestRowsAreRationedForAll(t *testing.T) {
	p := newReadyProbe(t)
	p.engine.store.Rows = &paged{Rows: p.engine.store.Rows, pages: 1 << 30}
	n := 0
	for r := crdt.Replica(2); r < 52; r++ {
		n += p.pagesFor("b", r, 20)
	}
	if most := int(allPageRation.most); n > most || n < most-mostPages {
		t.Errorf("%d messages of rows at once, want about %d", n, most)
	}
	got := map[string]bool{}
	p.sent, p.to = nil, nil
	p.run(400e6)
	for i, m := range p.sent {
		if m.Kind == KindRows {
			got[p.to[i]] = true
		}
	}
	if len(got) < 20 {
		t.Errorf("%d of the peers that waited were answered", len(got))
	}
}

// A peer that asks for all limits over and over gets them twice a second.
func TestLimitsAreRationedByPeer(t *testing.T) {
	p := newReadyProbe(t)
	p.store.set(p.now, "login", "value")
	p.run(1e9)
	p.sent, p.to = nil, nil
	for i := range 1000 {
		p.hear(&Message{Kind: KindPull, Node: "b", Replica: 2, Request: uint64(i + 1)})
		p.now += 1e6
	}
	n := 0
	for _, m := range p.sent {
		if m.Kind == KindPulled {
			n++
		}
	}
	if most := int(pullRation.most + pullRation.perSecond); n > most || n < most-1 {
		t.Errorf("%d answers within a second, want %d", n, most)
	}
}

// A peer that beats as fast as it can is compared now and then.
func TestBeatsAreComparedAtARation(t *testing.T) {
	p := newReadyProbe(t)
	p.counted(77)
	counting := &looks{Summaries: p.engine.store.Summaries}
	p.engine.store.Summaries = counting
	var known []Known
	for r := range crdt.Replica(maxKnown) {
		known = append(known, Known{1000 + r, 5, 6})
	}
	for range 500 {
		p.hear(&Message{Kind: KindBeat, Node: "b", Replica: 2, Known: known, Heard: []Heard{{Replica: 1}}})
		p.now += 1e6
	}
	if most := int(lookRation.most+lookRation.perSecond) * 2 * (maxKnown + 10); counting.digests > most || counting.digests < maxKnown {
		t.Errorf("%d looks at a replica's digests, want %d to %d", counting.digests, maxKnown, most)
	}
}

// A stranger's answer about reservations is nothing.
func TestAStrangerSettlesNothing(t *testing.T) {
	p := strangerProbe(t)
	p.hear(&Message{Kind: KindBeat, Node: "b", Replica: 2})
	p.hear(&Message{Kind: KindSettled, Node: "b", Replica: 2, Settled: []Settled{{ID: 7, Back: 1, Known: true}}})
	if p.drops(DropStale) != 1 || len(p.store.answers) > 0 {
		t.Errorf("%d dropped, answers %+v", p.drops(DropStale), p.store.answers)
	}
}

// crowded is summaries of a large table.
type crowded struct {
	Summaries
	clients int
}

func (c crowded) Clients() int { return c.clients }

// scattered is a large table in which nobody has what is asked for.
type scattered struct {
	Rows
	passed int // partitions
}

func (s *scattered) Export(_ int64, q *Query, _ *Batch) (next Cursor, done bool) {
	s.passed += 16
	next = Cursor{Partition: q.Cursor.Partition + 16}
	return next, next.Partition == crdt.Partitions
}

// Who asks for what hardly anybody has pays for the looking.
func TestLookingIsRationedAsRowsAre(t *testing.T) {
	p := newReadyProbe(t)
	rows := &scattered{Rows: p.engine.store.Rows}
	p.engine.store.Rows, p.engine.store.Summaries = rows, crowded{p.engine.store.Summaries, 1 << 20}
	const passes = 1 << 20 / clientsPerPage // messages that a pass over the table is worth
	for i := range 1000 {
		p.hear(&Message{Kind: KindRepair, Node: "b", Replica: 2, Of: 99, Request: uint64(i + 1)})
	}
	if most := int(pageRation.most) / passes * crdt.Partitions; rows.passed > most+crdt.Partitions {
		t.Errorf("%d partitions looked at, want at most %d", rows.passed, most)
	}
	rows.passed = 0
	p.run(10e9)
	p.hear(&Message{Kind: KindRepair, Node: "b", Replica: 2, Of: 99, Request: 5000})
	if rows.passed == 0 || rows.passed > crdt.Partitions/2 {
		t.Errorf("one answer looks at %d partitions", rows.passed)
	}
}

// asking counts the settlements that the store looks at.
type asking struct {
	Settler
	of map[crdt.Replica]int
}

func (a *asking) Settle(now int64, s Settlement) Settled {
	a.of[s.By]++
	return a.Settler.Settle(now, s)
}

// A peer that asks to settle without end takes its share of the time, and no more.
func TestSettlementsAreRationedByPeer(t *testing.T) {
	p := newReadyProbe(t)
	asked := &asking{p.engine.settlements.store, map[crdt.Replica]int{}}
	p.engine.settlements.store = asked
	list := make([]Settlement, 1000)
	for i := range list {
		list[i].ID = uint64(i)
	}
	number := uint64(0)
	flood := func(node string, r crdt.Replica, messages int) int {
		was := asked.of[r]
		for range messages {
			number++
			p.hear(&Message{Kind: KindSettle, Node: node, Replica: r, Of: 1, Request: number, Settlements: list})
		}
		return asked.of[r] - was
	}
	most, perSecond := int(settleRation.most), int(settleRation.perSecond)
	if n := flood("b", 2, 200); n > most || n < most-len(list) {
		t.Errorf("%d settlements at once, want about %d", n, most)
	}
	if n := flood("c", 3, 10); n != 10*len(list) {
		t.Errorf("another peer has %d settlements looked at, want %d", n, 10*len(list))
	}
	p.run(1e9)
	if n := flood("b", 2, 200); n > perSecond || n < perSecond-len(list) {
		t.Errorf("%d settlements a second later, want about %d", n, perSecond)
	}
}
