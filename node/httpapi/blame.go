package httpapi

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"regexp"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/spec"
)

// part is what a request asks of one limit.
type part struct {
	path   string // "" for the request's own, else such as also[0]
	client string
	limit  string
	cost   int64
	apart  bool // its cost is its own
	policy *node.Policy
}

func (q *request) parts() []part {
	all := []part{{client: q.client, limit: cmp.Or(q.limit, node.DefaultLimit), cost: q.cost, policy: q.policy}}
	for i, c := range q.also {
		all = append(all, part{
			path: spec.Index("also", i), client: cmp.Or(c.Client, q.client), limit: cmp.Or(c.Limit, node.DefaultLimit),
			cost: cmp.Or(c.Cost, q.cost), apart: c.Cost != 0, policy: c.Policy,
		})
	}
	return all
}

func (p *part) field(name string) string {
	if p.path == "" {
		return name
	}
	return spec.Join(p.path, name)
}

// costField is where the part's cost was written.
func (p *part) costField() string {
	if p.apart {
		return p.field("cost")
	}
	return "cost"
}

// blame is what was wrong with a request that a node could not decide, nil if it did
// decide. each are the decisions of its parts, if they are known.
func (a *api) blame(q *request, d *node.Decision, each []node.Decision) *problem {
	var fault func(*part) *problem
	switch d.Reason {
	case node.ReasonUnknownLimit:
		fault = a.unknown
	case node.ReasonNoClient:
		return bad("client", "client must not be empty")
	case node.ReasonClientTooLong:
		fault = tooLong
	case node.ReasonBadCost:
		return bad("cost", fmt.Sprintf("cost %d: must be at least 1", q.cost))
	case node.ReasonCostTooHigh:
		fault = func(p *part) *problem { return tooHigh(p, d) }
	case node.ReasonBadPolicy:
		fault = badPolicy
	case node.ReasonBadRequest:
		return bad("body", "the request contradicts itself, or asks for too much at once")
	case node.ReasonTooManyPolicies:
		return &problem{
			Status: http.StatusServiceUnavailable, Field: "policy", wait: 60,
			Detail: fmt.Sprintf("more than %d different policies come with requests: give the limits names, or try again in a minute", node.MaxCalledPolicies),
		}
	case node.ReasonTooManyHeld:
		return &problem{
			Status: http.StatusServiceUnavailable, wait: 1,
			Detail: fmt.Sprintf("%d reservations are not settled at this node: settle them, or let them expire", node.MaxHeld),
		}
	default:
		return nil
	}
	if each == nil && len(q.also) > 0 {
		ask := q.request()
		ask.Peek = true
		_, each = a.node.DoEach(ask, nil)
	}
	for i, p := range q.parts() {
		if len(each) > i && each[i].Reason != d.Reason {
			continue
		}
		if found := fault(&p); found != nil {
			return found
		}
	}
	return bad("body", "the request was refused: "+d.Reason.String())
}

var limitName = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,64}$`)

func (a *api) unknown(p *part) *problem {
	if p.policy == nil {
		if _, known := a.node.Limits()[p.limit]; !known {
			return unknownLimit(p.field("limit"), p.limit)
		}
		return nil
	}
	f := p.field("limit")
	switch {
	case !limitName.MatchString(p.limit):
		return bad(f, f+" "+spec.Quote(p.limit)+": must be 1 to 64 of A-Z, a-z, 0-9, _, - and .")
	case p.limit == node.CalledLimit:
		return bad(f, f+" "+spec.Quote(p.limit)+": is what all policies are counted as that come with requests: choose another")
	}
	return nil
}

func tooLong(p *part) *problem {
	if len(p.client) <= node.MaxClientID {
		return nil
	}
	f := p.field("client")
	return bad(f, fmt.Sprintf("%s must be at most %d bytes: hash what may be longer", f, node.MaxClientID))
}

func tooHigh(p *part, d *node.Decision) *problem {
	if p.limit != d.Limit || p.cost <= d.Burst {
		return nil
	}
	f := p.costField()
	return bad(f, fmt.Sprintf("%s %d: is above the burst of %d of limit %s, so it can never pass", f, p.cost, d.Burst, d.Limit))
}

func badPolicy(p *part) *problem {
	if p.policy == nil {
		return nil
	}
	var all []error
	for _, f := range spec.Faults(p.policy.Validate()) {
		all = append(all, &node.FieldError{Field: spec.Under(p.field("policy"), f.Field), Value: f.Value, Reason: f.Reason})
	}
	if len(all) == 0 {
		return nil
	}
	return problemOf(errors.Join(all...), "")
}

func unknownLimit(field, name string) *problem {
	return &problem{Status: http.StatusNotFound, Field: field, Detail: "there is no limit " + spec.Quote(name) + ": GET /v1/limits lists them"}
}
