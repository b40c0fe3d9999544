package sim

import (
	"slices"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
	deltasync "github.com/distributed-rate-limiter/distributed-rate-limiter/sync"
)

// explorer plays one schedule on the world of a run. Its messages do not travel by
// themselves: they wait until a step delivers or loses them, or lets time pass.
type explorer struct {
	x       *Exploration
	w       *world
	counts  map[stepKind]int
	waiting map[[2]int8][]message // by numbers of nodes, oldest first
	lost    map[[2]int8]int       // messages, since time last passed
	cut     int8                  // the node that is cut off, 0: none
	held    map[int8][]reserved   // by node, oldest first
	unsent  map[*member]int       // units charged since the last flush
	changed bool
}

type message struct {
	from, to *member
	packet   deltasync.Packet
}

type reserved struct {
	by   *member
	hold *node.Reservation
	of   []*charge
}

// explored is the client, and limitsExplored its limits.
const explored = "client"

var limitsExplored = []string{node.DefaultLimit}

// newExplorer starts the cluster and lets it form.
func newExplorer(x *Exploration) (*explorer, error) {
	sc := Scenario{
		Seed: 1, Nodes: x.Nodes, Policy: x.Policy, Duration: time.Hour, Flush: 200 * time.Millisecond,
		Link: Link{DelayMin: time.Millisecond, DelayMax: time.Millisecond},
	}
	sc.Policy.MaxOvershoot = 0.001 // each unit is urgent, so that a step can send it
	w, err := newWorld(sc, epoch, nil)
	if err != nil {
		return nil, err
	}
	e := &explorer{
		x: x, w: w, counts: map[stepKind]int{}, waiting: map[[2]int8][]message{}, lost: map[[2]int8]int{},
		held: map[int8][]reserved{}, unsent: map[*member]int{},
	}
	// Steps take what time they like, so nothing is promised but what nodes claim.
	w.oracle.documented = false
	w.oracle.knows.promise.trouble = []span{{0, w.now + int64(24*time.Hour)}}
	w.runUntil(w.start)
	if x.bounded() { // until all accounts are full
		w.runUntil(w.start + int64(x.Policy.Window) + int64(10*time.Second))
	}
	w.loading = true
	return e, nil
}

// hold makes messages wait while do runs.
func (e *explorer) hold(do func()) {
	e.w.network.held = func(from, to *member, p deltasync.Packet) {
		p.Data = slices.Clone(p.Data)
		pair := [2]int8{int8(from.number), int8(to.number)} //nolint:gosec // at most 3 nodes
		e.waiting[pair] = append(e.waiting[pair], message{from, to, p})
	}
	do()
	e.w.network.held = nil
}

// flow delivers what waits, and lets time pass until t.
func (e *explorer) flow(t int64) {
	for a := range int8(e.x.most() + 1) { //nolint:gosec // at most 4 nodes
		for b := range int8(e.x.most() + 1) { //nolint:gosec // at most 4 nodes
			for len(e.waiting[[2]int8{a, b}]) > 0 {
				e.arrive([2]int8{a, b})
			}
		}
	}
	clear(e.lost)
	e.w.runUntil(t)
}

// arrive delivers the oldest message of a pair. Answers to it do not wait.
func (e *explorer) arrive(pair [2]int8) {
	m := e.waiting[pair][0]
	e.waiting[pair] = e.waiting[pair][1:]
	if !e.w.network.cutOff(m.from, m.to) {
		e.w.network.arrive(m.from, m.to, m.packet)
	}
}

// enabled lists the steps that can follow.
func (e *explorer) enabled() []step {
	var out []step
	add := func(kind stepKind, a, b int) {
		if most, some := caps[kind]; !some || e.counts[kind] < most {
			out = append(out, step{kind, int8(a), int8(b)}) //nolint:gosec // at most 3 nodes
		}
	}
	living := len(e.w.living())
	for n := 1; n <= e.x.most(); n++ {
		m := e.w.node(n)
		if m == nil {
			if n > len(e.w.numbered()) {
				add(stepNew, 0, 0)
			} else if !e.w.struckOff[n] {
				add(stepJoin, n, 0)
			}
			continue
		}
		add(stepAdmit, n, 0)
		if e.unsent[m] > 0 {
			add(stepSend, n, 0)
		}
		if living > 1 {
			add(stepCrash, n, 0)
			add(stepBye, n, 0)
		}
		if e.cut == 0 {
			add(stepCut, n, 0)
		}
		if e.x.bounded() {
			if living > 1 {
				add(stepStrike, n, 0)
			}
		} else {
			add(stepReset, n, 0)
			add(stepChange, n, 0)
		}
		if len(e.held[int8(n)]) > 0 { //nolint:gosec // at most 3 nodes
			add(stepRefund, n, 0)
		}
		for other := 1; other <= e.x.most(); other++ {
			if len(e.waiting[[2]int8{int8(other), int8(n)}]) > 0 { //nolint:gosec // at most 3 nodes
				add(stepDeliver, other, n)
				add(stepLose, other, n)
			}
		}
	}
	if e.cut != 0 {
		add(stepCut, 0, 0)
	}
	add(stepPass, 0, 0)
	add(stepRoll, 0, 0)
	return out
}

