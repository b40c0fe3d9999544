package sync

import (
	"cmp"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
)

// simNet runs engines against each other on one thread and in virtual time: equal
// seeds and scripts give equal traces.
type simNet struct {
	t      testing.TB
	now    int64 // true time
	random *rand.Rand
	nodes  []*simNode
	queue  []flight // sorted by time, then by order of sending
	order  int
	delay  func(from, to *simNode) int64             // one way
	lose   func(from, to *simNode, p Packet) bool    // nil: nothing
	watch  func(from *simNode, p Packet, m *Message) // sees all that is published
	during map[*simNode]func()                       // called before each of the node's ticks
	last   map[[2]*simNode]int64                     // links keep order
	trace  strings.Builder
	reader *reader
}

type flight struct {
	at     int64
	order  int
	to     *simNode
	packet Packet
}

type simNode struct {
	net        *simNet
	name       string
	replica    crdt.Replica
	skew       int64
	store      *memStore
	engine     *Engine
	invariants invariants
	subjects   []string
	wake       int64 // true time
	dead       bool
	connected  bool
	events     []Event
	astray     int // packets published while disconnected
}

// start of virtual time, at the beginning of a window.
const simStart = int64(1_700_000_040e9)

func newSimNet(t testing.TB, seed uint64) *simNet {
	n := &simNet{
		t: t, now: simStart, random: rand.New(rand.NewPCG(seed, 7)), last: map[[2]*simNode]int64{},
		reader: newReader(tagSecret([]byte(DefaultClusterKey), "default"), 0),
	}
	n.delay = func(_, _ *simNode) int64 { return 1e6 + n.random.Int64N(2e6) }
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("network seed %d", seed)
		}
	})
	return n
}

// join starts a node and connects it.
func (n *simNet) join(name string, skew int64, change ...func(*Config)) *simNode {
	r := crdt.Replica(len(n.nodes) + 1)
	node := &simNode{net: n, name: name, replica: r, skew: skew, store: newMemStore(r)}
	cfg := Config{Node: name, Replica: r, Seed: n.random.Uint64()}
	for _, c := range change {
		c(&cfg)
	}
	node.engine = NewEngine(cfg, node.store.store(), n.now+skew)
	node.invariants.engine = node.engine
	node.subjects = node.engine.Subjects()
	n.nodes = append(n.nodes, node)
	node.connect()
	return node
}

func (n *simNet) joinAll(names ...string) []*simNode {
	var out []*simNode
	for _, name := range names {
		out = append(out, n.join(name, 0))
	}
	return out
}

func (node *simNode) clock() int64 { return node.net.now + node.skew }

func (node *simNode) connect() {
	node.connected = true
	node.step(Input{Kind: InputConnected})
}

func (node *simNode) disconnect() {
	node.connected = false
	node.step(Input{Kind: InputDisconnected})
}

// crash stops the node without a word.
func (node *simNode) crash() { node.dead = true }

func (node *simNode) step(in Input) {
	if node.dead {
		return
	}
	n := node.net
	out := node.engine.Step(node.clock(), in)
	if out.Wake <= node.clock() {
		n.t.Fatalf("%s wants to be woken at %d, and it is %d", node.name, out.Wake, node.clock())
	}
	if broken := node.invariants.check(node.clock()); broken != "" {
		n.t.Fatalf("%s, %.3f s after the start: %s", node.name, float64(n.now-simStart)/1e9, broken)
	}
	node.wake = out.Wake - node.skew
	for _, ev := range out.Events {
		node.events = append(node.events, ev)
		fmt.Fprintf(&n.trace, "%d %s event %d %s %d %s\n", n.now-simStart, node.name, ev.Kind, ev.Node, ev.Replica, ev.Detail)
	}
	for _, p := range slices.Clone(out.Packets) {
		n.publish(node, p)
	}
}

