package node

import (
	"context"
	"fmt"
	"time"
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
// ends meanwhile, it returns ctx's error. Waiting requests are not served in order. It waits
// by the real clock, whatever Config.Now says.
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