// play makes one step.
func (e *explorer) play(s step) {
	w := e.w
	e.counts[s.kind]++
	m := w.node(int(s.a))
	switch s.kind {
	case stepPass:
		e.flow(w.now + int64(time.Second))
	case stepRoll:
		width := int64(e.w.sc.width())
		e.flow(w.now - w.now%width + width + int64(10*time.Millisecond))
	case stepCut:
		e.divide(s.a)
	case stepJoin:
		if m == nil {
			e.hold(func() { w.rejoin(w.numbered()[int(s.a)], "") })
		}
	case stepNew:
		e.hold(func() { w.rejoin(nil, "") })
	case stepStrike:
		e.hold(func() { w.strikeOff(int(s.a)) })
	case stepDeliver, stepLose:
		e.take(s)
	case stepAdmit, stepSend, stepCrash, stepBye, stepReset, stepChange, stepRefund:
		if m != nil {
			e.at(m, s)
		}
	}
}

// at makes a step of one living node.
func (e *explorer) at(m *member, s step) {
	w := e.w
	switch s.kind {
	case stepAdmit:
		if e.x.bounded() { // all that one node has; if that is too much, it asks the others
			w.decide(m, limitsExplored, explored, w.sc.Policy.Burst/int64(e.x.Nodes), false)
			m.step.TakeUrgent()
			e.unsent[m]++
			break
		}
		d, hold, of := w.decide(m, limitsExplored, explored, 1, true)
		m.step.TakeUrgent()
		if d.Allowed {
			e.unsent[m]++
			e.held[s.a] = append(e.held[s.a], reserved{m, hold, of})
		}
	case stepSend:
		e.unsent[m] = 0
		e.hold(func() {
			m.urge()
			w.runUntil(w.now + int64(2*time.Millisecond)) // flushes are a millisecond apart
		})
	case stepCrash, stepBye:
		e.hold(func() { m.die(s.kind == stepBye) })
		e.held[s.a] = nil
	case stepReset:
		e.hold(func() { w.reset(m, explored) })
	case stepChange:
		p := w.sc.Policy
		if p.Algorithm == node.GCRA {
			p.Burst = 1 + p.Burst%3
		} else {
			p.Limit = 1 + p.Limit%3
		}
		e.changed = true
		e.hold(func() { w.setLimit(m, &Fault{Policy: &p}) })
	case stepRefund:
		r := e.held[s.a][0]
		e.held[s.a] = e.held[s.a][1:]
		w.settle(r.by, limitsExplored, explored, r.hold, r.of, 0)
		e.unsent[m]++
	case stepDeliver, stepLose, stepPass, stepRoll, stepCut, stepJoin, stepNew, stepStrike:
	}
}

// take delivers or loses a message.
func (e *explorer) take(s step) {
	pair := [2]int8{s.a, s.b}
	if len(e.waiting[pair]) == 0 {
		return
	}
	if s.kind == stepLose {
		e.waiting[pair] = e.waiting[pair][1:]
		e.lost[pair]++
		return
	}
	e.hold(func() { e.arrive(pair) })
}

// divide cuts a node off; 0 heals the network.
func (e *explorer) divide(n int8) {
	e.cut = n
	e.w.network.cuts = nil
	if n != 0 {
		side := map[int]bool{int(n): true}
		e.w.network.cuts = []cut{{from: side}, {to: side}}
	}
}

// rest heals the network, lets all messages arrive and waits until nodes have to agree.
func (e *explorer) rest() {
	e.divide(0)
	e.flow(e.w.now + int64(time.Second))
	e.w.loading = false
	e.w.network.lossy = true // messages may have been lost, as a lossy network loses them
	e.w.calm()
	if !e.w.oracle.altered {
		e.w.oracle.ledger.audit()
	}
}
