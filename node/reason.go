package node

import (
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/lending"
)

// Reason says why a decision is what it is.
type Reason uint8

// reasonOf is the reason for each verdict on a bounded limit.
var reasonOf = [...]Reason{lending.Covered: ReasonOK, lending.Over: ReasonOverLimit, lending.Short: ReasonShort}

// The reasons. The table below says which of them go with a request that passes.
const (
	ReasonOK              Reason = iota // within the limit
	ReasonOverLimit                     // the limit is used up; RetryAfter says until when
	ReasonShort                         // a bounded limit is not used up, but other nodes hold the right to the rest; this node has asked for it
	ReasonCostTooHigh                   // the cost is above the burst: it can never pass
	ReasonBadCost                       // the cost is below 1
	ReasonNoClient                      // the client id is empty
	ReasonClientTooLong                 // the client id is longer than MaxClientID
	ReasonUnknownLimit                  // no limit has this name
	ReasonFull                          // the client table is full and OnFull lets unknown clients pass
	ReasonPeek                          // nothing was decided, only looked
	ReasonIsolatedShare                 // this side of a partition has used up its share of the limit
	ReasonIsolatedOpen                  // over the limit, but the limit is open while nodes cannot hear each other
	ReasonIsolatedClosed                // the limit is closed while nodes cannot hear each other
	ReasonUnlimited                     // the limit, or an override, always lets this client pass
	ReasonBlocked                       // the limit, or an override, never lets this client pass
	ReasonShadow                        // the limit would have denied the request, but it is a shadow
	ReasonBadRequest                    // the request contradicts itself, or asks for too much at once
	ReasonBadPolicy                     // the policy that came with the request is not valid
	ReasonTooManyPolicies               // too many different policies come with requests
	ReasonTooManyHeld                   // the node holds too many reservations that are not settled
	reasonEnd
)

// reasons is the one table of the reasons.
var reasons = [reasonEnd]struct {
	name  string // as written in JSON and metrics
	class class
	// waits says that the same request may pass later, though RetryAfter need not say when.
	waits bool
	// wait is the RetryAfter, if no limit decided.
	wait time.Duration
	// stateless says that the answer takes no look at the client's state: the rule alone
	// gives it, or the client table has no room for a state.
	stateless bool
}{
	ReasonOK:              {name: "ok", class: passes},
	ReasonOverLimit:       {name: "over_limit", class: denies, waits: true},
	ReasonShort:           {name: "short", class: denies, waits: true},
	ReasonCostTooHigh:     {name: "cost_too_high", class: faulty, stateless: true},
	ReasonBadCost:         {name: "bad_cost", class: faulty, stateless: true},
	ReasonNoClient:        {name: "no_client", class: faulty, stateless: true},
	ReasonClientTooLong:   {name: "client_too_long", class: faulty, stateless: true},
	ReasonUnknownLimit:    {name: "unknown_limit", class: faulty, stateless: true},
	ReasonFull:            {name: "table_full", class: passes, stateless: true},
	ReasonPeek:            {name: "peek", class: passes},
	ReasonIsolatedShare:   {name: "isolated_share", class: denies, waits: true},
	ReasonIsolatedOpen:    {name: "isolated_open", class: passes},
	ReasonIsolatedClosed:  {name: "isolated_closed", class: denies, waits: true},
	ReasonUnlimited:       {name: "unlimited", class: passes, stateless: true},
	ReasonBlocked:         {name: "blocked", class: denies, stateless: true},
	ReasonShadow:          {name: "shadow", class: passes},
	ReasonBadRequest:      {name: "bad_request", class: faulty},
	ReasonBadPolicy:       {name: "bad_policy", class: faulty},
	ReasonTooManyPolicies: {name: "too_many_policies", class: lacking, waits: true, wait: time.Minute},
	ReasonTooManyHeld:     {name: "too_many_reservations", class: lacking, waits: true, wait: time.Second},
}

// class says who answered a request: a limit, or nobody.
type class uint8

const (
	passes  class = iota // a limit decided, and the request passes
	denies               // a limit decided, and the request does not pass
	faulty               // no limit decided: the request is at fault, and fails for every client
	lacking              // no limit decided: the node lacks the room that the request needs
)

// passes reports whether a request passes for this reason.
func (r Reason) passes() bool { return reasons[r].class == passes }

// free reports whether a request passes for this reason and uses nothing up.
func (r Reason) free() bool { return r.passes() && reasons[r].stateless }

// refused reports whether no limit decided, so that no limit counts the request.
func (r Reason) refused() bool { return reasons[r].class >= faulty }

// faulty reports whether the request itself is to blame: waiting is of no use.
func (r Reason) faulty() bool { return reasons[r].class == faulty }

// String is the reason as written in JSON and metrics.
func (r Reason) String() string {
	if r < reasonEnd {
		return reasons[r].name
	}
	return "unknown"
}
