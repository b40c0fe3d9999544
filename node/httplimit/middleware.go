package httplimit

import (
	"net/http"
	"slices"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/headers"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/keys"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/seldom"
)

// middleware is a Config without gaps.
type middleware struct {
	Config

	faults seldom.Warner
}

func (m *middleware) serve(w http.ResponseWriter, r *http.Request, next http.Handler) {
	if m.Skip != nil && m.Skip(r) {
		next.ServeHTTP(w, r)
		return
	}
	q, costs, err := m.request(r)
	switch {
	case err != nil:
		m.fail(w, r, next, err)
	case costs == nothing:
		next.ServeHTTP(w, r)
	case m.After != nil && costs == common:
		m.serveAndSettle(w, r, next, &q)
	default:
		d := m.Limiter.DoDetailed(q)
		if m.answer(w, r, next, &q, &d) {
			next.ServeHTTP(w, r)
		}
	}
}

// costs says which limits a request has to pass.
type costs uint8

const (
	nothing costs = iota // none
	own                  // limits that all have a cost of their own
	common               // also such as have the request's, which After can correct
)

// request is what the node is asked. The first limit without a cost of its own is the
// request's: the others without one take its cost.
func (m *middleware) request(r *http.Request) (q node.Request, of costs, err error) {
	limits := m.Limits
	if m.By != nil {
		if limits = m.By(r); len(limits) == 0 {
			return q, nothing, nil
		}
	}
	checks, first := make([]node.Check, len(limits)), -1
	for i, l := range limits {
		if checks[i], err = m.check(r, l); err != nil {
			return q, nothing, err
		}
		if l.Cost == nil && first < 0 {
			first = i
		}
	}
	if of = common; first < 0 {
		of, first, q.Cost = own, 0, checks[0].Cost
	} else {
		q.Cost = keys.CostOf(m.Cost, r)
	}
	q.Client, q.Limit = checks[first].Client, checks[first].Limit
	if len(checks) > 1 {
		q.Also = slices.Delete(checks, first, first+1)
	}
	q.Door, q.Hold = node.DoorHTTP, r.Context()
	return q, of, nil
}

// check is one limit that a request has to pass. Its Cost is 0 if it is the request's.
func (m *middleware) check(r *http.Request, l Limit) (c node.Check, err error) {
	key := l.Key
	if key.Zero() {
		key = m.Key
	}
	if c.Client, err = key.Find(r); err != nil {
		return c, err
	}
	if c.Limit = l.Name; c.Limit == "" {
		c.Limit = node.DefaultLimit
	}
	if l.Cost != nil {
		c.Cost = keys.CostOf(l.Cost, r)
	}
	return c, nil
}

// answer sets the fields of the answer, and answers itself if the request may not pass or
// nobody could decide. It reports whether the request may pass.
func (m *middleware) answer(w http.ResponseWriter, r *http.Request, next http.Handler, q *node.Request, d *node.Detail) bool {
	if d.Fault != nil && d.Reason != node.ReasonCostTooHigh {
		m.fail(w, r, next, d.Fault)
		return false
	}
	m.describe(w.Header(), q, d)
	m.tell(r, q, d)
	if !d.Allowed {
		m.Denied(w, r, *d)
	}
	return d.Allowed
}

// tell tells Config.Decided.
func (m *middleware) tell(r *http.Request, q *node.Request, d *node.Detail) {
	if m.Decided != nil {
		m.Decided(r.Context(), *q, *d)
	}
}

// describe writes the fields that Config.Headers wants.
func (m *middleware) describe(h http.Header, q *node.Request, d *node.Detail) {
	if m.Headers == HeadersIETF || m.Headers == HeadersBoth {
		ds := decisions(d)
		if len(ds) == 1+len(q.Also) {
			headers.Complete(q, ds, func(one node.Request) node.Decision { return m.Limiter.DoDetailed(one).Decision })
		}
		headers.Set(h, ds, headers.Partition(m.PartitionKey).Keys(q, len(ds)))
	}
	if m.Headers == HeadersLegacy || m.Headers == HeadersBoth {
		var now time.Time
		if m.ResetEpoch {
			now = time.Now()
		}
		headers.SetLegacy(h, &d.Decision, now)
	}
	headers.SetRetryAfter(h, &d.Decision)
}

// decisions are those of each limit, as far as they are known.
func decisions(d *node.Detail) []node.Decision {
	if len(d.Each) == 0 {
		return []node.Decision{d.Decision}
	}
	return slices.Clone(d.Each)
}

// fail asks what happens to a request that nobody could decide.
func (m *middleware) fail(w http.ResponseWriter, r *http.Request, next http.Handler, err error) {
	m.warn(err)
	if m.Failed(w, r, err) {
		next.ServeHTTP(w, r)
	}
}
