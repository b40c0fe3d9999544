package limit_test

import (
	"math"
	"testing"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/limit"
)

func TestTheMostThatOneNodeCanHaveAdmitted(t *testing.T) {
	for name, c := range map[string]struct {
		policy  limit.Policy
		elapsed time.Duration
		want    uint64
	}{
		"at the start":     {limit.Policy{Limit: 60, Window: time.Minute, Burst: 10}, 0, 10 + 60 + 1},
		"before it":        {limit.Policy{Limit: 60, Window: time.Minute, Burst: 10}, -time.Hour, 10 + 60 + 1},
		"half a minute on": {limit.Policy{Limit: 60, Window: time.Minute, Burst: 10}, 30 * time.Second, 10 + 60 + 30 + 1},
		"a deep bucket":    {limit.Policy{Limit: 60, Window: time.Minute, Burst: 100}, 30 * time.Second, 100 + 100 + 30 + 1},
		"a window":         {limit.Policy{Algorithm: limit.FixedWindow, Limit: 60, Window: time.Minute}, 30 * time.Second, 3 * 60},
		"a shadow limit":   {limit.Policy{Limit: 60, Window: time.Minute, Shadow: true}, 0, math.MaxUint64},
		"open in a cut":    {limit.Policy{Limit: 60, Window: time.Minute, OnIsolation: limit.IsolationOpen}, 0, math.MaxUint64},
		"closed in a cut":  {limit.Policy{Limit: 60, Window: time.Minute, Burst: 10, OnIsolation: limit.IsolationClosed}, 0, 10 + 60 + 1},
	} {
		compiled, err := limit.Compile(c.policy)
		if err != nil {
			t.Fatal(err)
		}
		if got := compiled.Rules[0].MostNet(int64(c.elapsed)); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
}
