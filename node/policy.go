package node

import (
	"errors"
	"fmt"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/gcra"
)

// Policy is one named limit: Limit units of cost per Window for each client, at
// most Burst of them at once. The zero Policy is not valid: a rate has no default.
type Policy struct {
	// Limit is how many units a client may use per Window, 1 to 2^53.
	Limit int64
	// Window is the time that Limit refers to, 1 ms to 366 days.
	Window time.Duration
	// Burst is how many units may pass at one instant after a pause. 0 means Limit.
	// In any stretch of time w a client gets at most Burst + Limit·w/Window, so with
	// the default up to twice the limit in one window.
	Burst int64
	// MaxOvershoot is the share of Burst by which nodes together may typically
	// overshoot: the smaller, the sooner admissions are told to the peers, in more
	// messages. 0 means 0.1. It is a target, not the bound: see Stats.
	MaxOvershoot float64
	// OnIsolation is what the limit does while nodes of the cluster cannot hear each
	// other. The zero value goes on as ever.
	OnIsolation OnIsolation
}

// DefaultMaxOvershoot is Policy.MaxOvershoot where it is 0.
const DefaultMaxOvershoot = 0.1

// mostPerWindow keeps every counter of a window below crdt.MaxTotal.
const mostPerWindow = 1 << 52

func (p Policy) withDefaults() Policy {
	if p.Burst == 0 {
		p.Burst = p.Limit
	}
	if p.MaxOvershoot == 0 {
		p.MaxOvershoot = DefaultMaxOvershoot
	}
	return p
}

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

// FieldError says which field of a configuration or policy was refused, and why.
type FieldError = gcra.FieldError

// Bounds of a replicated window's width. It is not the policy's window: folding
// carries what matters beyond it. Narrower forgets what a short partition would
// still repay, wider locks clients out for longer after one.
const (
	minWidth = 15 * time.Second
	maxWidth = 60 * time.Second
)

func (p Policy) width() int64 { return int64(min(max(p.Window, minWidth), maxWidth)) }
