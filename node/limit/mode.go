package limit

import (
	"fmt"
	"strings"
)

// Algorithm is how a limit counts what its clients use.
type Algorithm uint8

// The algorithms, each with the most that one client gets in any stretch as long as the
// window, on one node. docs/algorithms.md has the reasons, and the same for several nodes.
const (
	// GCRA drains continuously: Burst + Limit. It is the token bucket, and the leaky bucket
	// as a meter.
	GCRA Algorithm = iota
	// FixedWindow counts by calendar windows and admits the limit in each of them. A
	// stretch over the border of two windows gets twice the limit. Where windows differ in
	// length (a stretch of 31 days around a February) it gets three times the limit.
	FixedWindow
	// SlidingWindow counts the units of the last Window. With Resolution 1 it estimates
	// them from two windows: just below twice the limit. With more it counts them in so
	// many parts, and counts the part that is half over in full: the limit.
	SlidingWindow
	algorithmEnd
)

// Consistency says how far a limit's counts travel.
type Consistency uint8

// The consistencies.
const (
	// Eventual counts on all nodes together.
	Eventual Consistency = iota
	// Local counts on each node by itself, and sends nothing.
	Local
	// Bounded counts on all nodes together, and never admits more than Burst and MaxExcess: a
	// node admits no more than the right to it that it holds.
	Bounded
	consistencyEnd
)

// Access says whether a limit limits at all.
type Access uint8

// The kinds of access.
const (
	Limited   Access = iota
	Unlimited        // everybody passes, and nothing is counted against them
	Blocked          // nobody passes
	accessEnd
)

// IDs says what a limit takes its clients' ids for.
type IDs uint8

// The kinds of ids.
const (
	// IDsBytes are compared byte by byte, unless the policy reads addresses for another
	// reason: see Policy.ReadsAddresses.
	IDsBytes IDs = iota
	// IDsAddress are addresses where they are any, so that one address is one client in all
	// its spellings.
	IDsAddress
	idsEnd
)

// OnIsolation says what a limit does while nodes of the cluster do not hear each other. It
// applies on a node that does not hear all others, or that some others do not hear. The
// zero value is IsolationKeep.
//
// A silent node counts as cut off until it says bye, starts again under its name, or an
// operator removes it with Node.Forget. Nobody can tell a crash from a partition.
type OnIsolation uint8

// The choices on isolation.
const (
	// IsolationKeep changes nothing. Each side of a partition admits the whole rate, and
	// the error bound grows by as much.
	IsolationKeep OnIsolation = iota
	// IsolationShare gives the nodes that hear each other a share of the rate in
	// proportion to their number. The bound stays flat. A side gets less than it could
	// while the other side is idle.
	IsolationShare
	// IsolationOpen lets everything pass.
	IsolationOpen
	// IsolationClosed denies everything.
	IsolationClosed
	isolationEnd
)

// mode is a choice from a small set that has a name in files and JSON.
type mode interface{ ~uint8 }

// The names of each mode's values, in the order of its constants.
var (
	algorithmNames   = []string{"gcra", "fixed_window", "sliding_window"}
	consistencyNames = []string{"eventual", "local", "bounded"}
	accessNames      = []string{"limited", "unlimited", "blocked"}
	isolationNames   = []string{"keep", "share", "open", "closed"}
	idsNames         = []string{"bytes", "address"}
)

func nameOf[T mode](value T, names []string) string {
	if int(value) < len(names) {
		return names[value]
	}
	return "unknown"
}

// oneOf is "must be a, b or c".
func oneOf(names []string) string {
	last := len(names) - 1
	return "must be " + strings.Join(names[:last], ", ") + " or " + names[last]
}

// parse reads a mode's name. The error is a *FieldError that lists all names.
func parse[T mode](into *T, field string, text []byte, names []string) error {
	for i, name := range names {
		if name == string(text) {
			*into = T(i) //nolint:gosec // no mode has 256 values
			return nil
		}
	}
	return &FieldError{Field: field, Value: fmt.Sprintf("%.32q", text), Reason: oneOf(names)}
}

// String is the name in files and JSON.
func (a Algorithm) String() string { return nameOf(a, algorithmNames) }

// MarshalText implements encoding.TextMarshaler.
func (a Algorithm) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (a *Algorithm) UnmarshalText(text []byte) error {
	return parse(a, "algorithm", text, algorithmNames)
}

// String is the name in files and JSON.
func (c Consistency) String() string { return nameOf(c, consistencyNames) }

// MarshalText implements encoding.TextMarshaler.
func (c Consistency) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (c *Consistency) UnmarshalText(text []byte) error {
	return parse(c, "consistency", text, consistencyNames)
}

// String is the name in files and JSON.
func (a Access) String() string { return nameOf(a, accessNames) }

// MarshalText implements encoding.TextMarshaler.
func (a Access) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (a *Access) UnmarshalText(text []byte) error { return parse(a, "block", text, accessNames) }

// String is the name in files and JSON.
func (o OnIsolation) String() string { return nameOf(o, isolationNames) }

// MarshalText implements encoding.TextMarshaler.
func (o OnIsolation) MarshalText() ([]byte, error) { return []byte(o.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (o *OnIsolation) UnmarshalText(text []byte) error {
	return parse(o, "on_isolation", text, isolationNames)
}

// String is the name in files and JSON.
func (i IDs) String() string { return nameOf(i, idsNames) }

// MarshalText implements encoding.TextMarshaler.
func (i IDs) MarshalText() ([]byte, error) { return []byte(i.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (i *IDs) UnmarshalText(text []byte) error { return parse(i, "ids", text, idsNames) }
