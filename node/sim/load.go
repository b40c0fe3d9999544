package sim

import (
	"fmt"
	"slices"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/gcra"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
)

// stream starts one client's load.
func (w *world) stream(s *Stream, index int) {
	if s.Cost == 0 {
		s.Cost = 1
	}
	if s.Client == "" {
		s.Client = "client-" + string(rune('a'+index%26))
	}
	at := w.start + int64(s.Start)
	var gate *gate
	if s.Conforming {
		gate = newGate(w.sc.Policy, s.Slack)
	}
	if s.Burst > 0 {
		w.at(at, func() { w.burst(s, gate) })
		return
	}
	w.at(at+w.pause(s), func() { w.arrive(s, gate) })
}

func (w *world) pause(s *Stream) int64 {
	return int64(min(w.random.ExpFloat64()/s.Rate, 1e6) * float64(time.Second))
}

func (w *world) over(s *Stream) bool {
	return !w.loading || s.Stop > 0 && w.now >= w.start+int64(s.Stop)
}

// arrive is one request of a stream, and schedules the next.
func (w *world) arrive(s *Stream, g *gate) {
	if w.over(s) {
		return
	}
	w.at(w.now+w.pause(s), func() { w.arrive(s, g) })
	cost := s.Cost
	if s.MaxCost > s.Cost {
		cost += w.random.Int64N(s.MaxCost - s.Cost + 1)
	}
	m := w.node(s.Node)
	if s.Node == 0 {
		living := w.living()
		if len(living) > 0 {
			m = living[w.random.IntN(len(living))]
		}
	}
	if m == nil || g != nil && !g.take(w.now, cost) {
		return
	}
	w.request(m, s, cost)
}

// burst sends requests to a node or to all at one instant, the nodes in random order.
func (w *world) burst(s *Stream, g *gate) {
	if w.over(s) {
		return
	}
	if s.Period > 0 {
		w.after(s.Period, func() { w.burst(s, g) })
	}
	living := w.living()
	if s.Node != 0 {
		living = slices.DeleteFunc(living, func(m *member) bool { return m.number != s.Node })
	}
	w.random.Shuffle(len(living), func(i, j int) { living[i], living[j] = living[j], living[i] })
	for _, m := range living {
		for range s.Burst {
			if g != nil && !g.take(w.now, s.Cost) {
				continue
			}
			w.request(m, s, s.Cost)
		}
	}
}

// client is the client of the stream's next request.
func (w *world) client(s *Stream) string {
	if s.Clients < 2 {
		return s.Client
	}
	w.sent[s]++
	return fmt.Sprintf("%s-%d", s.Client, w.sent[s]%s.Clients)
}

// decide has a node decide one request, and the oracle judge that. hold is nil unless the
// request reserves; of is what it was charged, nil if it was denied.
func (w *world) decide(m *member, limits []string, client string, cost int64, reserve bool) (d node.Decision, hold *node.Reservation, of []*charge) {
	q := node.Request{Client: client, Cost: cost}
	for _, limit := range limits[1:] {
		q.Also = append(q.Also, node.Check{Limit: limit})
	}
	if reserve {
		hold = m.step.Node.Reserve(q)
		d = hold.Decision
	} else {
		d = m.step.Node.Do(q)
	}
	w.result.Decisions++
	w.oracle.asked(m, limits, client, cost, d.Allowed)
	if d.Allowed {
		w.result.Admitted++
		w.result.Units += uint64(cost) //nolint:gosec // positive
		return d, hold, w.oracle.admitted(m, limits, client, cost, d.Reason)
	}
	w.result.Denied++
	w.oracle.denied(m, limits, client, cost)
	return d, hold, nil
}

func (w *world) request(m *member, s *Stream, cost int64) {
	client := w.client(s)
	if s.Charge > 0 && w.random.Float64() < s.Charge {
		w.charge(m, s.limits(), client, cost)
		return
	}
	d, hold, of := w.decide(m, s.limits(), client, cost, s.Cancel > 0 && w.random.Float64() < s.Cancel)
	if d.Allowed && hold != nil {
		w.settleLater(m, s, client, hold, of)
	}
	if s.Conforming {
		w.result.Conforming++
		if !d.Allowed {
			w.result.WrongDeny++
			w.violate("n%d denied %s, which conforms with %v to spare: %+v", m.number, client, s.Slack, d)
		}
	}
	if w.log != nil || w.result.Decisions%64 == 0 {
		w.note("decide", int64(m.number), cost, d.Remaining)
	}
	if m.step.TakeUrgent() && !w.sc.FixedFlush {
		m.urge()
	}
}

// gate passes the requests that conform to the policy with a smaller tolerance.
type gate struct {
	gcra  *gcra.GCRA
	level gcra.Level
	spare int64
}

func newGate(p node.Policy, slack time.Duration) *gate {
	g, err := gcra.New(gcra.Policy{Limit: p.Limit, Window: p.Window, Burst: p.Burst})
	if err != nil {
		return nil // the nodes' configuration says it
	}
	return &gate{gcra: g, level: gcra.Level{Base: gcra.Never}, spare: int64(slack)}
}

func (g *gate) take(t, cost int64) bool {
	if g.gcra.TAT(g.level) < t {
		g.level = gcra.Level{Base: t}
	}
	next := g.level
	next.Count += uint64(cost) //nolint:gosec // positive
	if g.gcra.TAT(next)-t > g.gcra.Depth()-g.spare {
		return false
	}
	g.level = next
	return true
}
