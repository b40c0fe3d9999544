package replay

import (
	"container/heap"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
	deltasync "github.com/distributed-rate-limiter/distributed-rate-limiter/sync"
)

const (
	// busyFor is how long after it admitted something a node is ticked whenever its
	// protocol asks for it: longer than anything may stay unsent.
	busyFor = int64(deltasync.MaxInterval + 50*time.Millisecond)
	// idleTick is how often a node with nothing to send is ticked: often enough to
	// beat in time and to keep its table swept.
	idleTick = int64(deltasync.DefaultBeatInterval / 2)
	// settle is how long the network runs on after the last request and starts
	// before the next one; between them time jumps.
	settle = int64(3 * time.Second)
)

// network is nodes that reach each other with a random delay, on one virtual clock
// and one thread: equal seeds and requests give equal runs.
type network struct {
	now      int64
	lastBusy int64
	members  []*member
	queue    packets
	sequence uint64
	random   *rand.Rand
	delay    Range
	bytes    uint64
	messages uint64
}

// member is one node.
type member struct {
	*node.Stepper
	inbox     string
	subjects  []string
	due       int64 // next tick
	wake      int64 // when the protocol wants it at the latest
	keepAt    int64 // next housekeeping
	busyUntil int64
	arrivals  []int64 // by sender: when its last packet arrives
}

// packet is one message on its way.
type packet struct {
	at       int64
	sequence uint64 // keeps those of one instant in order
	to       int
	deltasync.Packet
}

// newNetwork starts the nodes at start, all connected.
func newNetwork(cfg Config, start int64, random *rand.Rand) (*network, error) {
	n := &network{now: start, lastBusy: start, random: random, delay: cfg.Delay}
	for i := range cfg.Nodes {
		m := &member{inbox: fmt.Sprintf("_INBOX.%d", i), arrivals: make([]int64, cfg.Nodes), keepAt: start, busyUntil: start + settle}
		s, err := node.NewStepper(node.Config{
			Name: fmt.Sprintf("n%d", i+1), Limit: cfg.Policy.Limit, Window: cfg.Policy.Window, Burst: cfg.Policy.Burst,
			Flush: cfg.Flush, Now: func() time.Time { return time.Unix(0, n.now) },
		}, random.Uint64()|1, m.inbox)
		if err != nil {
			return nil, err
		}
		m.Stepper, m.subjects = s, append(s.Subjects(), m.inbox)
		n.members = append(n.members, m)
	}
	for i := range n.members {
		n.step(i, deltasync.Input{Kind: deltasync.InputConnected})
	}
	return n, nil
}

// take asks node i at time at, which must not be before the last one, and reports
// whether the request was admitted.
func (n *network) take(at int64, i int, client string) bool {
	n.advance(at)
	m := n.members[i]
	if m.busyUntil <= at {
		// It rested, so its flush is overdue. Flushing at once would be better than a
		// real node does: let it begin a whole interval now.
		n.step(i, deltasync.Input{Kind: deltasync.InputTick})
	}
	allowed := m.Node.Do(node.Request{Client: client}).Allowed
	n.lastBusy = at
	if allowed {
		m.busyUntil, m.due = at+busyFor, m.wake
		n.urgent(i)
	}
	return allowed
}

// advance runs the network up to at. Long stretches without requests are jumped
// over once everything is delivered: for the nodes it is as if they had not heard
// each other meanwhile, so they get time to do so before the next request.
func (n *network) advance(at int64) {
	quiet, awake := n.lastBusy+settle+int64(n.delay.Max), at-settle-int64(n.delay.Max)
	if awake-quiet > 2*settle {
		n.run(quiet)
		n.now = awake
		for _, m := range n.members {
			m.due = awake
		}
	}
	n.run(at)
}

// run delivers packets and ticks nodes, in order of time, up to and including at.
func (n *network) run(at int64) {
	for {
		next, who := at+1, -1
		for i, m := range n.members {
			if m.due < next {
				next, who = m.due, i
			}
		}
		if len(n.queue) > 0 && n.queue[0].at <= min(next, at) {
			p, _ := heap.Pop(&n.queue).(packet)
			n.now = max(n.now, p.at)
			n.step(p.to, deltasync.Input{Kind: deltasync.InputPacket, Packet: p.Packet})
			continue
		}
		if who < 0 {
			break
		}
		n.now = max(n.now, next)
		n.tick(who)
	}
	n.now = at
}

func (n *network) tick(i int) {
	m := n.members[i]
	if n.now >= m.keepAt {
		m.keepAt = n.now + int64(time.Second)
		m.Housekeep()
	}
	n.step(i, deltasync.Input{Kind: deltasync.InputTick})
}

// urgent flushes node i if a client's quantum calls for it.
func (n *network) urgent(i int) {
	if n.members[i].TakeUrgent() {
		n.step(i, deltasync.Input{Kind: deltasync.InputUrgent})
	}
}

// step passes one input to node i and sends what it publishes on its way.
func (n *network) step(i int, in deltasync.Input) {
	m := n.members[i]
	out := m.Step(in)
	for _, p := range out.Packets {
		n.publish(i, p)
	}
	m.wake, m.due = out.Wake, out.Wake
	if n.now >= m.busyUntil {
		m.due = max(out.Wake, n.now+idleTick)
	}
	n.urgent(i)
}

// publish delivers a copy to every other node that listens, each after a delay of
// its own but never before what the same sender published earlier, as NATS does.
func (n *network) publish(from int, p deltasync.Packet) {
	p.Data = append([]byte(nil), p.Data...)
	n.messages++
	n.bytes += uint64(len(p.Data))
	for to, m := range n.members {
		if to == from || !m.listens(p.Subject) {
			continue
		}
		m.arrivals[from] = max(m.arrivals[from], n.now+n.delay.pick(n.random))
		n.sequence++
		heap.Push(&n.queue, packet{at: m.arrivals[from], sequence: n.sequence, to: to, Packet: p})
	}
}

func (m *member) listens(subject string) bool {
	for _, s := range m.subjects {
		if deltasync.Matches(s, subject) {
			return true
		}
	}
	return false
}

// packets is a heap by time of arrival.
type packets []packet

func (q packets) Len() int { return len(q) }
func (q packets) Less(i, j int) bool {
	if q[i].at != q[j].at {
		return q[i].at < q[j].at
	}
	return q[i].sequence < q[j].sequence
}
func (q packets) Swap(i, j int) { q[i], q[j] = q[j], q[i] }

// Push implements heap.Interface.
func (q *packets) Push(x any) {
	p, _ := x.(packet)
	*q = append(*q, p)
}

// Pop implements heap.Interface.
func (q *packets) Pop() any {
	last := len(*q) - 1
	p := (*q)[last]
	(*q)[last] = packet{}
	*q = (*q)[:last]
	return p
}
