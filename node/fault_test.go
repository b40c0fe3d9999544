package node_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/limit"
)

func TestARequestThatNoLimitDecidesSaysWhichFieldIsAtFault(t *testing.T) {
	n, _ := still(t, several())
	long := strings.Repeat("x", node.MaxClientID+1)
	good := node.Policy{Limit: 5, Window: time.Minute}
	for name, c := range map[string]struct {
		q      node.Request
		why    node.Reason
		fields string // with their values
		is     error
	}{
		"no client":             {node.Request{Limit: "day"}, node.ReasonNoClient, `client ""`, nil},
		"no client, peeking":    {node.Request{Limit: "day", Peek: true}, node.ReasonNoClient, `client ""`, nil},
		"no client of several":  {node.Request{Limit: "day", Also: []node.Check{{Limit: "tenant", Client: "acme"}}}, node.ReasonNoClient, `client ""`, nil},
		"a long client":         {node.Request{Client: "a", Limit: "day", Also: []node.Check{{Limit: "tenant"}, {Limit: "tenant", Client: long}}}, node.ReasonClientTooLong, "also[1].client ...", nil},
		"no such limit":         {node.Request{Client: "a", Limit: "nope"}, node.ReasonUnknownLimit, "limit nope", node.ErrUnknownLimit},
		"no default limit":      {node.Request{Client: "a"}, node.ReasonUnknownLimit, "limit default", node.ErrUnknownLimit},
		"no such limit also":    {node.Request{Client: "a", Limit: "day", Also: []node.Check{{Limit: "tenant"}, {Limit: "nope"}}}, node.ReasonUnknownLimit, "also[1].limit nope", node.ErrUnknownLimit},
		"a bad cost":            {node.Request{Client: "a", Limit: "day", Cost: -1}, node.ReasonBadCost, "cost -1", nil},
		"a bad cost for all":    {node.Request{Client: "a", Limit: "day", Cost: -1, Also: []node.Check{{Limit: "tenant"}}}, node.ReasonBadCost, "cost -1", nil},
		"a bad cost of its own": {node.Request{Client: "a", Limit: "day", Also: []node.Check{{Limit: "tenant", Cost: -2}}}, node.ReasonBadCost, "also[0].cost -2", nil},
		"above the burst":       {node.Request{Client: "a", Limit: "day", Cost: 26}, node.ReasonCostTooHigh, "cost 26", nil},
		"above another's burst": {node.Request{Client: "a", Limit: "day", Cost: 11, Also: []node.Check{{Limit: "second"}}}, node.ReasonCostTooHigh, "cost 11", nil},
		"its own above":         {node.Request{Client: "a", Limit: "day", Also: []node.Check{{Limit: "second", Cost: 12}}}, node.ReasonCostTooHigh, "also[0].cost 12", nil},
		"as much as fits":       {node.Request{Client: "a", Limit: "day", Cost: 99, AtMost: true, Also: []node.Check{{Limit: "second", Cost: 12}}}, node.ReasonCostTooHigh, "also[0].cost 12", nil},
		"a bad policy":          {node.Request{Client: "a", Policy: &node.Policy{Limit: -5, Window: -1}}, node.ReasonBadPolicy, "policy.limit -5, policy.window -1ns", nil},
		"a bad policy also":     {node.Request{Client: "a", Limit: "day", Also: []node.Check{{Policy: &node.Policy{Limit: 1}}}}, node.ReasonBadPolicy, "also[0].policy.window 0s", nil},
		"a policy too rich":     {node.Request{Client: "a", Policy: &node.Policy{Limit: 1, Window: time.Minute, IPv6Prefix: 64}}, node.ReasonBadPolicy, "policy set", nil},
		"a bad name":            {node.Request{Client: "a", Limit: "a b", Policy: &good}, node.ReasonUnknownLimit, `limit "a b"`, nil},
		"a bad name also":       {node.Request{Client: "a", Limit: "day", Also: []node.Check{{Limit: "a b", Policy: &good}}}, node.ReasonUnknownLimit, `also[0].limit "a b"`, nil},
		"a long timeout":        {node.Request{Client: "a", Limit: "day", Timeout: time.Hour}, node.ReasonBadRequest, "timeout 1h0m0s", nil},
		"too many":              {node.Request{Client: "a", Limit: "day", Also: make([]node.Check, node.MaxChecks+1)}, node.ReasonBadRequest, "also of 16", nil},
	} {
		d := n.DoDetailed(c.q)
		if d.Allowed || d.Reason != c.why || d.Decision != n.Do(c.q) {
			t.Errorf("%s: got %+v, want %v", name, d.Decision, c.why)
		}
		if got := blamed(d.Fault); got != c.fields {
			t.Errorf("%s: %s is at fault, want %s: %v", name, got, c.fields, d.Fault)
		}
		if c.is != nil && !errors.Is(d.Fault, c.is) {
			t.Errorf("%s: %v is not %v", name, d.Fault, c.is)
		}
		if c.q.Peek {
			continue
		}
		r := n.Reserve(c.q)
		if fmt.Sprint(r.Fault) != fmt.Sprint(d.Fault) || r.Decision != d.Decision {
			t.Errorf("%s: reserved, got %+v and %v", name, r.Decision, r.Fault)
		}
	}
	if left := n.MustLimiter("day").Peek("a", 1).Remaining; left != 25 {
		t.Errorf("%d are left: a request that no limit decided took something", left)
	}
}

