package gcra_test

import (
	"math/big"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/gcra"
)

// The textbook: the two formulations of GCRA in ITU-T I.371 Annex A and ATM Forum
// Traffic Management 4.0 section 4.4.2, with a cost per cell. Every time is
// multiplied by Limit, which makes the emission interval T = Window/Limit the
// integer Window, so that nothing is ever rounded.

// scale is a policy in units of 1/Limit nanoseconds.
type scale struct {
	limit, window, burst big.Int
	a, b                 big.Int // scratch
}

func (s *scale) init(p gcra.Policy) {
	p = p.WithDefaults()
	s.limit.SetInt64(p.Limit)
	s.window.SetInt64(int64(p.Window))
	s.burst.SetInt64(p.Burst)
}

// instant sets z to t.
func (s *scale) instant(z *big.Int, t int64) *big.Int {
	s.a.SetInt64(t)
	return z.Mul(&s.a, &s.limit)
}

// increment sets z to I = cost·T.
func (s *scale) increment(z *big.Int, cost int64) *big.Int {
	s.a.SetInt64(cost)
	return z.Mul(&s.a, &s.window)
}

// tolerance sets z to L = (Burst - cost)·T, which for single cells is the
// textbook's burst tolerance of (Burst - 1)·T.
func (s *scale) tolerance(z *big.Int, cost int64) *big.Int {
	s.a.SetInt64(cost)
	s.b.Sub(&s.burst, &s.a)
	return z.Mul(&s.b, &s.window)
}

// virtualScheduling is GCRA(I, L) as the virtual scheduling algorithm.
type virtualScheduling struct {
	scale
	started       bool
	tat           big.Int
	ta, late, inc big.Int // scratch
}

func newVirtualScheduling(p gcra.Policy) *virtualScheduling {
	v := &virtualScheduling{}
	v.init(p)
	return v
}

func (v *virtualScheduling) arrive(t, cost int64) (conforms bool) {
	v.instant(&v.ta, t)
	if !v.started { // At the time of arrival of the first cell, TAT = ta(1).
		v.started = true
		v.tat.Set(&v.ta)
	}
	if v.tat.Cmp(&v.ta) < 0 {
		v.tat.Add(&v.ta, v.increment(&v.inc, cost))
		return true
	}
	v.late.Add(&v.ta, v.tolerance(&v.late, cost))
	if v.tat.Cmp(&v.late) > 0 {
		return false
	}
	v.tat.Add(&v.tat, v.increment(&v.inc, cost))
	return true
}

// leakyBucket is GCRA(I, L) as the continuous-state leaky bucket algorithm.
type leakyBucket struct {
	scale
	started            bool
	content            big.Int // X
	last               big.Int // LCT, the last compliance time
	ta, next, tol, inc big.Int // scratch
}

func newLeakyBucket(p gcra.Policy) *leakyBucket {
	l := &leakyBucket{}
	l.init(p)
	return l
}

func (l *leakyBucket) arrive(t, cost int64) (conforms bool) {
	l.instant(&l.ta, t)
	if !l.started { // At the time of arrival of the first cell, X = 0 and LCT = ta(1).
		l.started = true
		l.last.Set(&l.ta)
	}
	l.next.Sub(&l.ta, &l.last)
	l.next.Sub(&l.content, &l.next) // X' = X - (ta - LCT)
	if l.next.Sign() < 0 {
		l.next.SetInt64(0)
	} else if l.next.Cmp(l.tolerance(&l.tol, cost)) > 0 {
		return false
	}
	l.content.Add(&l.next, l.increment(&l.inc, cost))
	l.last.Set(&l.ta)
	return true
}

// ideal follows what was admitted, whether it conformed or not, and so knows the
// exact TAT that a decision should have been made from.
type ideal struct {
	scale
	started   bool
	tat       big.Int
	x, y, rem big.Int // scratch
}

func newIdeal(p gcra.Policy) *ideal {
	i := &ideal{}
	i.init(p)
	return i
}

// excess sets z to how far a request at t goes beyond the policy, in 1/Limit
// nanoseconds: it conforms if that is not positive.
func (i *ideal) excess(z *big.Int, t, cost int64) *big.Int {
	i.instant(z, t)
	if !i.started || i.tat.Cmp(z) < 0 {
		z.SetInt64(0)
	} else {
		z.Sub(&i.tat, z)
	}
	return z.Sub(z, i.tolerance(&i.y, cost))
}

// admit notes that a request was admitted.
func (i *ideal) admit(t, cost int64) {
	i.instant(&i.x, t)
	if !i.started || i.tat.Cmp(&i.x) < 0 {
		i.tat.Set(&i.x)
		i.started = true
	}
	i.tat.Add(&i.tat, i.increment(&i.x, cost))
}

// ahead sets z to how far the integer tat is ahead of the exact one, in 1/Limit
// nanoseconds.
func (i *ideal) ahead(z *big.Int, tat int64) *big.Int {
	return z.Sub(i.instant(z, tat), &i.tat)
}

// whenEmpty is the first instant at which the bucket is full again, rounded up.
func (i *ideal) whenEmpty() int64 { return i.ceil(&i.tat) }

// whenConforms is the first instant at which cost conforms, rounded up.
func (i *ideal) whenConforms(cost int64) int64 {
	return i.ceil(i.x.Sub(&i.tat, i.tolerance(&i.y, cost)))
}

// ceil divides by Limit, upwards.
func (i *ideal) ceil(x *big.Int) int64 {
	q, _ := i.y.DivMod(x, &i.limit, &i.rem)
	t := q.Int64()
	if i.rem.Sign() > 0 {
		t++
	}
	return t
}
