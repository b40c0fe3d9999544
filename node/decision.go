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
