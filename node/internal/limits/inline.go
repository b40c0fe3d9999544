package limits

import (
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/gcra"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/tally"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/limit"
)

// InlineLimit is the name under which all inline limits are counted and reported. It says
// "called", because dashboards and alerts select by it.
const InlineLimit = "called"

// Errors of Inline.
var (
	ErrBadName       = errors.New("node: no limit can have this name")
	ErrBadPolicy     = errors.New("node: the policy that came with the request is not valid")
	ErrTooManyInline = errors.New("node: too many different policies come with requests of one origin; try again in a minute")
)

// inlinePolicy is a policy that came with a request. It is its own name and its only
// revision, on the wire too. So any node can make the limit from a message. Equal policies
// are one map key, however a request spells them.
type inlinePolicy struct {
	algorithm   limit.Algorithm
	calendar    limit.Calendar
	isolation   limit.OnIsolation
	consistency limit.Consistency
	access      limit.Access
	shadow      bool
	resolution  int
	limit       int64
	window      time.Duration
	burst       int64
}

// inlineMark begins the names of inline limits on the wire. ValidName refuses it, so no
// other limit has such a name.
const inlineMark = "~"

// inlineOf is p as an inline policy; false if p has a field that requests may not bring. p
// is not nil.
func inlineOf(p *limit.Policy) (inlinePolicy, bool) {
	if len(p.Overrides) > 0 || p.IPv6Prefix != 0 || p.IDs != limit.IDsBytes || p.TimeZone != "" && p.TimeZone != "UTC" || p.MaxOvershoot != 0 && p.MaxOvershoot != limit.DefaultMaxOvershoot ||
		p.Consistency == limit.Bounded || p.MaxExcess != 0 || p.Hold != 0 {
		return inlinePolicy{}, false
	}
	c := inlinePolicy{
		algorithm: p.Algorithm, calendar: p.Calendar, isolation: p.OnIsolation, consistency: p.Consistency, access: p.Access, shadow: p.Shadow,
		resolution: p.Resolution, limit: p.Limit, window: p.Window, burst: p.Burst,
	}
	if c.calendar != gcra.NoUnit {
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

func (c *inlinePolicy) policy() limit.Policy {
	return limit.Policy{
		Algorithm: c.algorithm, Calendar: c.calendar, OnIsolation: c.isolation, Consistency: c.consistency, Access: c.access, Shadow: c.shadow,
		Resolution: c.resolution, Limit: c.limit, Window: c.window, Burst: c.burst,
	}
}

// inlineFields is how many numbers an inline name has, and smallFields how many of them, from
// the first, are single bytes.
const inlineFields, smallFields = 10, 7

// name is c as text that parseInline reads: its fields in base 36, at most 64 bytes. Zero is
// written as nothing.
func (c *inlinePolicy) name() string {
	shadow := int64(0)
	if c.shadow {
		shadow = 1
	}
	fields := [inlineFields]int64{
		int64(c.algorithm), int64(c.calendar), int64(c.isolation), int64(c.consistency), int64(c.access), shadow,
		int64(c.resolution), c.limit, int64(c.window), c.burst,
	}
	b := []byte(inlineMark)
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

var errInline = errors.New("node: not the name of a policy")

// parseInline reads a name from a peer. It accepts exactly the names that name writes, so
// that two spellings of one policy cannot be two limits.
func parseInline(name string) (c inlinePolicy, err error) {
	texts := strings.Split(strings.TrimPrefix(name, inlineMark), ".")
	if len(texts) != inlineFields {
		return c, errInline
	}
	var f [inlineFields]int64
	for i, text := range texts {
		if text == "" {
			continue
		}
		if f[i], err = strconv.ParseInt(text, 36, 64); err != nil || f[i] < 0 || i < smallFields && f[i] > 255 {
			return c, errInline
		}
	}
	c = inlinePolicy{
		algorithm: limit.Algorithm(f[0]), calendar: limit.Calendar(f[1]), isolation: limit.OnIsolation(f[2]), consistency: limit.Consistency(f[3]),
		access: limit.Access(f[4]), shadow: f[5] == 1, resolution: int(f[6]), limit: f[7], window: time.Duration(f[8]), burst: f[9],
	}
	if c.name() != name || c.consistency == limit.Bounded {
		return c, errInline
	}
	return c, nil
}

// Inline is the limit of a policy that came with a request of an origin under a name, which
// may be empty. The error is ErrBadName, ErrBadPolicy or ErrTooManyInline. For a limit that is
// known it allocates nothing, and takes no lock unless the limit is new.
func (g *Registry) Inline(now int64, origin, name string, p *limit.Policy) (*Limit, error) {
	if name != "" && ValidName(name) != nil {
		return nil, ErrBadName
	}
	c, ok := inlineOf(p)
	if !ok {
		return nil, ErrBadPolicy
	}
	if l := g.inline.find(c); l != nil {
		l.touch(now)
		return l, nil
	}
	if p.Validate() != nil {
		return nil, ErrBadPolicy
	}
	if l := g.addInline(now, g.inline.origin(origin), c); l != nil {
		return l, nil
	}
	return nil, ErrTooManyInline
}

// OnWire is the limit that a message of a peer names, nil if there is none. An inline limit is
// made from its name, if that is valid and there is room.
func (g *Registry) OnWire(now int64, peer crdt.Replica, name string) *Limit {
	if !strings.HasPrefix(name, inlineMark) {
		return g.Get(name)
	}
	c, err := parseInline(name)
	if err != nil {
		return nil
	}
	if l := g.inline.find(c); l != nil {
		l.touch(now)
		return l
	}
	if p := c.policy(); p.Validate() != nil {
		return nil
	}
	return g.addInline(now, uint64(peer), c)
}

// addInline makes the limit of a valid policy, nil if there is no room.
func (g *Registry) addInline(now int64, origin uint64, c inlinePolicy) *Limit {
	return g.inline.add(now, origin, c, func() *Limit {
		l := newLimit(c.name(), 0, g.cfg.Keys)
		l.Account = g.inlineAccount
		r, err := l.newRevision(c.policy(), crdt.Stamp{})
		if err != nil {
			return nil
		}
		r.Stated = true // its name states it
		if own := &r.Rules[0]; own.Policy.Algorithm == limit.GCRA {
			own.Frame.Width = coarse(own.Frame.Width)
			r.Frames[0].Width = own.Frame.Width
		}
		l.insert(now, r)
		return l
	})
}

// AllInline lists the inline limits that are known, in any order.
func (g *Registry) AllInline() []*Limit { return g.inline.all() }

// InlineAccount is the account of all inline limits.
func (g *Registry) InlineAccount() *tally.Account { return g.inlineAccount }

// coarse is the next of three widths for GCRA. Beats list the windows of each width that
// there is, and requests may come with as many widths as they like.
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
