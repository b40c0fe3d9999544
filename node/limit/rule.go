package limit

import (
	"fmt"
	"math"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/gcra"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/rights"
)

// Rule decides for the clients of a limit that share one policy: the limit's own, or that
// of an override. It holds no client's state. Make rules by Compile; the zero Rule decides
// nothing. Fields are read-only, so a Rule may be copied and is safe for concurrent use.
type Rule struct {
	// Index is 0 for the limit's own rule and i+1 for override i. Peers name rules by it,
	// so nodes have to be configured with the same overrides in the same order.
	Index uint16
	// Limit is the name of the rule's limit, and Revision the stamp from which on it is in
	// force: with Index they name the rule in the whole cluster. Compile leaves both empty for
	// whoever puts the rule into force.
	Limit    string
	Revision crdt.Stamp
	// Past has the other revisions of the limit; nil where there are none.
	Past Past
	// Policy is that of these clients: defaults filled in, without overrides.
	Policy Policy
	// Frame says where windows lie, and how counts of an earlier window drain.
	Frame crdt.Frame
	// Slots is how many states one client has: 1, but Resolution+1 for a window in parts.
	Slots int
	// Slack is MaxOvershoot·Burst, in units: how much all nodes together may admit unseen.
	// Drained is how long as many units take to drain, in nanoseconds; 0 if the rule is not Plain.
	Slack   float64
	Drained int64
	// Bounded says that a node decides by the right that it holds, because the Consistency is
	// Bounded.
	Bounded bool
	// Hold is how long doors let a request wait for loans; 0 if the rule is not Bounded.
	Hold time.Duration
	// Shares divide a Bounded rule among nodes; nil otherwise. Compile leaves it to whoever puts
	// the rule into force: see Divide.
	Shares *rights.Shares
	// Silent says that nothing of the rule is sent, because its Consistency is Local.
	Silent bool
	// Straight says that the algorithm is GCRA, and the limit no shadow. Nearly all decisions are by
	// such rules, so their path is the shortest. Plain says that the limit is not Bounded either.
	Straight, Plain bool
	// GCRA decides if Policy.Algorithm says so. A window algorithm has one too: it encodes
	// the units that a client carried over a change of the limit as an origin, which is an
	// instant. That GCRA drains at twice the rate. So a whole limit fits into half a
	// window, and into any calendar window, however short.
	GCRA *gcra.GCRA

	// One of these decides otherwise, and the other two are nil.
	fixed     *gcra.Fixed
	sliding   *gcra.Sliding
	segmented *gcra.Segmented
	// calendar is that of a fixed window whose length varies, or which does not begin at
	// the epoch; nil where width alone tells where windows lie.
	calendar *calendar
}

// Same reports whether two rules have one name in the cluster and decide alike.
func (r *Rule) Same(o *Rule) bool {
	return r.Limit == o.Limit && r.Revision == o.Revision && r.Index == o.Index && r.Policy.Same(o.Policy)
}

// Bounds of a replicated window's width for GCRA. The width is not the policy's window,
// because folding carries over what an earlier window leaves to drain.
const (
	// MinWidth is the narrowest. Lowering it forgets sooner what a short partition would
	// still repay. Raising it holds idle clients in memory for longer.
	MinWidth = 15 * time.Second
	// MaxWidth is the widest. Raising it locks clients out for longer after a partition.
	// Lowering it forgets more of what a long partition would repay.
	MaxWidth = 60 * time.Second
)

// mostPerWindow keeps every counter of a window below crdt.MaxTotal, at which counters
// stick. Raising it would let honest counts reach that. Lowering it refuses more policies.
const mostPerWindow = 1 << 52

// newRule judges a policy without overrides and makes its rule. The error joins a
// *FieldError for each field at fault. shared are the calendars of the same limit's rules.
func newRule(p Policy, shared calendars) (Rule, error) {
	p, err := p.complete()
	if err != nil {
		return Rule{}, err
	}
	r := Rule{
		Policy: p, Slots: 1, Slack: p.MaxOvershoot * float64(p.Burst),
		Silent: p.Consistency == Local, Straight: p.Algorithm == GCRA && !p.Shadow,
		Bounded: p.Consistency == Bounded && p.Access == Limited, Hold: p.holds(),
	}
	r.Plain = r.Straight && p.Consistency != Bounded
	if p.Access != Limited && p.Limit == 0 {
		p.Limit, p.Window, p.Burst = 1, time.Minute, 1 // stands in: nobody is counted by it
	}
	switch p.Algorithm {
	case GCRA:
		err = r.drain(p)
	case FixedWindow:
		err = r.fix(p, shared)
	case SlidingWindow:
		err = r.slide(p)
	default:
	}
	if err != nil {
		return Rule{}, err
	}
	return r, nil
}