func (n *simNet) publish(from *simNode, p Packet) {
	if len(p.Data) > MaxMessage {
		n.t.Fatalf("%s publishes %d bytes on %s", from.name, len(p.Data), p.Subject)
	}
	h := fnv.New64a()
	h.Write(p.Data)
	fmt.Fprintf(&n.trace, "%d %s %s %d %x\n", n.now-simStart, from.name, p.Subject, len(p.Data), h.Sum64())
	m, err := n.reader.decodeOn(p)
	if err != nil {
		n.t.Fatalf("%s publishes what does not decode on %s: %v", from.name, p.Subject, err)
	}
	if n.watch != nil {
		n.watch(from, p, m)
	}
	if !from.connected {
		from.astray++
		return
	}
	for _, to := range n.nodes {
		if to == from || to.dead || !to.connected || !matchesAny(to.subjects, p.Subject) {
			continue
		}
		if n.lose != nil && n.lose(from, to, p) {
			continue
		}
		link := [2]*simNode{from, to}
		at := max(n.now+n.delay(from, to), n.last[link])
		n.last[link] = at
		n.order++
		f := flight{at: at, order: n.order, to: to, packet: p}
		i, _ := slices.BinarySearchFunc(n.queue, f, func(a, b flight) int {
			return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.order, b.order))
		})
		n.queue = slices.Insert(n.queue, i, f)
	}
}

// run lets d nanoseconds pass.
func (n *simNet) run(d int64) {
	end := n.now + d
	for {
		var next *simNode
		for _, node := range n.nodes {
			if !node.dead && (next == nil || node.wake < next.wake) {
				next = node
			}
		}
		switch {
		case len(n.queue) > 0 && n.queue[0].at <= end && (next == nil || n.queue[0].at <= next.wake):
			f := n.queue[0]
			n.queue = n.queue[1:]
			n.now = max(n.now, f.at)
			if f.to.connected {
				f.to.step(Input{Kind: InputPacket, Packet: f.packet})
			}
		case next != nil && next.wake <= end:
			n.now = max(n.now, next.wake)
			if f := n.during[next]; f != nil {
				f()
			}
			next.step(Input{Kind: InputTick})
		default:
			n.now = end
			return
		}
	}
}

// until runs until ok, at most d nanoseconds.
func (n *simNet) until(d int64, what string, ok func() bool) {
	n.t.Helper()
	for end := n.now + d; !ok(); n.run(5e6) {
		if n.now >= end {
			n.t.Fatalf("not within %.3f s: %s", float64(d)/1e9, what)
		}
	}
}

// ready runs until all living nodes are ready and know each other.
func (n *simNet) ready() {
	n.t.Helper()
	n.until(6e9, "all nodes ready", func() bool {
		living := 0
		for _, node := range n.nodes {
			if !node.dead {
				living++
			}
		}
		return !slices.ContainsFunc(n.nodes, func(node *simNode) bool {
			return !node.dead && (!node.engine.Ready() || node.engine.members.count(PeerAlive) < living-1)
		})
	})
	n.run(1500e6) // a beat each, so that first comparisons are over
}

// agree fails unless all living nodes hold the same.
func (n *simNet) agree() {
	n.t.Helper()
	var first *simNode
	for _, node := range n.nodes {
		switch {
		case node.dead:
		case first == nil:
			first = node
		case node.store.holds(n.now) != first.store.holds(n.now):
			n.t.Errorf("%s holds\n%s\n%s holds\n%s", first.name, first.store.holds(n.now), node.name, node.store.holds(n.now))
		}
	}
}

func (n *simNet) agreed() bool {
	var first *simNode
	for _, node := range n.nodes {
		switch {
		case node.dead:
		case first == nil:
			first = node
		case node.store.holds(n.now) != first.store.holds(n.now):
			return false
		}
	}
	return true
}

func (node *simNode) peer(other *simNode) Peer {
	for _, p := range node.engine.Status(node.clock()).Peers {
		if p.Replica == other.replica {
			return p
		}
	}
	return Peer{}
}

func (node *simNode) logged(kind EventKind, of *simNode) int {
	count := 0
	for _, ev := range node.events {
		if ev.Kind == kind && (of == nil || ev.Replica == of.replica) {
			count++
		}
	}
	return count
}

func (node *simNode) stats() Stats { return node.engine.Status(node.clock()).Stats }

// kindOf is the kind of a packet's message: its second byte.
func (node *simNode) kindOf(p Packet) Kind { return Kind(p.Data[1]) }
