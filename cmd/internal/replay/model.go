package replay

import (
	"math/rand/v2"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/gcra"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/limit"
)

// model is nodes that count together: real states and rules over a simple network. A node tells
// the others what it admitted after the flush interval, or at once if much is unsent. The message
// then takes its time. Nothing is lost, and clocks agree. A replay so takes time by the number of
// requests, and not by the days of the log. Package sim plays whole nodes, with beats and repair.
// Not safe for concurrent use.
type model struct {
	compiled limit.Compiled
	nodes    int
	flush    int64
	delay    Range
	random   *rand.Rand
	clients  map[int]*modelClient // by key
	queue    queue
	order    uint64
}

// modelClient is what the nodes know of one client.
type modelClient struct {
	rule     *limit.Rule
	replicas []*modelReplica // by node; nil: it knows nothing
}

// modelReplica is what one node knows of one client.
type modelReplica struct {
	states  limit.States
	unsent  float64
	pending bool  // a flush will send it
	urgent  bool  // and sooner, because much is unsent
	sent    int64 // when it was last sent
}

// hotEvery is how far apart messages are that one hot client causes, as in a node.
const hotEvery = int64(time.Millisecond)

func newModel(c limit.Compiled, cfg *Config) *model {
	return &model{
		compiled: c, nodes: cfg.Nodes, flush: int64(cfg.Flush), delay: cfg.Delay, clients: map[int]*modelClient{},
		random: rand.New(rand.NewPCG(cfg.Seed, 4)), //nolint:gosec // repeatable on purpose
	}
}

// take decides a request at a node. Times never go back.
func (m *model) take(t int64, key, rule, node int) bool {
	for m.queue.due(t) {
		m.carry(m.queue.pop())
	}
	c := m.clients[key]
	if c == nil {
		c = &modelClient{rule: &m.compiled.Rules[rule], replicas: make([]*modelReplica, m.nodes)}
		m.clients[key] = c
	}
	switch c.rule.Policy.Access {
	case limit.Unlimited:
		return true
	case limit.Blocked:
		return false
	}
	r := c.replica(node, t)
	ok, origin := c.rule.Admits(r.states, t, 1)
	if !ok {
		return false
	}
	current := c.rule.Current(r.states, t)
	if origin != gcra.Never {
		current.Raise(origin)
	}
	current.Admit(1)
	if m.nodes > 1 && !c.rule.Silent {
		m.schedule(t, key, node, c.rule, r)
	}
	return true
}

// replica is the client's at a node, in the window of t.
func (c *modelClient) replica(node int, t int64) *modelReplica {
	r := c.replicas[node]
	if r == nil {
		first, rest := c.rule.NewStates(t)
		r = &modelReplica{states: limit.States{First: &first, Rest: rest}}
		c.replicas[node] = r
	}
	c.rule.Roll(r.states, t)
	return r
}

// schedule sees to it that an admitted unit is sent: at the next flush, or at once where the
// client's unsent units reach its share of the overshoot that the limit allows.
func (m *model) schedule(t int64, key, node int, rule *limit.Rule, r *modelReplica) {
	r.unsent++
	if !r.pending {
		r.pending = true
		m.push(message{at: t + m.flush, client: key, from: node, to: -1})
	}
	if r.unsent >= max(1, rule.Slack/float64(m.nodes-1)) && !r.urgent {
		r.urgent = true
		m.push(message{at: max(t, r.sent+hotEvery), client: key, from: node, to: -1})
	}
}

// carry sends what a node has to say of a client, or delivers it.
func (m *model) carry(e message) {
	c := m.clients[e.client]
	if e.to >= 0 {
		r := c.replica(e.to, e.at)
		r.states.At(e.slot).Merge(&c.rule.Frame, crdt.Replica(e.from+1), e.start, e.row) //nolint:gosec // few nodes
		return
	}
	r := c.replica(e.from, e.at)
	if r.unsent == 0 {
		r.pending = false
		return // a hot client's message has told it
	}
	r.unsent, r.pending, r.urgent, r.sent = 0, false, false, e.at
	for to := range m.nodes {
		if to == e.from {
			continue
		}
		arrives := e.at + int64(m.delay.Min)
		if spread := m.delay.Max - m.delay.Min; spread > 0 {
			arrives += m.random.Int64N(int64(spread) + 1)
		}
		for slot, s := range r.states.All {
			if s.Held() {
				m.push(message{at: arrives, client: e.client, from: e.from, to: to, slot: slot, start: s.Start(), row: s.Own()})
			}
		}
	}
}

func (m *model) push(e message) {
	m.order++
	e.order = m.order
	m.queue.push(e)
}

// message is a client's row on its way, or a time at which a node sends one (to is -1).
type message struct {
	at       int64
	order    uint64 // of equal times the earlier one comes first
	client   int
	from, to int
	slot     int
	start    int64
	row      crdt.Row
}

// queue is messages by time: a binary heap.
type queue []message

func (q queue) before(i, j int) bool {
	return q[i].at < q[j].at || q[i].at == q[j].at && q[i].order < q[j].order
}

// due reports whether a message is due by t.
func (q queue) due(t int64) bool { return len(q) > 0 && q[0].at <= t }

func (q *queue) push(e message) {
	*q = append(*q, e)
	all := *q
	for i := len(all) - 1; i > 0; {
		up := (i - 1) / 2
		if !all.before(i, up) {
			break
		}
		all[i], all[up] = all[up], all[i]
		i = up
	}
}

func (q *queue) pop() message {
	all := *q
	first, last := all[0], len(all)-1
	all[0] = all[last]
	all = all[:last]
	*q = all
	for i := 0; ; {
		least := i
		for _, down := range [2]int{2*i + 1, 2*i + 2} {
			if down < len(all) && all.before(down, least) {
				least = down
			}
		}
		if least == i {
			return first
		}
		all[i], all[least] = all[least], all[i]
		i = least
	}
}