// drain makes r a GCRA.
func (r *Rule) drain(p Policy) (err error) {
	if r.GCRA, err = gcra.New(gcra.Policy{Limit: p.Limit, Window: p.Window, Burst: p.Burst}); err != nil {
		return err
	}
	if r.GCRA.Units(2*int64(MaxWidth))+uint64(p.Burst) > mostPerWindow { //nolint:gosec // validated
		return &FieldError{Field: "limit", Value: p.Limit, Reason: fmt.Sprintf("allows more than %d units in %v, the most that a window counts", int64(mostPerWindow), 2*MaxWidth)}
	}
	r.Frame = crdt.Frame{Width: int64(min(max(p.Window, MinWidth), MaxWidth)), Drain: r.GCRA.Drain}
	if r.Plain {
		r.Drained = r.GCRA.Drain(uint64(min(math.Ceil(r.Slack), float64(p.Burst))))
	}
	return nil
}

// fix makes r a fixed window.
func (r *Rule) fix(p Policy, shared calendars) error {
	window := p.Window
	if p.Calendar != gcra.NoUnit {
		window = 0 // a complete policy has the calendar's longest window here
	}
	c, err := shared.get(calendarName{window, p.Calendar, p.TimeZone})
	if err != nil {
		return err
	}
	periods := c.periods
	if p.Calendar != gcra.NoUnit {
		r.Policy.Window = periods.Longest()
	}
	r.fixed = gcra.NewFixed(gcra.Policy{Limit: p.Limit, Window: p.Window, Burst: p.Limit}, periods)
	r.Frame = crdt.Frame{Width: int64(periods.Longest()), Drain: undrained}
	if periods.Shortest() != periods.Longest() || periods.Start(0) != 0 {
		r.calendar = c
		r.Frame.Align = c.start
	}
	return r.encodeCarried(p.Limit, periods.Shortest())
}

// slide makes r a sliding window, estimated or in parts.
func (r *Rule) slide(p Policy) error {
	g := gcra.Policy{Limit: p.Limit, Window: p.Window, Burst: p.Limit}
	width := p.Window
	if p.Resolution > 1 {
		r.segmented, r.Slots = gcra.NewSegmented(g, p.Resolution), p.Resolution+1
		width = time.Duration(int64(r.Slots) * r.segmented.Sub())
		r.Frame = crdt.Frame{Width: int64(width), Drain: undrained}
		return r.encodeCarried(p.Limit, time.Duration(r.segmented.Sub()))
	}
	r.sliding = gcra.NewSliding(g)
	r.Frame = crdt.Frame{Width: int64(width), Drain: undrained}
	return r.encodeCarried(p.Limit, width)
}

// undrained keeps what a window counted until that window is over.
func undrained(uint64) int64 { return 0 }

// encodeCarried makes the GCRA of a window algorithm: see Rule.GCRA. shortest is the
// shortest stretch in which one state counts.
func (r *Rule) encodeCarried(limit int64, shortest time.Duration) error {
	g, err := gcra.New(gcra.Policy{Limit: limit, Window: max(gcra.MinWindow, shortest/2)})
	if err != nil {
		return &FieldError{Field: "limit", Value: limit, Reason: fmt.Sprintf("is more than can be counted within %v", shortest)}
	}
	r.GCRA = g
	return nil
}

// WindowAt is the length of the policy's window that contains t. Only calendar windows
// vary.
func (r *Rule) WindowAt(t int64) time.Duration {
	if r.calendar == nil {
		return r.Policy.Window
	}
	return time.Duration(r.calendar.end(t) - r.calendar.start(t))
}

// Span is the stretch of time in which a slot's state counts, if the state's window starts
// at start.
func (r *Rule) Span(start int64, slot int) (from, to int64) {
	switch {
	case r.segmented != nil:
		from = start + int64(slot)*r.segmented.Sub()
		return from, from + r.segmented.Sub()
	case r.calendar != nil:
		return start, r.calendar.end(start)
	}
	return start, start + r.Frame.Width
}

// CountsUntil is the last instant at which a unit that a slot's state counts, in its window
// that starts at start, can still be told from others: GCRA folds a window when it is not one
// of the two live ones, and a window algorithm lets go of it.
func (r *Rule) CountsUntil(start int64, slot int) int64 {
	_, to := r.Span(start, slot)
	switch {
	case r.fixed != nil:
		return to - 1
	case r.segmented != nil:
		return to + int64(r.Policy.Window) - 1 // each part counts in full until the last of its time is a window ago
	}
	return to + r.Frame.Width - 1
}

// MostAlone is the number of units that one node admits to a client within one window if it
// hears nobody, less what drains meanwhile. For the estimate of a sliding window it is
// nearly twice the limit, because units of the window before pass too.
func (r *Rule) MostAlone() float64 {
	if r.sliding != nil {
		return float64(r.Policy.Burst) + float64(r.Policy.Burst-1)
	}
	return float64(r.Policy.Burst)
}
