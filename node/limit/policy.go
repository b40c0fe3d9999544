package limit

import (
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/gcra"
)

// Policy is one named limit: Limit units of cost per Window for each client. The zero
// Policy is not valid, because a rate has no default.
type Policy struct {
	// Algorithm is how the limit counts use. The zero value is GCRA.
	Algorithm Algorithm `json:",omitempty"`
	// Limit is how many units a client may use per Window, 1 to 2^53.
	Limit int64 `json:",omitempty"`
	// Window is the time that Limit refers to, 1 ms to 366 days. A FixedWindow takes a
	// week, a day, or a part of a day of at least 1 s into which the day divides evenly. A
	// SlidingWindow takes at least 1 s. Leave it out where you give a Calendar.
	Window time.Duration `json:",omitempty"`
	// Calendar names a FixedWindow's window instead: a second to a year. Weeks begin on
	// Monday. Once defaults are filled in, Window is the longest that this window can be.
	Calendar Calendar `json:",omitempty"`
	// TimeZone is the IANA name of the zone in which a FixedWindow of a day or longer
	// begins. The zero value is UTC.
	TimeZone string `json:",omitempty"`
	// Resolution is how many parts a SlidingWindow has, 1 to MaxResolution; 0 means 1. See
	// SlidingWindow.
	Resolution int `json:",omitempty"`
	// Burst is how many units may pass at one instant after a pause; GCRA only. 0 means
	// Limit. In any stretch of time w a client gets at most Burst + Limit·w/Window, so the
	// default admits up to twice the limit in one window.
	Burst int64 `json:",omitempty"`
	// MaxOvershoot is the share of Burst by which nodes together may typically
	// overshoot. A smaller share tells the peers sooner, in more messages. 0 means 0.1. It
	// is a target; Stats has the bound.
	MaxOvershoot float64 `json:",omitempty"`
	// OnIsolation is what the limit does while nodes of the cluster cannot hear each
	// other. The zero value changes nothing.
	OnIsolation OnIsolation `json:",omitempty"`
	// Consistency says whether nodes count together. The zero value is Eventual: they do.
	Consistency Consistency `json:",omitempty"`
	// MaxExcess is how much more than Burst nodes together may ever admit at once, whatever
	// happens to the network; for Consistency Bounded only. Below 1 it is a share of Burst,
	// from 1 on it is units, at most Burst. 0 is none. See docs/bounded.md.
	MaxExcess float64 `json:",omitempty"`
	// Hold is how long doors let a request for a Bounded limit wait for loans that are asked for,
	// at most MaxHold. 0 means DefaultHold, and NoHold is never.
	Hold time.Duration `json:",omitempty"`
	// Access is Limited, Unlimited (everybody passes) or Blocked (nobody does). The last
	// two need no Limit and no Window.
	Access Access `json:",omitempty"`
	// Shadow lets everything pass, and still decides, counts and reports.
	Shadow bool `json:",omitempty"`
	// IDs says whether ids are read as addresses for no other reason. The zero value reads
	// them so only where IPv6Prefix or an override does: see ReadsAddresses.
	IDs IDs `json:",omitempty"`
	// IPv6Prefix is how many bits of an IPv6 address count, 1 to 128: addresses that share
	// them are one client. 0 means 64 if an override is by CIDR, otherwise all. See
	// ReadsAddresses for when ids are read as addresses at all.
	IPv6Prefix int `json:",omitempty"`
	// Overrides are other policies for some of the clients. At most MaxOverrides.
	Overrides []Override `json:",omitempty"`
}

// Override replaces a limit's policy for some of its clients. Each of them still counts
// for itself. An override matches by exact id first, then by the longest network, then by
// the longest prefix.
type Override struct {
	// Name tells the override from others where decisions are counted, such as a tier's:
	// 1 to 64 of A-Z, a-z, 0-9, _, - and ., not OtherOverrides. Overrides of one limit may
	// share a name. The zero value counts with the limit itself.
	Name string `json:",omitempty"`
	// Clients are ids, Prefixes are beginnings of ids, and CIDRs are networks of ids that
	// are addresses. An override has at least one of them, and a policy none twice. A client
	// that is an address stands for it in all its spellings: see ParseAddress.
	Clients  []string `json:",omitempty"`
	Prefixes []string `json:",omitempty"`
	CIDRs    []string `json:",omitempty"`
	// Access is Limited, Unlimited (these clients pass) or Blocked (they do not). With the
	// last two leave the fields below out.
	Access Access `json:",omitempty"`
	// Limit, Window, Calendar and Burst replace the policy's where they are not zero. A new
	// Limit without a Burst has a burst of the same size.
	Limit    int64         `json:",omitempty"`
	Window   time.Duration `json:",omitempty"`
	Calendar Calendar      `json:",omitempty"`
	Burst    int64         `json:",omitempty"`
}

