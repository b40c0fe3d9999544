package node

import "time"

// Request asks for one decision. The zero Cost is 1, the zero Limit "default".
type Request struct {
	Client string // 1 to MaxClientID bytes
	Limit  string
	Cost   int64
	Peek   bool // look, take nothing
	// AtMost takes as much of Cost as fits, if that is at least 1.
	AtMost bool
	// Policy comes with the request, as gateways do it. Limit is a name for it then, which
	// no limit needs to have. Clients are counted by name and policy: under another policy
	// they start anew. Such a policy has no Overrides, and no TimeZone other than UTC. Stats
	// counts all limits that come with requests as one, under the name InlineLimit. A node
	// knows at most MaxInlinePolicies different policies at once.
	Policy *Policy
	// Timeout is how long a reservation can be settled. 0 means 60 s, at most MaxTimeout.
	// Less can be given back as time goes on: what has drained is free again already, and
	// cost that was taken more than a window of at least 15 s ago may be out of reach.
	Timeout time.Duration
	// Also are further limits that have to admit the request. It passes if all do, and is
	// charged to none if one does not. At most MaxChecks.
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

// MaxChecks caps Request.Also. A decision locks a shard for each of them, so raising it
// makes other decisions wait for longer; lowering it refuses requests of more limits.
const MaxChecks = 15

// MaxTimeout caps Request.Timeout. Raising it keeps reservations for longer of which little
// can be given back any more; lowering it leaves longer work charged in full.
const MaxTimeout = 10 * time.Minute

// Detail is a decision with all that there is to say of it.
type Detail struct {
	Decision
	// Each is what every limit says: the request's own first, then those of Also. Where the
	// request was denied, a limit that would have admitted it says so and charged nothing.
	Each []Decision
	// Fault is nil if the limits decided. Otherwise it says what is wrong with the request:
	// it joins a *FieldError for each field at fault, named as in "also[2].cost", and wraps
	// ErrUnknownLimit or ErrTooManyPolicies where they apply.
	Fault error
}

// told collects what is to be said of a request beside its decision.
type told struct {
	detail *Detail      // nil if nobody asks for details
	into   *Reservation // nil if nothing is reserved
	fault  error
}

// note notes what each check says, and what is wrong with the binding one.
func (t *told) note(checks []check, binding *check) {
	if t.detail != nil {
		for i := range checks {
			t.detail.Each = append(t.detail.Each, checks[i].d)
		}
	}
	if binding.why.refused() {
		t.fault = binding.fault()
	}
}

// Do is the one decision that every server's interface uses. It never blocks on the
// network, and a denial is never an error.
func (n *Node) Do(r Request) Decision { return n.do(&r, nil) }

// DoDetailed is Do, and says more: what each limit says of the request, and which field is
// wrong with one that no limit decided.
func (n *Node) DoDetailed(r Request) Detail {
	var d Detail
	t := told{detail: &d}
	d.Decision = n.do(&r, &t)
	d.Fault = t.fault
	return d
}

// do decides a request. t is nil if nothing but the decision is wanted.
func (n *Node) do(q *Request, t *told) Decision {
	if q.Cost == 0 {
		q.Cost = 1
	}
	switch {
	case q.Timeout < 0 || q.Timeout > MaxTimeout || len(q.Also) > MaxChecks:
		d := n.refuse(&check{why: ReasonBadRequest}, nil)
		if t != nil {
			t.fault = badRequest(q)
		}
		return d
	case len(q.Also) > 0 || q.AtMost || q.Policy != nil:
		return n.doAll(q, t)
	}
	l := n.find(q.Limit)
	var d Decision
	switch {
	case q.Peek:
		d = n.peek(l, q.Client, q.Cost)
	case t == nil || t.into == nil:
		n.decide(l, q.Client, q.Cost, &d, nil)
	default:
		var h hold
		n.decide(l, q.Client, q.Cost, &d, &h)
		t.into.add(h)
	}
	if t != nil {
		one := [1]check{{client: q.Client, name: q.Limit, limit: l, cost: q.Cost, why: d.Reason, d: d}}
		t.note(one[:], &one[0])
	}
	return d
}
