package node

import "time"

// Decision is the answer to one request. Allowed says whether the request may pass.
// Everything else is for the client, and for finding out why. The zero Decision is a denial
// without a reason.
type Decision struct {
	Allowed bool
	// Cost is the number of units that the node took: the request's cost, or with
	// Request.AtMost the part that fitted. 0 for a denial.
	Cost int64
	// Limit names the limit that decided. Of several limits, it names the one that binds. If
	// limits deny, that is the one that denies for the longest time. Otherwise it is the one
	// with the least left.
	Limit string
	// Quota, Window and Burst are that limit's policy at the time. They are 0 for a client
	// that is unlimited or blocked: it has no quota.
	Quota  int64
	Window time.Duration
	Burst  int64
	// Remaining is the number of whole units that would pass now, after this decision, 0 to
	// Burst. It says nothing about a client that is unlimited.
	Remaining int64
	// RetryAfter is the time until the same request would pass if nothing else
	// arrives: 0 if it was allowed, the largest Duration if it never can. It can be longer
	// than Window if the cost is above Quota, or while the client is beyond its limit: after
	// nodes admitted at once, a commit above its estimate, or a change to a lower limit.
	RetryAfter time.Duration
	// ResetAfter is the time until the client has its whole burst again.
	ResetAfter time.Duration
	Reason     Reason
	// Degraded says that the node did not hear all its peers when it decided, so the error
	// bound was wider than usual.
	Degraded bool
}
