package node

import (
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/gcra"
)

// Policy is one named limit: Limit units of cost per Window for each client. The zero
// Policy is not valid: a rate has no default.
type Policy struct {
	// Algorithm is how use is counted. The zero value is GCRA.
	Algorithm Algorithm `json:",omitempty"`
	// Limit is how many units a client may use per Window, 1 to 2^53.
	Limit int64 `json:",omitempty"`
	// Window is the time that Limit refers to, 1 ms to 366 days; for FixedWindow a part
	// of a day into which the day divides evenly, from 1 s on, a day, or a week; for
	// SlidingWindow at least 1 s. Leave it out where Calendar is given.
	Window time.Duration `json:",omitempty"`
	// Calendar names a FixedWindow's window instead: a second to a year. Weeks begin on
	// Monday. Window is the longest that it can be then.
	Calendar Calendar `json:",omitempty"`
	// TimeZone is that of a FixedWindow of a day or longer, by its IANA name. The zero
	// value is UTC.
	TimeZone string `json:",omitempty"`
	// Resolution is into how many parts a SlidingWindow is divided, 1 to MaxResolution;
	// 0 means 1. See SlidingWindow.
	Resolution int `json:",omitempty"`
	// Burst is how many units may pass at one instant after a pause; GCRA only. 0 means
	// Limit. In any stretch of time w a client gets at most Burst + Limit·w/Window, so
	// with the default up to twice the limit in one window.
	Burst int64 `json:",omitempty"`
	// MaxOvershoot is the share of Burst by which nodes together may typically
	// overshoot: the smaller, the sooner admissions are told to the peers, in more
	// messages. 0 means 0.1. It is a target, not the bound: see Stats.
	MaxOvershoot float64 `json:",omitempty"`
	// OnIsolation is what the limit does while nodes of the cluster cannot hear each
	// other. The zero value goes on as ever.
	OnIsolation OnIsolation `json:",omitempty"`
	// Consistency says whether nodes count together. The zero value is Eventual: they do.
	Consistency Consistency `json:",omitempty"`
	// Access is Limited unless everybody is let pass, or nobody; Limit and Window are
	// not needed then.
	Access Access `json:",omitempty"`
	// Shadow lets everything pass, and decides, counts and reports all the same.
	Shadow bool `json:",omitempty"`
	// IPv6Prefix is how many bits of a client id that is an IPv6 address count, 1 to
	// 128: addresses that share them are one client. 0 means 64 if an override is by
	// CIDR, and otherwise that ids are taken as they are.
	IPv6Prefix int `json:",omitempty"`
	// Overrides are other policies for some of the clients. At most MaxOverrides.
	Overrides []Override `json:",omitempty"`
}

// Override is what holds for some clients of a limit instead of its policy. Each of
// them still counts for itself. Of those that fit a client the one that names its id
// holds, else the one with the longest network, else that with the longest prefix.
type Override struct {
	// Clients are ids, Prefixes beginnings of ids, CIDRs networks that ids are
	// addresses in. At least one of them, and none twice in one policy.
	Clients  []string `json:",omitempty"`
	Prefixes []string `json:",omitempty"`
	CIDRs    []string `json:",omitempty"`
	// Access is Limited, Unlimited (allow) or Blocked. With the latter two the rest is
	// to be left out.
	Access Access `json:",omitempty"`
	// Limit, Window, Calendar and Burst replace the policy's where they are set. A new
	// Limit without a Burst has a burst of as much.
	Limit    int64         `json:",omitempty"`
	Window   time.Duration `json:",omitempty"`
	Calendar Calendar      `json:",omitempty"`
	Burst    int64         `json:",omitempty"`
}

// Calendar is a unit of calendar time. The zero value is none.
type Calendar = gcra.Unit

// Algorithm is how a limit counts what its clients use.
type Algorithm uint8

// The algorithms. What one client can get at most in any stretch as long as the window,
// on one node: docs/algorithms.md has the reasons, and what it is on several.
const (
	// GCRA drains continuously: Burst + Limit. It is the token bucket and the leaky
	// bucket as a meter.
	GCRA Algorithm = iota
	// FixedWindow counts by calendar windows: the limit in each of them, so twice the
	// limit on both sides of where two meet, and where they are not equally long (31 days
	// around a February) three times.
	FixedWindow
	// SlidingWindow counts what was used in the last Window. With Resolution 1 it is
	// estimated from two windows: just below twice the limit. With more it is counted
	// in so many parts, of which the one that is half over counts in full: the limit.
	SlidingWindow
	algorithmEnd
)

// Consistency says how far a limit's counts travel.
type Consistency uint8

// The choices.
const (
	// Eventual counts on all nodes together.
	Eventual Consistency = iota
	// Local counts on each node for itself: nothing is sent.
	Local
	consistencyEnd
)

// Access says whether a limit limits at all.
type Access uint8

// The choices.
const (
	Limited   Access = iota
	Unlimited        // everybody passes, nothing is counted against them
	Blocked          // nobody passes
	accessEnd
)

// Caps of a Policy.
const (
	MaxResolution = 60
	MaxOverrides  = 10_000
)

// DefaultMaxOvershoot is Policy.MaxOvershoot where it is 0.
const DefaultMaxOvershoot = 0.1

// FieldError says which field of a configuration or policy was refused, and why.
type FieldError = gcra.FieldError
