package replay

import (
	"math"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/gcra"
)

// central is one limiter that sees every request: what the nodes are compared with.
type central struct {
	gcra    *gcra.GCRA
	clients []gcra.Level
}

func newCentral(g *gcra.GCRA, clients int) *central {
	c := &central{gcra: g, clients: make([]gcra.Level, clients)}
	for i := range c.clients {
		c.clients[i].Base = gcra.Never
	}
	return c
}

// take decides one unit at time t.
func (c *central) take(client int, t int64) bool {
	level := &c.clients[client]
	allowed, origin := c.gcra.Admit(*level, t, 1)
	if allowed {
		level.Base = max(level.Base, origin)
		level.Count++
	}
	return allowed
}

// yardstick is a GCRA for each client that denies nothing and notes how far what
// the nodes admitted together runs ahead: E of docs/design.md.
type yardstick struct {
	central
	most float64 // the largest (TAT - t)/T so far, units
}

// admit counts one admitted unit at time t.
func (y *yardstick) admit(client int, t int64) {
	level := &y.clients[client]
	if y.gcra.TAT(*level) < t {
		level.Base = t - y.gcra.Drain(level.Count)
	}
	level.Count++
	p := y.gcra.Policy()
	ahead := float64(y.gcra.TAT(*level)-t) * float64(p.Limit) / float64(p.Window)
	y.most = max(y.most, ahead)
}

// excess is E: the most units that were ever admitted beyond what one central
// limiter could have, rounded to millionths to hide the rounding of floats. Negative where nobody came to the limit.
func (y *yardstick) excess() float64 {
	e := y.most - float64(y.gcra.Policy().Burst)
	return math.Round(e*1e6)/1e6 + 0 // + 0 makes a -0 a 0
}
