package node

import (
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/gcra"
)

// rule is what decides for some clients of a limit: a revision's policy, or that of
// one of its overrides, ready to be applied. Immutable.
type rule struct {
	rev    *revision
	index  uint16 // 0 is the revision's own; as on the wire
	policy Policy // of these clients: without overrides
	frame  crdt.Frame
	slots  int     // states of a client: 1, but for a window in parts
	slack  float64 // MaxOvershoot·Burst, units
	silent bool    // nothing of it is sent
	plain  bool    // GCRA that denies: what nearly all decisions are, and quickest

	// One of these decides, by policy.Algorithm. gcra is there for window algorithms,
	// too: at twice the rate it is how an origin tells the units that were used before
	// a change, within any window, however short for its name.
	gcra      *gcra.GCRA
	fixed     *gcra.Fixed
	sliding   *gcra.Sliding
	segmented *gcra.Segmented
	calendar  *calendar // of a fixed window that is not always as long

	slower atomic.Pointer[slowed] // of OnIsolation share, as last used
}

// newRule judges a policy without overrides, and makes its rule. The error joins a
// *FieldError for each field at fault. laid are the calendars of the revision's other
// rules.
func newRule(p Policy, laid calendars) (*rule, error) {
	r := &rule{slots: 1}
	var err error
	if p, err = p.complete(); err != nil {
		return nil, err
	}
	r.policy, r.silent, r.plain = p, p.Consistency == Local, p.Algorithm == GCRA && !p.Shadow
	r.slack = p.MaxOvershoot * float64(p.Burst)
	if p.Access != Limited && p.Limit == 0 {
		p.Limit, p.Window, p.Burst = 1, time.Minute, 1 // stands in: nothing is counted by it
	}
	switch p.Algorithm {
	case GCRA:
		err = r.drain(p)
	case FixedWindow:
		err = r.fix(p, laid)
	case SlidingWindow:
		err = r.slide(p)
	default:
	}
	if err != nil {
		return nil, err
	}
	return r, nil
}

// Bounds of a replicated window's width for GCRA. It is not the policy's window:
// folding carries what matters beyond it. Narrower forgets what a short partition
// would still repay, wider locks clients out for longer after one.
const (
	minWidth = 15 * time.Second
	maxWidth = 60 * time.Second
)

// mostPerWindow keeps every counter of a window below crdt.MaxTotal.
const mostPerWindow = 1 << 52

func (r *rule) drain(p Policy) (err error) {
	if r.gcra, err = gcra.New(gcra.Policy{Limit: p.Limit, Window: p.Window, Burst: p.Burst}); err != nil {
		return err
	}
	if r.gcra.Units(2*int64(maxWidth))+uint64(p.Burst) > mostPerWindow { //nolint:gosec // validated
		return &FieldError{Field: "limit", Value: p.Limit, Reason: fmt.Sprintf("allows more than %d units in %v, the most that a window counts", int64(mostPerWindow), 2*maxWidth)}
	}
	r.frame = crdt.Frame{Width: int64(min(max(p.Window, minWidth), maxWidth)), Drain: r.gcra.Drain}
	return nil
}

func (r *rule) fix(p Policy, laid calendars) error {
	window := p.Window
	if p.Calendar != gcra.NoUnit {
		window = 0 // as filled in, where the policy was complete already
	}
	c, err := laid.get(calendarName{window, p.Calendar, p.TimeZone})
	if err != nil {
		return err
	}
	periods := c.periods
	if p.Calendar != gcra.NoUnit {
		r.policy.Window = periods.Longest()
	}
	r.fixed = gcra.NewFixed(gcra.Policy{Limit: p.Limit, Window: p.Window, Burst: p.Limit}, periods)
	r.frame = crdt.Frame{Width: int64(periods.Longest()), Drain: undrained}
	if periods.Shortest() != periods.Longest() || periods.Start(0) != 0 {
		r.calendar = c
		r.frame.Align = c.start
	}
	return r.recall(p.Limit, periods.Shortest())
}

func (r *rule) slide(p Policy) error {
	g := gcra.Policy{Limit: p.Limit, Window: p.Window, Burst: p.Limit}
	width := p.Window
	if p.Resolution > 1 {
		r.segmented, r.slots = gcra.NewSegmented(g, p.Resolution), p.Resolution+1
		width = time.Duration(int64(r.slots) * r.segmented.Sub())
		r.frame = crdt.Frame{Width: int64(width), Drain: undrained}
		return r.recall(p.Limit, time.Duration(r.segmented.Sub()))
	}
	r.sliding = gcra.NewSliding(g)
	r.frame = crdt.Frame{Width: int64(width), Drain: undrained}
	return r.recall(p.Limit, width)
}

