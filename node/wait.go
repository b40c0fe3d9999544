package node

import (
	"cmp"
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/line"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/limit"
)

// LimitedError is Wait's answer if waiting is of no use: the request would pass after the
// deadline, or never.
type LimitedError struct{ Decision Decision }

// Error reads "node: limit login: over_limit: passes in 12s, after the deadline".
func (e *LimitedError) Error() string {
	d := &e.Decision
	text := fmt.Sprintf("node: limit %s: %s", d.Limit, d.Reason)
	if d.Reason == ReasonOverLimit {
		text += fmt.Sprintf(": passes in %v, after the deadline", d.RetryAfter.Round(time.Millisecond))
	}
	return text
}

const (
	// waitAtLeast is the shortest pause between two tries. Raising it delays requests whose
	// time has nearly come; lowering it lets Wait spin while peers use up what drains.
	waitAtLeast = time.Millisecond
	// waitAtMost is the longest. Raising it makes Wait notice later that a limit was raised
	// or a client reset; lowering it tries more often in vain.
	waitAtMost = 5 * time.Second
)

// Wait takes one unit for the client from the limit "default" as soon as it may pass. If
// that would be after ctx's deadline, or never, it returns a *LimitedError at once. If ctx
// ends meanwhile, it returns ctx's error. Waiting requests are not served in order, but for those of
// a client of a bounded limit: at most a burst of them wait in line, and loans wake the first. It
// waits by the real clock, whatever Config.Now says.
func (n *Node) Wait(ctx context.Context, clientID string) error {
	return n.WaitFor(ctx, Request{Client: clientID})
}

// Wait is Node.Wait for cost units of this limit.
func (l *Limiter) Wait(ctx context.Context, clientID string, cost int64) error {
	if cost == 0 {
		cost = -1 // in a request, 0 means 1
	}
	return l.node.WaitFor(ctx, Request{Client: clientID, Limit: l.name, Cost: cost})
}

// WaitFor is Node.Wait for any request that takes something.
func (n *Node) WaitFor(ctx context.Context, q Request) error {
	if ctx == nil {
		return errNilContext
	}
	q.Peek = false
	w := waiter{n, ctx, q}
	if k, rule, bounded := n.lineOf(&q); bounded {
		return w.inLine(k, rule)
	}
	for {
		passed, pause, err := w.try()
		if passed || err != nil {
			return err
		}
		if err := sleep(ctx, pause, nil); err != nil {
			return err
		}
	}
}

// waiter is one request that waits until it passes.
type waiter struct {
	node *Node
	ctx  context.Context //nolint:containedctx // it is the call's, and lives no longer
	ask  Request
}

// try asks once. If the request does not pass, pause is when to ask again, unless that is of no use.
func (w *waiter) try() (passed bool, pause time.Duration, err error) {
	if err := w.ctx.Err(); err != nil {
		return false, 0, err
	}
	d := w.node.Do(w.ask)
	if d.Allowed {
		return true, 0, nil
	}
	if !reasons[d.Reason].waits {
		return false, 0, &LimitedError{d}
	}
	if deadline, some := w.ctx.Deadline(); some && time.Until(deadline) < d.RetryAfter && d.Reason != ReasonShort { // loans may come sooner
		return false, 0, &LimitedError{d}
	}
	return false, min(max(d.RetryAfter, waitAtLeast), waitAtMost), nil
}

// sleep waits for d, or until woken has something. The error is ctx's.
func sleep(ctx context.Context, d time.Duration, woken <-chan struct{}) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
	case <-woken:
	}
	return nil
}

// lineOf is where a request of one bounded limit waits, and by which rule.
func (n *Node) lineOf(q *Request) (k crdt.Key, rule *limit.Rule, bounded bool) {
	if len(q.Also) > 0 || q.Policy != nil {
		return k, nil, false
	}
	l := n.limits.Get(q.Limit)
	r := l.Known(n.now())
	if r == nil || r.Policy.Consistency != Bounded {
		return k, nil, false
	}
	var net limit.Buffer
	rule, group, why := n.ruleFor(r, q.Client, cmp.Or(q.Cost, 1), &net)
	if why != ReasonOK || !rule.Bounded {
		return k, nil, false
	}
	return l.Key(q.Client, group), rule, true
}

