package node

import (
	"context"
	"fmt"
	"time"
)

// LimitedError is Wait's answer where waiting is of no use: the request would not pass
// before the deadline, or never.
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

// waitAtLeast and waitAtMost bound a pause: peers may use up meanwhile what was to
// drain, and a limit may be raised or a client reset.
const (
	waitAtLeast = time.Millisecond
	waitAtMost  = 5 * time.Second
)

// Wait takes one unit for the client from the limit "default" as soon as it may pass,
// or returns why not: ctx's error, or a *LimitedError at once if the wait would outlast
// ctx's deadline or have no end. Others who wait are not served in order. It waits by the
// real clock, whatever Config.Now says.
func (n *Node) Wait(ctx context.Context, clientID string) error {
	return n.WaitFor(ctx, Request{Client: clientID})
}

// Wait is Node.Wait for cost units of this limit.
func (l *Limiter) Wait(ctx context.Context, clientID string, cost int64) error {
	if cost == 0 {
		cost = -1 // a request's 0 stands for 1
	}
	return l.node.WaitFor(ctx, Request{Client: clientID, Limit: l.name, Cost: cost})
}

// WaitFor is Node.Wait for any request that takes something.
func (n *Node) WaitFor(ctx context.Context, q Request) error {
	if ctx == nil {
		return errNilContext
	}
	q.Peek = false
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		d := n.Do(q)
		if d.Allowed {
			return nil
		}
		if !reasons[d.Reason].waits {
			return &LimitedError{d}
		}
		if deadline, some := ctx.Deadline(); some && time.Until(deadline) < d.RetryAfter {
			return &LimitedError{d}
		}
		timer := time.NewTimer(min(max(d.RetryAfter, waitAtLeast), waitAtMost))
		select {
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		case <-timer.C:
		}
	}
}
