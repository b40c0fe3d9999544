package limit_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/limit"
)

func TestBadOverridesAreRefusedByName(t *testing.T) {
	long := strings.Repeat("x", limit.MaxClientID+1)
	for want, o := range map[string][]limit.Override{
		"overrides[0]":            {{Limit: 3}},
		"overrides[1]":            {{Clients: []string{"b"}, Limit: 3}, {Clients: []string{"a"}}},
		"overrides[0].client":     {{Clients: []string{""}, Limit: 3}},
		"overrides[1].client":     {{Clients: []string{"a"}, Limit: 3}, {Clients: []string{"b", "a"}, Limit: 4}},
		"overrides[0].prefix":     {{Prefixes: []string{long}, Limit: 3}},
		"overrides[2].prefix":     {{Clients: []string{"a"}, Limit: 3}, {Prefixes: []string{"a"}, Limit: 3}, {Prefixes: []string{"a"}, Limit: 3}},
		"overrides[0].cidr":       {{CIDRs: []string{"10.0.0.0/33"}, Limit: 3}},
		"overrides[1].cidr":       {{CIDRs: []string{"10.0.0.0/8"}, Limit: 3}, {CIDRs: []string{"10.9.0.0/8"}, Limit: 3}},
		"overrides[0].limit":      {{Clients: []string{"a"}, Limit: -1}},
		"overrides[0].window":     {{Clients: []string{"a"}, Window: -time.Second}},
		"overrides[0].burst":      {{Clients: []string{"a"}, Burst: -1}},
		"overrides[0].block":      {{Clients: []string{"a"}, Access: 9}},
		"overrides":               make([]limit.Override, limit.MaxOverrides+1),
		"overrides[0].client\x00": {{Clients: []string{long}, Limit: 3}},
	} {
		p := limit.Policy{Limit: 5, Window: time.Hour, Overrides: o}
		err := p.Validate()
		f, ok := errors.AsType[*limit.FieldError](err)
		if !ok || f.Field != strings.TrimSuffix(want, "\x00") || f.Reason == "" {
			t.Errorf("%s: got %v", want, err)
		}
		if len(fmt.Sprint(err)) > 500 {
			t.Errorf("%s: %d bytes of error", want, len(fmt.Sprint(err)))
		}
	}
}

func TestPoliciesThatContradictThemselvesAreRefused(t *testing.T) {
	for want, p := range map[string]limit.Policy{
		"limit":        {Window: time.Minute},
		"window":       {Limit: 1, Window: -time.Minute},
		"burst":        {Algorithm: limit.FixedWindow, Limit: 5, Window: time.Minute, Burst: 9},
		"on_isolation": {Algorithm: limit.SlidingWindow, Limit: 5, Window: time.Minute, OnIsolation: limit.IsolationShare},
		"resolution":   {Limit: 5, Window: time.Minute, Resolution: 4},
		"time_zone":    {Limit: 5, Window: time.Minute, TimeZone: "Europe/Berlin"},
		"algorithm":    {Algorithm: 9, Limit: 5, Window: time.Minute},
		"consistency":  {Consistency: 9, Limit: 5, Window: time.Minute},
		"hold":         {Limit: 5, Window: time.Minute, Hold: time.Millisecond},
		"hold ":        {Limit: 5, Window: time.Minute, Hold: limit.NoHold},
		"hold  ":       {Limit: 5, Window: time.Minute, Consistency: limit.Bounded, Hold: limit.MaxHold + 1},
		"hold   ":      {Limit: 5, Window: time.Minute, Consistency: limit.Bounded, Hold: -time.Millisecond},
		"ipv6_prefix":  {IPv6Prefix: 129, Limit: 5, Window: time.Minute},
	} {
		err := p.Validate()
		if f, ok := errors.AsType[*limit.FieldError](err); !ok || f.Field != strings.TrimSpace(want) {
			t.Errorf("%s: got %v", want, err)
		}
	}
	for _, p := range []limit.Policy{
		{Limit: 5, Window: time.Minute, Resolution: 1, TimeZone: "UTC"},
		{Algorithm: limit.SlidingWindow, Limit: 5, Window: time.Minute, Burst: 5, Resolution: 60},
		{Algorithm: limit.FixedWindow, Limit: 5, Calendar: 7},
		{Access: limit.Blocked},
		{Limit: 5, Window: time.Minute, Consistency: limit.Bounded, Hold: limit.NoHold},
		{Limit: 5, Window: time.Minute, Consistency: limit.Bounded, Hold: limit.MaxHold},
	} {
		c, err := limit.Compile(p)
		if err != nil {
			t.Error(err)
		}
		// What nodes report and send is the compiled policy: it has to be valid again.
		if err := c.Policy.Validate(); err != nil {
			t.Errorf("compiled: %v", err)
		}
	}
}

func TestFieldErrorsFindsAllOfThem(t *testing.T) {
	a, b, c := &limit.FieldError{Field: "a"}, &limit.FieldError{Field: "b"}, &limit.FieldError{Field: "c"}
	err := fmt.Errorf("outer: %w", errors.Join(errors.New("another"), a, fmt.Errorf("inner: %w", errors.Join(b, c))))
	got := limit.FieldErrors(err)
	if len(got) != 3 || got[0] != a || got[1] != b || got[2] != c {
		t.Errorf("got %v", got)
	}
	if got := limit.FieldErrors(errors.New("none")); got != nil {
		t.Errorf("got %v", got)
	}
}

// Nodes tell each other policies with all defaults filled in, and check them again. So a valid policy
// is still valid then, and the same.
func TestAValidPolicyStaysOne(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // small
	pick := func(of ...int64) int64 { return of[rnd.IntN(len(of))] }
	valid := 0
	for range 200_000 {
		p := limit.Policy{
			Algorithm: limit.Algorithm(rnd.IntN(4)), Access: limit.Access(rnd.IntN(3)), OnIsolation: limit.OnIsolation(rnd.IntN(4)),
			Consistency: limit.Consistency(rnd.IntN(3)), Shadow: rnd.IntN(2) == 0, Resolution: int(pick(0, 0, 1, 6, 61)),
			Limit: pick(0, 1, 60, 100), Window: time.Duration(pick(0, 0, 60e9, 3600e9, 86400e9)), Burst: pick(0, 0, 1, 60, 100),
			MaxOvershoot: float64(pick(0, 0, 0, 1)) / 2, MaxExcess: float64(pick(0, 0, 0, 1)), Hold: time.Duration(pick(0, 0, 0, 1e7)),
		}
		if rnd.IntN(2) == 0 {
			p.Calendar = limit.Calendar(rnd.IntN(9))
		}
		if rnd.IntN(3) == 0 {
			p.TimeZone = []string{"UTC", "Europe/Berlin"}[rnd.IntN(2)]
		}
		c, err := limit.Compile(p)
		if err != nil {
			continue
		}
		valid++
		whole := c.Rules[0].Policy
		again, err := limit.Compile(whole)
		if err != nil {
			t.Fatalf("%+v stands for %+v: %v", p, whole, err)
		}
		if !reflect.DeepEqual(again.Rules[0].Policy, whole) {
			t.Fatalf("%+v stands for %+v, and that for %+v", p, whole, again.Rules[0].Policy)
		}
	}
	if valid < 1000 {
		t.Errorf("only %d were valid", valid)
	}
}