// inLine waits behind those of the client who came before. Loans wake whoever comes first. What the
// others lack is asked for as well, so that one question serves the whole line.
func (w *waiter) inLine(k crdt.Key, rule *limit.Rule) error {
	lines := &w.node.holdings.Lines
	place := lines.Join(k, rule.Policy.Burst)
	if place == nil {
		d := w.node.Do(w.ask)
		if d.Allowed {
			return nil
		}
		return &LimitedError{d}
	}
	defer lines.Leave(k, place)
	if !lines.First(k, place) {
		w.node.holdings.Lack(k, rule, w.node.now(), cmp.Or(w.ask.Cost, 1))
	}
	for {
		pause := waitAtMost
		if lines.First(k, place) {
			passed, again, err := w.try()
			if passed || err != nil {
				return err
			}
			pause = again
		}
		if err := sleep(w.ctx, pause, place.Woken); err != nil {
			return err
		}
	}
}

// MaxHolding caps the requests that a node holds at one time. Each takes a goroutine of its door,
// and some 300 bytes here. Raising it lets a flood of clients take more of both; lowering it denies
// bursts of many clients whose loans are under way. Beyond it nothing waits.
const MaxHolding = 1 << 14

// queue is where a request may wait, by whose rule, and for how long. In the zero value it may not.
type queue struct {
	key  crdt.Key
	rule *limit.Rule
	hold time.Duration
}

// holder lets requests at doors wait for loans. The zero value holds none; set node.
type holder struct {
	node *Node
	held atomic.Int64 // requests that wait, at most MaxHolding but for moments
}

// decide decides a request. If loans that were asked for are all that it lacks, it lets the request
// wait for them, as long as its Hold lasts. What passes at once may overtake those that wait.
func (h *holder) decide(q *Request, t *told) Decision {
	d := h.node.do(q, t)
	if t.queue.hold == 0 {
		return d
	}
	return h.inLine(q, t, d)
}

// inLine lets a request wait behind those of its client that came before. It decides again when
// a loan wakes it, when the node has earned what it lacks, and when its time is over. Only the last
// decision counts in the statistics. It returns d, which nobody counted, if the caller is gone.
func (h *holder) inLine(q *Request, t *told, d Decision) Decision {
	here, lines := t.queue, &h.node.holdings.Lines
	var place *line.Place
	defer h.held.Add(-1)
	if h.held.Add(1) <= MaxHolding {
		place = lines.Join(here.key, here.rule.Policy.Burst)
	}
	if place == nil {
		return h.last(q, t)
	}
	defer lines.Leave(here.key, place)
	h.node.holdings.Tally(here.rule).Held.Add(1)
	until := time.Now().Add(here.hold)
	timer := time.NewTimer(here.hold)
	defer timer.Stop()
	for {
		pause := time.Until(until)
		if lines.First(here.key, place) {
			pause = min(pause, max(d.RetryAfter, waitAtLeast))
		}
		timer.Reset(pause)
		select {
		case <-q.Hold.Done():
			return d
		case <-h.node.stop:
			return h.last(q, t)
		case <-timer.C:
		case <-place.Woken:
		}
		switch {
		case !time.Now().Before(until):
			return h.last(q, t)
		case !lines.First(here.key, place):
			continue
		}
		if d = h.again(q, t); t.queue.hold == 0 {
			return d
		}
	}
}

// again decides a request that was decided before.
func (h *holder) again(q *Request, t *told) Decision {
	t.queue, t.fault = queue{}, nil
	if t.detail != nil {
		t.detail.Each = t.detail.Each[:0]
	}
	return h.node.do(q, t)
}

// last decides a request that does not wait any longer.
func (h *holder) last(q *Request, t *told) Decision {
	q.Hold = nil
	return h.again(q, t)
}
