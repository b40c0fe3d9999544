package node

import "time"

// Decision is the answer to one request. Allowed tells whether it may pass; all
// else is for telling the client, and for finding out why. The zero Decision is a
// denial without a reason.
type Decision struct {
	Allowed bool
	// Cost is how many units were taken: what was asked for, with Request.AtMost what
	// fitted of it, and 0 for a denial.
	Cost int64
	// Limit names the limit that decided; of several the one that binds: where the
	// request was denied the one that lets it pass last, else the one of which the
	// least is left.
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

// The reasons. All but ReasonOK, ReasonFull, ReasonPeek, ReasonIsolatedOpen,
// ReasonUnlimited and ReasonShadow go with a denial.
const (
	ReasonOK              Reason = iota // within the limit
	ReasonOverLimit                     // the limit is used up; RetryAfter says until when
	ReasonCostTooHigh                   // the cost is above the burst: it can never pass
	ReasonBadCost                       // the cost is below 1
	ReasonNoClient                      // the client id is empty
	ReasonClientTooLong                 // the client id is longer than MaxClientID
	ReasonUnknownLimit                  // no limit has this name
	ReasonFull                          // the client table is full and OnFull lets unknown clients pass
	ReasonPeek                          // nothing was decided, only looked
	ReasonIsolatedShare                 // the share of the limit is used up that is this side's of a partition
	ReasonIsolatedOpen                  // over the limit, but it is open while nodes cannot hear each other
	ReasonIsolatedClosed                // the limit is closed while nodes cannot hear each other
	ReasonUnlimited                     // the limit, or an override, lets this client pass always
	ReasonBlocked                       // the limit, or an override, never lets this client pass
	ReasonShadow                        // over the limit, but it is a shadow: nobody is denied
	ReasonBadRequest                    // the request contradicts itself, or asks for too much at once
	ReasonBadPolicy                     // the policy that came with the request is not valid
	ReasonTooManyPolicies               // too many different policies come with requests
	ReasonTooManyHeld                   // the node holds too many reservations that are not settled
	reasonEnd
)

var reasonNames = [reasonEnd]string{
	"ok", "over_limit", "cost_too_high", "bad_cost", "no_client", "client_too_long", "unknown_limit", "table_full", "peek",
	"isolated_share", "isolated_open", "isolated_closed",
	"unlimited", "blocked", "shadow", "bad_request", "bad_policy", "too_many_policies", "too_many_reservations",
}

// String is the reason as written in JSON and metrics.
func (r Reason) String() string {
	if r < reasonEnd {
		return reasonNames[r]
	}
	return "unknown"
}

// DefaultLimit is the name of the limit that is meant where none is named.
const DefaultLimit = "default"

// Request asks for one decision. The zero Cost is 1, the zero Limit "default".
type Request struct {
	Client string // 1 to MaxClientID bytes
	Limit  string
	Cost   int64
	Peek   bool // look, take nothing
	// AtMost takes as much of Cost as fits, if that is at least 1.
	AtMost bool
	// Policy comes with the request, as gateways do it: Limit is a name for it then,
	// and need not be known. Clients are counted by name and policy, so another policy
	// is another count. Without Overrides, and a TimeZone other than UTC. All such limits
	// are counted as one in Stats, under the name CalledLimit, and at most
	// MaxCalledPolicies different ones are known at once.
	Policy *Policy
	// Timeout is how long a reservation may be settled. 0 means 60 s, at most MaxTimeout.
	// What can be given back shrinks meanwhile: what drained is there again, and what was
	// taken more than a window of at least 15 s ago may not be returned any more.
	Timeout time.Duration
	// Also are further limits that have to admit the request: it passes if all do, and
	// is charged to none if one does not. At most MaxChecks.
	Also []Check
}

// Check is one more limit that a request has to pass. The zero Client and Cost are the
// request's, and so are Limit and Policy where neither is given.
type Check struct {
	Client string
	Limit  string
	Cost   int64
	Policy *Policy
}

// MaxChecks caps Request.Also.
const MaxChecks = 15

// MaxTimeout caps Request.Timeout.
const MaxTimeout = 10 * time.Minute

// CalledLimit is the name under which limits that come with requests are counted.
const CalledLimit = "called"
