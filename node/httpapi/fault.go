package httpapi

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/spec"
)

// refusal is the problem of a request that no limit decided, nil if the limits did decide. The waits of
// its two 503s are as long as it takes until room can come: inline policies are forgotten after a
// minute without use, and a reservation may be settled at any moment.
func refusal(fault error) *problem {
	switch {
	case fault == nil:
		return nil
	case errors.Is(fault, node.ErrTooManyPolicies):
		return &problem{
			Status: http.StatusServiceUnavailable, Field: "policy", wait: 60,
			Detail: fmt.Sprintf("more than %d different policies come with requests, most of them from here: give the limits names, or try again in a minute", node.MaxInlinePolicies),
		}
	case errors.Is(fault, node.ErrTooManyHeld):
		return &problem{
			Status: http.StatusServiceUnavailable, wait: 1,
			Detail: fmt.Sprintf("%d reservations are not settled at this node: settle them, or let them expire", node.MaxHeld),
		}
	}
	if f := new(node.FieldError); errors.As(fault, &f) {
		name, text := f.Value.(string)
		switch {
		case text && errors.Is(fault, node.ErrUnknownLimit):
			return unknownLimit(f.Field, name)
		case f.Value == int64(zeroCost):
			return bad(f.Field, f.Field+" 0: "+f.Reason)
		case f.Field == "client" || strings.HasSuffix(f.Field, ".client"): // without the client's id
			return bad(f.Field, f.Field+" "+f.Reason)
		}
	}
	return problemOf(fault, "")
}

// unknownLimit is the problem of a limit that does not exist, named in a field.
func unknownLimit(field, name string) *problem {
	return &problem{Status: http.StatusNotFound, Field: field, Detail: "there is no limit " + spec.Quote(name) + ": GET /v1/limits lists them"}
}

// omitted turns the problem of a request that names no limit, where there is no default one,
// into one that lists the limits: whoever forgot the field learns its name and what fits into it.
func (a *api) omitted(limit string, p *problem) *problem {
	if limit != "" || p == nil || p.Status != http.StatusNotFound || p.Field != "limit" {
		return p
	}
	known := slices.Sorted(maps.Keys(a.node.Limits()))
	if len(known) == 0 {
		return p
	}
	return bad("limit", "limit is missing, and there is no limit "+spec.Quote(node.DefaultLimit)+": name one of "+spec.Among("", known))
}

// failed is the problem of a request about a client of a limit, which the request called asked.
func (a *api) failed(asked, limit string, err error) *problem {
	if errors.Is(err, node.ErrUnknownLimit) {
		return a.omitted(asked, unknownLimit("limit", limit))
	}
	return problemOf(err, "limit")
}
