package node

import "time"

// Decision is the answer to one request. Allowed tells whether it may pass; all
// else is for telling the client, and for finding out why. The zero Decision is a
// denial without a reason.
type Decision struct {
	Allowed bool
	// Limit names the limit that decided.
	Limit string
	// Quota, Window and Burst are that limit's policy at the time.
	Quota  int64
	Window time.Duration
	Burst  int64
	// Remaining is how many whole units would pass now, after this decision, 0 to
	// Burst.
	Remaining int64
	// RetryAfter is the time until the same request would pass if nothing else
	// arrives: 0 if it was allowed, the largest Duration if it never can.
	RetryAfter time.Duration
	// ResetAfter is the time until the client's whole burst is there again.
	ResetAfter time.Duration
	Reason     Reason
	// Degraded says that the node could not hear all its peers when it decided, so
	// that the error bound was wider than usual.
	Degraded bool
}

// Reason says why a decision is what it is.
type Reason uint8

// The reasons. All but ReasonOK, ReasonFull, ReasonPeek and ReasonIsolatedOpen go
// with a denial.
const (
	ReasonOK             Reason = iota // within the limit
	ReasonOverLimit                    // the limit is used up; RetryAfter says until when
	ReasonCostTooHigh                  // the cost is above the burst: it can never pass
	ReasonBadCost                      // the cost is below 1
	ReasonNoClient                     // the client id is empty
	ReasonClientTooLong                // the client id is longer than MaxClientID
	ReasonUnknownLimit                 // no limit has this name
	ReasonFull                         // the client table is full and OnFull lets unknown clients pass
	ReasonPeek                         // nothing was decided, only looked
	ReasonIsolatedShare                // the share of the limit is used up that is this side's of a partition
	ReasonIsolatedOpen                 // over the limit, but it is open while nodes cannot hear each other
	ReasonIsolatedClosed               // the limit is closed while nodes cannot hear each other
	reasonEnd
)

var reasonNames = [reasonEnd]string{
	"ok", "over_limit", "cost_too_high", "bad_cost", "no_client", "client_too_long", "unknown_limit", "table_full", "peek",
	"isolated_share", "isolated_open", "isolated_closed",
}

// String is the reason as written in JSON and metrics.
func (r Reason) String() string {
	if r < reasonEnd {
		return reasonNames[r]
	}
	return "unknown"
}

// MaxClientID is the longest client id in bytes. Hash what may be longer.
const MaxClientID = 1024

// DefaultLimit is the name of the limit that is meant where none is named.
const DefaultLimit = "default"

// Request asks for one decision. The zero Cost is 1, the zero Limit "default".
type Request struct {
	Client string // 1 to MaxClientID bytes
	Limit  string
	Cost   int64
	Peek   bool // look, take nothing
}
