package sim

import "sort"

// clock is one node's clock: true time times a rate plus an offset, which steps change. Its
// readings never go back, as those of a node do not.
type clock struct {
	pieces []piece
	last   int64
}

// piece is the clock from true time from on: at + (t - from)·(1 + drift).
type piece struct {
	from, at int64
	drift    float64
}

func newClock(now, skew int64, drift float64) *clock {
	c := &clock{pieces: []piece{{from: now, at: now + skew, drift: drift}}}
	c.last = now + skew
	return c
}

func (p *piece) read(t int64) int64 {
	d := t - p.from
	return p.at + d + int64(float64(d)*p.drift)
}

// read is the node's time at true time t.
func (c *clock) read(t int64) int64 {
	c.last = max(c.last, c.pieces[len(c.pieces)-1].read(t))
	return c.last
}

// step jumps by by at true time t. A step back makes readings stand still.
func (c *clock) step(t, by int64) {
	p := &c.pieces[len(c.pieces)-1]
	c.pieces = append(c.pieces, piece{from: t, at: p.read(t) + by, drift: p.drift})
}

// when is the earliest true time from now on at which the clock may read at least
// local.
func (c *clock) when(now, local int64) int64 {
	p := &c.pieces[len(c.pieces)-1]
	d := local - p.read(now)
	if d <= 0 {
		return now + 1
	}
	return now + 1 + int64(float64(d)/(1+p.drift))
}

// earliest is the first true time at which the clock read local or more.
func (c *clock) earliest(local int64) int64 {
	// Readings never go back, so a piece's readings are at least what the ones
	// before it ended with: look for the first piece that reaches local.
	i := sort.Search(len(c.pieces), func(i int) bool {
		if i == len(c.pieces)-1 {
			return true
		}
		return c.highest(i) >= local
	})
	p := &c.pieces[i]
	if d := local - p.at; d > 0 {
		return p.from + int64(float64(d)/(1+p.drift)) - 1
	}
	return p.from
}

// highest is the largest reading until the end of piece i.
func (c *clock) highest(i int) int64 {
	h := int64(0)
	for j := range i + 1 {
		h = max(h, c.pieces[j].at)
		if j+1 < len(c.pieces) {
			h = max(h, c.pieces[j].read(c.pieces[j+1].from))
		}
	}
	return h
}
