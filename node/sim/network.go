package sim

import (
	"time"

	deltasync "github.com/distributed-rate-limiter/distributed-rate-limiter/sync"
)

// network carries packets between members.
type network struct {
	w        *world
	cuts     []cut
	loss     float64
	lossy    bool
	free     map[[2]*member]int64                       // when a capped link is free again
	last     map[[2]*member]int64                       // the latest arrival, for order
	held     func(from, to *member, p deltasync.Packet) // takes messages instead of delivering them; nil: nobody does
	messages uint64
	bytes    uint64
}

// cut drops the messages from one side to the other.
type cut struct {
	from, to map[int]bool // nil: every node that is not on the other side
	id       int
}

func newNetwork(w *world) *network {
	return &network{w: w, free: map[[2]*member]int64{}, last: map[[2]*member]int64{}, loss: w.sc.Link.Loss, lossy: w.sc.Link.Loss > 0}
}

func (c *cut) drops(from, to int) bool {
	in := func(side, other map[int]bool, n int) bool {
		if side == nil {
			return !other[n]
		}
		return side[n]
	}
	return in(c.from, c.to, from) && in(c.to, c.from, to)
}

func (n *network) cutOff(from, to *member) bool {
	for i := range n.cuts {
		if n.cuts[i].drops(from.number, to.number) {
			return true
		}
	}
	return false
}

// heal ends all cuts and all loss.
func (n *network) heal() {
	n.cuts, n.loss = nil, 0
	for _, m := range n.w.members {
		m.takes = 0
	}
}

// send delivers a packet to those who subscribed to its subject, or loses it, as chance
// has it. Receivers only read the data, so they may share it.
func (n *network) send(from *member, p deltasync.Packet) {
	if n.w.loading {
		n.messages++
		n.bytes += uint64(len(p.Data))
	}
	for _, to := range n.w.members {
		if to == from || !to.listens() || !to.wants(p.Subject) {
			continue
		}
		if n.cutOff(from, to) || n.w.weather.Float64() < n.loss {
			n.w.note("lost", int64(from.number), int64(to.number), int64(len(p.Data)))
			continue
		}
		if n.held != nil {
			n.held(from, to, p)
			continue
		}
		n.deliver(from, to, p)
		if n.w.weather.Float64() < n.w.sc.Link.Duplicate {
			n.deliver(from, to, p)
		}
	}
}

func (m *member) wants(subject string) bool {
	for _, s := range m.subs {
		if deltasync.Matches(s, subject) {
			return true
		}
	}
	return false
}

func (n *network) deliver(from, to *member, p deltasync.Packet) {
	l := &n.w.sc.Link
	at := n.w.now + int64(l.DelayMin)
	if spread := int64(l.DelayMax - l.DelayMin); spread > 0 {
		at += n.w.weather.Int64N(spread + 1)
	}
	if l.QuickStart && !n.w.loading {
		at = n.w.now + int64(time.Millisecond)
	}
	pair := [2]*member{from, to}
	if l.Bandwidth > 0 {
		busy := max(n.free[pair], n.w.now) + int64(len(p.Data))*int64(time.Second)/l.Bandwidth
		if busy-n.w.now > int64(time.Second) {
			n.w.note("queue", int64(from.number), int64(to.number))
			return
		}
		n.free[pair] = busy
		at += busy - n.w.now
	}
	if !l.Reorder {
		at = max(at, n.last[pair]+1)
		n.last[pair] = at
	}
	if to.takes > 0 {
		to.inQueue = max(to.inQueue, at) + int64(float64(time.Second)/to.takes)
		if to.inQueue-at > int64(time.Second) {
			to.inQueue -= int64(float64(time.Second) / to.takes)
			n.w.note("slow", int64(to.number))
			return
		}
		at = to.inQueue
	}
	n.w.at(at, func() { n.arrive(from, to, p) })
}

// listens reports whether messages still reach the member: it lives, or lingers.
func (m *member) listens() bool { return m.alive || m.w.now < m.lingers }

func (n *network) arrive(from, to *member, p deltasync.Packet) {
	if to.listens() {
		n.w.note("take", int64(from.number), int64(to.number), int64(len(p.Data)))
		from.heard = true
		n.w.takeIn(to, p)
		if to.alive {
			n.w.oracle.knows.progress(to, from)
		}
	}
}