// undrained: what was counted in a window stays counted until the window is over.
func undrained(uint64) int64 { return 0 }

// recall makes what an origin tells units by.
func (r *rule) recall(limit int64, shortest time.Duration) error {
	g, err := gcra.New(gcra.Policy{Limit: limit, Window: max(gcra.MinWindow, shortest/2)})
	if err != nil {
		return &FieldError{Field: "limit", Value: limit, Reason: fmt.Sprintf("is more than can be counted within %v", shortest)}
	}
	r.gcra = g
	return nil
}

// complete fills in defaults, and refuses what does not go together, each field once.
func (p Policy) complete() (Policy, error) {
	var faults []error
	refuse := func(field string, value any, reason string) {
		faults = append(faults, &FieldError{Field: field, Value: value, Reason: reason})
	}
	if p.MaxOvershoot < 0 || p.MaxOvershoot > 1 || p.MaxOvershoot != p.MaxOvershoot {
		refuse("max_overshoot", p.MaxOvershoot, "must be above 0 and at most 1, or 0 for the default")
	}
	if int(p.OnIsolation) >= len(isolationNames) {
		refuse("on_isolation", p.OnIsolation, "must be keep, share, open or closed")
	}
	if p.Algorithm >= algorithmEnd {
		refuse("algorithm", p.Algorithm, "must be gcra, fixed_window or sliding_window")
	}
	if p.Consistency >= consistencyEnd {
		refuse("consistency", p.Consistency, "must be eventual or local")
	}
	if p.Access >= accessEnd {
		refuse("block", p.Access, "must be limited, unlimited or blocked")
	}
	if p.IPv6Prefix < 0 || p.IPv6Prefix > 128 {
		refuse("ipv6_prefix", p.IPv6Prefix, "must be from 1 to 128, or 0 for the default")
	}
	windowed := p.Algorithm == FixedWindow || p.Algorithm == SlidingWindow
	if windowed && p.OnIsolation == IsolationShare {
		refuse("on_isolation", p.OnIsolation, "needs the algorithm gcra: a window cannot be drained at a share of its rate")
	}
	if windowed && p.Burst != 0 && p.Burst != p.Limit {
		refuse("burst", p.Burst, "is of gcra: with "+p.Algorithm.String()+" the whole limit may pass at once; leave it out")
	}
	if p.Algorithm != FixedWindow && p.Calendar != gcra.NoUnit {
		refuse("window", p.Calendar, "calendar windows need the algorithm fixed_window: give a number of seconds or a duration")
	}
	if p.Algorithm != FixedWindow && p.TimeZone != "" && p.TimeZone != "UTC" {
		refuse("time_zone", p.TimeZone, "needs the algorithm fixed_window, and a window of a day or longer")
	}
	switch {
	case p.Resolution < 0 || p.Resolution > MaxResolution:
		refuse("resolution", p.Resolution, fmt.Sprintf("must be from 1 to %d", MaxResolution))
	case p.Resolution > 1 && p.Algorithm != SlidingWindow:
		refuse("resolution", p.Resolution, "needs the algorithm sliding_window")
	}
	faults = append(faults, p.amounts())
	if p.TimeZone == "UTC" {
		p.TimeZone = ""
	}
	if p.Resolution == 1 {
		p.Resolution = 0
	}
	return p.withDefaults(), errors.Join(faults...)
}

// amounts judges limit, window and burst.
func (p Policy) amounts() error {
	if p.Access != Limited && p.Limit == 0 && p.Window == 0 && p.Burst == 0 {
		return nil
	}
	g := gcra.Policy{Limit: p.Limit, Window: p.Window, Burst: p.Burst}
	if p.Calendar != gcra.NoUnit {
		g.Window = time.Minute // there is a window: that it is of the calendar is judged elsewhere
	}
	switch p.Algorithm {
	case FixedWindow:
		// The window is judged where it is laid out.
		g.Window, g.Burst = time.Minute, 0
	case SlidingWindow:
		g.Burst = 0
		if p.Window < time.Second && p.Window > 0 {
			return errors.Join(g.Validate(), &FieldError{Field: "window", Value: p.Window, Reason: "must be at least 1s for sliding_window"})
		}
	default:
	}
	if err := g.Validate(); err != nil {
		return err
	}
	if p.Algorithm != GCRA && p.Limit > mostPerWindow {
		return &FieldError{Field: "limit", Value: p.Limit, Reason: fmt.Sprintf("must be at most %d, the most that a window counts", int64(mostPerWindow))}
	}
	return nil
}

func (p Policy) withDefaults() Policy {
	if p.Burst == 0 {
		p.Burst = p.Limit
	}
	if p.MaxOvershoot == 0 {
		p.MaxOvershoot = DefaultMaxOvershoot
	}
	return p
}
