package node

import (
	"errors"
	"maps"
	"strconv"
	"strings"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/limit"
)

// MaxCalledPolicies caps the different policies that come with requests. One that was
// not used for some windows makes room for another.
const MaxCalledPolicies = 1024

// called is a policy that comes with requests, as far as it may. It is its own name and
// its own revision, on the wire as well, so that any node can make the limit of it.
type called struct {
	algorithm   Algorithm
	calendar    Calendar
	isolation   OnIsolation
	consistency Consistency
	access      Access
	shadow      bool
	resolution  int
	limit       int64
	window      time.Duration
	burst       int64
}

// calledMark begins the names of such limits on the wire. No other limit's name has it.
const calledMark = "~"

// calledOf is nil-safe: false if the policy says what it may not.
func calledOf(p *Policy) (called, bool) {
	if len(p.Overrides) > 0 || p.IPv6Prefix != 0 || p.TimeZone != "" && p.TimeZone != "UTC" || p.MaxOvershoot != 0 && p.MaxOvershoot != DefaultMaxOvershoot {
		return called{}, false
	}
	c := called{
		algorithm: p.Algorithm, calendar: p.Calendar, isolation: p.OnIsolation, consistency: p.Consistency, access: p.Access, shadow: p.Shadow,
		resolution: p.Resolution, limit: p.Limit, window: p.Window, burst: p.Burst,
	}
	if c.calendar != 0 {
		c.window = 0
	}
	if c.burst == c.limit {
		c.burst = 0
	}
	if c.resolution == 1 {
		c.resolution = 0
	}
	return c, true
}

func (c *called) policy() Policy {
	return Policy{
		Algorithm: c.algorithm, Calendar: c.calendar, OnIsolation: c.isolation, Consistency: c.consistency, Access: c.access, Shadow: c.shadow,
		Resolution: c.resolution, Limit: c.limit, Window: c.window, Burst: c.burst,
	}
}

// name is c as text that parseCalled reads: at most 64 bytes.
func (c *called) name() string {
	shadow := int64(0)
	if c.shadow {
		shadow = 1
	}
	fields := []int64{
		int64(c.algorithm), int64(c.calendar), int64(c.isolation), int64(c.consistency), int64(c.access), shadow,
		int64(c.resolution), c.limit, int64(c.window), c.burst,
	}
	b := []byte(calledMark)
	for i, f := range fields {
		if i > 0 {
			b = append(b, '.')
		}
		if f != 0 {
			b = strconv.AppendInt(b, f, 36)
		}
	}
	return string(b)
}

var errCalled = errors.New("node: not the name of a policy")

// parseCalled reads a name from a peer.
func parseCalled(name string) (c called, err error) {
	texts := strings.Split(strings.TrimPrefix(name, calledMark), ".")
	if len(texts) != 10 {
		return c, errCalled
	}
	var f [10]int64
	for i, text := range texts {
		if text == "" {
			continue
		}
		if f[i], err = strconv.ParseInt(text, 36, 64); err != nil || f[i] < 0 || i < 7 && f[i] > 255 {
			return c, errCalled
		}
	}
	c = called{
		algorithm: Algorithm(f[0]), calendar: Calendar(f[1]), isolation: OnIsolation(f[2]), consistency: Consistency(f[3]), access: Access(f[4]), shadow: f[5] == 1,
		resolution: int(f[6]), limit: f[7], window: time.Duration(f[8]), burst: f[9],
	}
	if c.name() != name {
		return c, errCalled
	}
	return c, nil
}

// calls are the limits that came with requests, read without a lock.
type calls struct {
	byPolicy map[called]*namedLimit
	byName   map[string]*namedLimit
}

// called is the limit of a policy that came with a request.
func (g *registry) called(name string, p *Policy, now int64) (*namedLimit, Reason) {
	if name != "" && validLimitName(name) != nil {
		return nil, ReasonUnknownLimit
	}
	c, ok := calledOf(p)
	if !ok {
		return nil, ReasonBadPolicy
	}
	if l := g.calls.Load().byPolicy[c]; l != nil {
		l.use(now)
		return l, ReasonOK
	}
	if p.Validate() != nil {
		return nil, ReasonBadPolicy
	}
	l := g.addCalled(c, now)
	if l == nil {
		return nil, ReasonTooManyPolicies
	}
	return l, ReasonOK
}

// calledByName is the limit that a peer's message names, nil if the name is none or there
// is no room.
func (g *registry) calledByName(name string, now int64) *namedLimit {
	if l := g.calls.Load().byName[name]; l != nil {
		l.use(now)
		return l
	}
	c, err := parseCalled(name)
	if p := c.policy(); err != nil || p.Validate() != nil {
		return nil
	}
	return g.addCalled(c, now)
}

// addCalled makes the limit, nil if there is no room.
func (g *registry) addCalled(c called, now int64) *namedLimit {
	g.mu.Lock()
	defer g.mu.Unlock()
	held := g.calls.Load()
	if l := held.byPolicy[c]; l != nil {
		return l
	}
	next := &calls{byPolicy: maps.Clone(held.byPolicy), byName: maps.Clone(held.byName)}
	if len(next.byPolicy) >= MaxCalledPolicies {
		maps.DeleteFunc(next.byPolicy, func(_ called, l *namedLimit) bool { return l.idle(now) })
		maps.DeleteFunc(next.byName, func(_ string, l *namedLimit) bool { return l.idle(now) })
		if len(next.byPolicy) >= MaxCalledPolicies {
			return nil
		}
	}
	l := newLimit(c.name(), 0)
	l.account = g.calledAccount
	r, err := l.newRevision(c.policy(), crdt.Stamp{})
	if err != nil {
		return nil
	}
	if own := &r.rules[0]; own.Policy.Algorithm == GCRA {
		own.Frame.Width = coarse(own.Frame.Width)
	}
	l.insert(now, r)
	l.use(now)
	next.byPolicy[c], next.byName[l.name] = l, l
	g.calls.Store(next)
	return l
}

// coarse is one of three widths for those of GCRA: beats list the windows of each width
// that there is, and requests may come with as many as they like.
func coarse(width int64) int64 {
	switch {
	case width <= int64(limit.MinWidth):
		return int64(limit.MinWidth)
	case width <= int64(limit.MaxWidth)/2:
		return int64(limit.MaxWidth) / 2
	default:
		return int64(limit.MaxWidth)
	}
}

// use notes that a called limit is needed, to the second.
func (l *namedLimit) use(now int64) {
	if used := l.used.Load(); now-used > int64(time.Second) {
		l.used.Store(now)
	}
}

// idle: nobody counts under the limit any more. Where somebody does after all, as a
// client whose debt is longer, an entry still decides by the rule that it has.
func (l *namedLimit) idle(now int64) bool {
	r := &l.newest().rules[0]
	return now-l.used.Load() > 3*r.Frame.Width+r.GCRA.Depth()
}

// calledKey is a client's key under a limit that came with a request: other names count
// apart.
//
//go:noinline
func (n *Node) calledKey(l *namedLimit, name, client string) crdt.Key {
	var buf [256 + MaxClientID]byte
	b := append(append(buf[:0], l.prefix...), name...)
	b = append(append(b, 0), client...)
	hi, lo := n.hash.Hash128(b)
	return crdt.Key{Hi: hi, Lo: lo}
}