// Calendar is a unit of calendar time. The zero value is none.
type Calendar = gcra.Unit

// FieldError says which field of a configuration or policy is at fault, and why.
type FieldError = gcra.FieldError

// Caps of a Policy.
const (
	// MaxResolution caps Policy.Resolution. A client of a window in n parts takes the memory
	// of n+1, and a decision reads all of them: raising the cap makes the slowest decision
	// slower, lowering it makes the finest window coarser.
	MaxResolution = 60
	// MaxOverrides caps Policy.Overrides. Raising it lets one limit take more memory and
	// more time to compile; lowering it sends operators to several limits instead.
	MaxOverrides = 10_000
	// MaxClientID is the longest client id in bytes. Hash longer ids before you pass them.
	// Raising it makes the buffer larger in which keys are hashed; lowering it refuses ids
	// that worked.
	MaxClientID = 1024
	// MaxHold caps Policy.Hold. Raising it lets requests take up goroutines and connections for
	// longer; lowering it denies requests where round trips are long.
	MaxHold = time.Second
)

// NoHold is a Policy.Hold that lets no request wait.
const NoHold = time.Duration(-1)

// OtherOverrides is the name under which decisions are counted once a limit has had more
// names of overrides than a node counts apart.
const OtherOverrides = "other"

// Defaults of a Policy.
const (
	// DefaultMaxOvershoot is Policy.MaxOvershoot where it is 0. Raising it saves messages,
	// lowering it saves overshoot.
	DefaultMaxOvershoot = 0.1
	// DefaultHold is Policy.Hold of a Bounded limit where it is 0: a few round trips within a
	// data centre. Raising it lets requests wait that are denied in the end. Lowering it denies
	// requests whose loans are under way.
	DefaultHold = 10 * time.Millisecond
	// DefaultIPv6Prefix is Policy.IPv6Prefix where it is 0 and an override is by CIDR. A
	// provider usually gives one customer a network of this length: a longer prefix would
	// give that customer many clients' quota, a shorter one would put customers together.
	DefaultIPv6Prefix = 64
)

// WithDefaults returns p with its defaults filled in. It judges nothing: see Validate.
func (p Policy) WithDefaults() Policy {
	if p.Burst == 0 {
		p.Burst = p.Limit
	}
	if p.MaxOvershoot == 0 {
		p.MaxOvershoot = DefaultMaxOvershoot
	}
	return p
}

// under is the policy of an override's clients.
func (p Policy) under(o *Override) Policy {
	p.Overrides = nil
	if o.Access != Limited {
		p.Access = o.Access
		if !o.limits() {
			return p
		}
	}
	if p.Access != Limited && o.Access == Limited && o.Limit != 0 {
		p.Access = Limited
	}
	if o.Limit != 0 {
		p.Limit, p.Burst = o.Limit, 0
	}
	if o.Window != 0 {
		p.Window, p.Calendar = o.Window, 0
	}
	if o.Calendar != 0 {
		p.Window, p.Calendar = 0, o.Calendar
	}
	if o.Burst != 0 {
		p.Burst = o.Burst
	}
	return p
}

// limits reports whether the override replaces any part of the policy's rate.
func (o *Override) limits() bool {
	return o.Limit != 0 || o.Window != 0 || o.Calendar != 0 || o.Burst != 0
}

// sets reports whether the override gives a field of its own.
func (o *Override) sets(field string) bool {
	switch field {
	case "limit":
		return o.Limit != 0
	case "window":
		return o.Window != 0 || o.Calendar != 0
	case "burst":
		return o.Burst != 0
	case "block":
		return o.Access != Limited
	}
	return false
}
