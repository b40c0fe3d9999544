package node

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
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
	if k, most, bounded := n.lineOf(&q); bounded {
		return n.waitInLine(ctx, q, k, most)
	}
	for {
		passed, pause, err := n.try(ctx, q)
		if passed || err != nil {
			return err
		}
		if err := sleep(ctx, pause, nil); err != nil {
			return err
		}
	}
}

// try asks once. If the request does not pass, pause is when to ask again, unless that is of no use.
func (n *Node) try(ctx context.Context, q Request) (passed bool, pause time.Duration, err error) {
	if err := ctx.Err(); err != nil {
		return false, 0, err
	}
	d := n.Do(q)
	if d.Allowed {
		return true, 0, nil
	}
	if !reasons[d.Reason].waits {
		return false, 0, &LimitedError{d}
	}
	if deadline, some := ctx.Deadline(); some && time.Until(deadline) < d.RetryAfter {
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

// lineOf is where a request of one bounded limit waits, and how many may wait there.
func (n *Node) lineOf(q *Request) (k crdt.Key, most int64, bounded bool) {
	if len(q.Also) > 0 || q.Policy != nil {
		return k, 0, false
	}
	l := n.limits.Get(q.Limit)
	r := l.Known(n.now())
	if r == nil || r.Policy.Consistency != Bounded {
		return k, 0, false
	}
	var net limit.Buffer
	rule, group, why := n.ruleFor(r, q.Client, cmp.Or(q.Cost, 1), &net)
	if why != ReasonOK || !rule.Bounded {
		return k, 0, false
	}
	return l.Key(q.Client, group), rule.Policy.Burst, true
}

// waitInLine waits behind those of the client who came before. Loans wake whoever comes first.
func (n *Node) waitInLine(ctx context.Context, q Request, k crdt.Key, most int64) error {
	lines := &n.holdings.Lines
	place := lines.Join(k, most)
	if place == nil {
		d := n.Do(q)
		if d.Allowed {
			return nil
		}
		return &LimitedError{d}
	}
	defer lines.Leave(k, place)
	for {
		pause := waitAtMost
		if lines.First(k, place) {
			passed, again, err := n.try(ctx, q)
			if passed || err != nil {
				return err
			}
			pause = again
		}
		if err := sleep(ctx, pause, place.Woken); err != nil {
			return err
		}
	}
}
