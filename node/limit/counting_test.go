package limit_test

import (
	"testing"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/limit"
)

func TestRulesThatCountInDifferentWaysAreToldApart(t *testing.T) {
	base := limit.Policy{Limit: 10, Window: time.Minute}
	counting := func(p limit.Policy) uint64 {
		t.Helper()
		c, err := limit.Compile(p)
		if err != nil {
			t.Fatal(err)
		}
		return c.Rules[0].Counting()
	}
	want := counting(base)
	for name, change := range map[string]func(*limit.Policy){
		"limit":      func(p *limit.Policy) { p.Limit = 11 },
		"window":     func(p *limit.Policy) { p.Window = time.Hour },
		"burst":      func(p *limit.Policy) { p.Burst = 5 },
		"algorithm":  func(p *limit.Policy) { p.Algorithm = limit.SlidingWindow },
		"resolution": func(p *limit.Policy) { p.Algorithm, p.Resolution = limit.SlidingWindow, 6 },
	} {
		p := base
		if change(&p); counting(p) == want {
			t.Errorf("another %s counts alike", name)
		}
	}
	same := base
	same.MaxOvershoot, same.OnIsolation, same.Shadow = 0.5, limit.IsolationShare, true
	if counting(same) != want {
		t.Error("what says nothing of counting changes it")
	}
}
