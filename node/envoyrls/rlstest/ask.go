package rlstest

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	ratelimit "github.com/envoyproxy/go-control-plane/envoy/extensions/common/ratelimit/v3"
	rls "github.com/envoyproxy/go-control-plane/envoy/service/ratelimit/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// Run asks a service for all of a case, and returns what differs from the answers that are
// wanted, each with its line. there asks for the answers of envoyproxy/ratelimit.
func (c *Case) Run(ctx context.Context, client rls.RateLimitServiceClient, there bool) (faults []string) {
	for i := range c.Asks {
		a := &c.Asks[i]
		req, err := c.request(a)
		if err != nil {
			return append(faults, fmt.Sprintf("cases.txt:%d: %v", a.Line, err))
		}
		got := ""
		for range a.Times {
			got = answer(client.ShouldRateLimit(ctx, req))
		}
		want := a.Is
		if there && a.There != "" {
			want = a.There
		}
		if want == "error" {
			got, _, _ = strings.Cut(got, ":")
		}
		if got != want {
			faults = append(faults, fmt.Sprintf("cases.txt:%d: got %q, want %q", a.Line, got, want))
		}
	}
	return faults
}

func (c *Case) request(a *Ask) (*rls.RateLimitRequest, error) {
	req := &rls.RateLimitRequest{Domain: c.Domain, HitsAddend: a.Hits}
	for _, text := range a.Descriptors {
		d, err := descriptor(text)
		if err != nil {
			return nil, err
		}
		req.Descriptors = append(req.Descriptors, d)
	}
	return req, nil
}

// descriptor reads key=value[,key=value][+HITS][-HITS][@LIMIT/UNIT[*MULTIPLIER]]. The values
// of entries have no plus and no at sign, and no minus before a digit at their end.
func descriptor(text string) (*ratelimit.RateLimitDescriptor, error) {
	d := new(ratelimit.RateLimitDescriptor)
	text, limit, has := strings.Cut(text, "@")
	if has {
		d.Limit = new(ratelimit.RateLimitDescriptor_RateLimitOverride)
		limit, times, multiplied := strings.Cut(limit, "*")
		if multiplied {
			n, err := strconv.ParseUint(times, 10, 32)
			if err != nil {
				return nil, err
			}
			d.Limit.UnitMultiplier = wrapperspb.UInt32(uint32(n))
		}
		requests, unit, _ := strings.Cut(limit, "/")
		n, err := strconv.ParseUint(requests, 10, 32)
		if err != nil {
			return nil, err
		}
		d.Limit.RequestsPerUnit, d.Limit.Unit = uint32(n), typev3.RateLimitUnit(typev3.RateLimitUnit_value[unit])
	}
	if at := strings.LastIndexAny(text, "+-"); at > strings.LastIndexByte(text, '=') {
		n, err := strconv.ParseUint(text[at+1:], 10, 64)
		if err != nil {
			return nil, err
		}
		d.HitsAddend, d.IsNegativeHits, text = wrapperspb.UInt64(n), text[at] == '-', text[:at]
	}
	for e := range strings.SplitSeq(text, ",") {
		if key, value, ok := strings.Cut(e, "="); ok {
			d.Entries = append(d.Entries, &ratelimit.RateLimitDescriptor_Entry{Key: key, Value: value})
		}
	}
	return d, nil
}

// answer writes an answer as cases.txt does.
func answer(r *rls.RateLimitResponse, err error) string {
	if err != nil {
		return "error: " + err.Error()
	}
	all := make([]string, len(r.GetStatuses()))
	for i, s := range r.GetStatuses() {
		all[i] = code(s.GetCode()) + " " + standing(s)
	}
	return code(r.GetOverallCode()) + ": " + strings.Join(all, "; ")
}

func code(c rls.RateLimitResponse_Code) string { return strings.TrimSuffix(c.String(), "_LIMIT") }

func standing(s *rls.RateLimitResponse_DescriptorStatus) string {
	l := s.GetCurrentLimit()
	switch {
	case l == nil && s.GetLimitRemaining() == 1<<32-1:
		return "unlimited"
	case l == nil:
		return "none"
	}
	text := fmt.Sprintf("%d of %d/%v", s.GetLimitRemaining(), l.GetRequestsPerUnit(), l.GetUnit())
	if m := l.GetUnitMultiplier(); m != nil {
		text += fmt.Sprintf("*%d", m.GetValue())
	}
	if l.GetName() != "" {
		text += " " + l.GetName()
	}
	return text
}