// blamed are the fields that an error names, with what they were.
func blamed(err error) string {
	var all []string
	for _, f := range limit.FieldErrors(err) {
		all = append(all, fmt.Sprintf("%s %v", f.Field, f.Value))
	}
	slices.Sort(all)
	return strings.Join(all, ", ")
}

func TestARequestThatALimitDecidesHasNoFault(t *testing.T) {
	cfg := several()
	cfg.Limits["open"], cfg.Limits["closed"] = node.Policy{Access: node.Unlimited}, node.Policy{Access: node.Blocked}
	n, _ := still(t, cfg)
	for _, q := range []node.Request{
		{Client: "a", Limit: "shadow", Cost: 5},
		{Client: "a", Limit: "open"},
		{Client: "a", Limit: "closed"},
		{Client: "a", Limit: "second", Cost: 10},
		{Client: "a", Limit: "second", Also: []node.Check{{Limit: "closed"}}},
		{Client: "a", Limit: "second", Peek: true},
	} {
		for range 2 {
			if d := n.DoDetailed(q); d.Fault != nil {
				t.Errorf("%+v: %+v", q, d)
			}
		}
	}
}

func TestALimitersReservationSaysWhatIsAtFault(t *testing.T) {
	n, _ := still(t, several())
	for want, r := range map[string]*node.Reservation{
		`client ""`:  n.Limiter("day").Reserve("", 1),
		"cost 0":     n.Limiter("day").Reserve("a", 0),
		"cost 26":    n.Limiter("day").Reserve("a", 26),
		"limit nope": n.Limiter("nope").Reserve("a", 1),
		"":           n.Limiter("day").Reserve("a", 25),
	} {
		if got := blamed(r.Fault); got != want || r.Allowed != (want == "") {
			t.Errorf("%s is at fault, want %s: %+v", got, want, r)
		}
	}
}

func TestTooManyPoliciesAreTold(t *testing.T) {
	n, _ := still(t, several())
	ask := func(i int64) node.Detail {
		return n.DoDetailed(node.Request{Client: "a", Limit: "day", Also: []node.Check{{Policy: &node.Policy{Limit: i, Window: time.Minute}}}})
	}
	for i := range int64(node.MaxInlinePolicies) {
		if d := ask(i + 1); d.Fault != nil {
			t.Fatal(d)
		}
	}
	if d := ask(1 << 20); !errors.Is(d.Fault, node.ErrTooManyPolicies) || d.RetryAfter == 0 {
		t.Errorf("%+v", d)
	}
}
