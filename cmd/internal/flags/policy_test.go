package flags

import (
	"strings"
	"testing"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
)

func TestAPolicyIsReadInAllItsForms(t *testing.T) {
	for text, want := range map[string]node.Policy{
		"1000/60s":                                {Limit: 1000, Window: time.Minute, Burst: 1000},
		"5/1":                                     {Limit: 5, Window: time.Second, Burst: 5},
		"limit: 5, window: 1m, burst: 2":          {Limit: 5, Window: time.Minute, Burst: 2},
		"limit:5,window:1m,burst:2":               {Limit: 5, Window: time.Minute, Burst: 2},
		`{"limit": 5, "window": "1m"}`:            {Limit: 5, Window: time.Minute, Burst: 5},
		"{limit: 7, window: 10, burst: 7}":        {Limit: 7, Window: 10 * time.Second, Burst: 7},
		"limit: 5, window: 1h, max_overshoot:0.5": {Limit: 5, Window: time.Hour, Burst: 5, MaxOvershoot: 0.5},
	} {
		var p Policy
		if err := p.Set(text); err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got := p.Policy.WithDefaults(); !got.Same(want.WithDefaults()) {
			t.Errorf("%s: %+v", text, got)
		}
		if body, err := p.Body(); err != nil || !strings.Contains(string(body), `"limit":`) {
			t.Errorf("%s: %s, %v", text, body, err)
		}
	}
	var p Policy
	if err := p.Set(`limit: 5, window: 1m, overrides: [{cidr: "fe::/16", limit: 9}]`); err != nil || p.Policy.Overrides[0].CIDRs[0] != "fe::/16" {
		t.Errorf("%v, %+v", err, p.Policy.Overrides)
	}
	for text, says := range map[string]string{
		"": "1000/60s", "5": "1000/60s", "0/1s": "limit 0", "5/soon": "window", "limt: 5, window: 1m": "did you mean limit", "limit: 5": "window", "{": "1000/60s",
	} {
		var p Policy
		err := p.Set(text)
		if err == nil || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), policyName+".") {
			t.Errorf("%q: %v", text, err)
		}
	}
}
