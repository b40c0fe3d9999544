package node

import (
	"errors"
	"fmt"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/gcra"
)

// mostPerWindow keeps every counter of a window below crdt.MaxTotal.
const mostPerWindow = 1 << 52

func (p Policy) gcra() gcra.Policy {
	return gcra.Policy{Limit: p.Limit, Window: p.Window, Burst: p.Burst}
}

// Validate reports every faulty field at once, each as a *FieldError, or nil.
func (p Policy) Validate() error {
	err := p.gcra().Validate()
	if p.MaxOvershoot < 0 || p.MaxOvershoot > 1 || p.MaxOvershoot != p.MaxOvershoot {
		err = errors.Join(err, &FieldError{Field: "max_overshoot", Value: p.MaxOvershoot, Reason: "must be above 0 and at most 1, or 0 for the default"})
	}
	if p.OnIsolation >= isolationEnd {
		err = errors.Join(err, &FieldError{Field: "on_isolation", Value: p.OnIsolation, Reason: "must be keep, share, open or closed"})
	}
	if p.Algorithm != GCRA {
		err = errors.Join(err, &FieldError{Field: "algorithm", Value: p.Algorithm, Reason: "not supported: must be gcra"})
	}
	if err != nil {
		return err
	}
	if g, err := gcra.New(p.gcra()); err != nil {
		return err
	} else if g.Units(2*int64(maxWidth))+uint64(p.withDefaults().Burst) > mostPerWindow { //nolint:gosec // validated
		return &FieldError{Field: "limit", Value: p.Limit, Reason: fmt.Sprintf("allows more than %d units in %v, the most that a window counts", int64(mostPerWindow), 2*maxWidth)}
	}
	return nil
}

// Bounds of a replicated window's width. It is not the policy's window: folding
// carries what matters beyond it. Narrower forgets what a short partition would
// still repay, wider locks clients out for longer after one.
const (
	minWidth = 15 * time.Second
	maxWidth = 60 * time.Second
)

func (p Policy) width() int64 { return int64(min(max(p.Window, minWidth), maxWidth)) }
