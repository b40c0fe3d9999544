package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/limit"
)

// targetFunc is a Target from a function.
type targetFunc func(ctx context.Context, client string) (bool, error)

func (f targetFunc) Take(ctx context.Context, client string, _ int64) (bool, error) {
	return f(ctx, client)
}

// one is a target as the only node.
func one(f targetFunc) []Node { return []Node{{Name: "n1", Target: f}} }

func yes(context.Context, string) (bool, error) { return true, nil }

func load() Config {
	return Config{Rate: 100, Duration: time.Second, Workers: 1, Clients: 10, Dist: Dist{Kind: Uniform}, Cost: 1, Seed: 1}
}

// near allows for the histogram's three digits.
func near(got, want float64) bool { return got > want*0.998 && got < want*1.002 }

func TestAStallIsChargedForAllThatItKeptWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first := true
		r, err := Run(context.Background(), load(), one(func(context.Context, string) (bool, error) {
			if first {
				time.Sleep(500 * time.Millisecond)
			}
			first = false
			return true, nil
		}), nil)
		if err != nil {
			t.Fatal(err)
		}
		// Due at 0, 10, 20, ... ms; those before 500 ms are answered at 500 ms, the
		// other half at once. A closed loop would report one slow request of a hundred.
		if r.Allowed != 100 || r.Unsent != 0 || r.Errors != 0 {
			t.Errorf("%d sent, %d unsent, %d allowed, %d denied, %d errors, %v", r.Sent, r.Unsent, r.Allowed, r.Denied, r.Errors, r.Latency)
		}
		if !near(r.Latency.Max, 500) || !near(r.Latency.P90, 400) || r.Latency.P50 > 0.01 {
			t.Errorf("latency %+v", r.Latency)
		}
	})
}

func TestALoadKeepsItsRateAndEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := load()
		cfg.Rate, cfg.Duration, cfg.Workers = 250, 4*time.Second, 8
		r, err := Run(context.Background(), cfg, one(func(context.Context, string) (bool, error) {
			time.Sleep(20 * time.Millisecond)
			return false, nil
		}), nil)
		if err != nil {
			t.Fatal(err)
		}
		if r.Planned != 1000 || r.Denied != 1000 || !near(r.Latency.Max, 20) || !near(r.Latency.P50, 20) {
			t.Errorf("%d sent, %d unsent, %d allowed, %d denied, %d errors, %v", r.Sent, r.Unsent, r.Allowed, r.Denied, r.Errors, r.Latency)
		}
		if r.Achieved < 245 || r.Achieved > 250 {
			t.Errorf("achieved %v of 250 per second", r.Achieved)
		}
	})
}

func TestWhatASlowTargetLeavesUnsentIsSaid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		r, err := Run(context.Background(), load(), one(func(context.Context, string) (bool, error) {
			time.Sleep(100 * time.Millisecond)
			return true, nil
		}), nil)
		if err != nil {
			t.Fatal(err)
		}
		if r.Sent != 11 || r.Unsent != 89 {
			t.Errorf("sent %d, unsent %d, want 11 and 89", r.Sent, r.Unsent)
		}
		if took := time.Since(start); took != 1100*time.Millisecond {
			t.Errorf("ended after %v", took)
		}
		var b bytes.Buffer
		if err := r.Print(&b); err != nil || !strings.Contains(b.String(), "89 of 100 were due but not sent") {
			t.Errorf("%v\n%s", err, b.String())
		}
	})
}

func TestErrorsAreNoDecisions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := 0
		r, err := Run(context.Background(), load(), one(func(context.Context, string) (bool, error) {
			n++
			if n%4 == 0 {
				return true, fmt.Errorf("error %d", n)
			}
			return n%4 == 1, nil
		}), nil)
		if err != nil {
			t.Fatal(err)
		}
		if r.Allowed != 25 || r.Denied != 50 || r.Errors != 25 || r.FirstError != "error 4" {
			t.Errorf("%d sent, %d unsent, %d allowed, %d denied, %d errors, %v", r.Sent, r.Unsent, r.Allowed, r.Denied, r.Errors, r.Latency)
		}
	})
}

func TestALoadIsBoundedInCountAndByItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := load()
		cfg.Requests, cfg.Workers = 7, 100
		var shown int64
		cfg.Progress = func(l Live) { shown = l.Sent }
		r, err := Run(context.Background(), cfg, one(yes), nil)
		if err != nil || r.Sent != 7 || r.Planned != 7 {
			t.Errorf("%d sent, %d unsent, %d errors, %v", r.Sent, r.Unsent, r.Errors, err)
		}
		ctx, cancel := context.WithTimeout(context.Background(), 500*time.Millisecond)
		defer cancel()
		r, err = Run(ctx, uncapped(cfg), one(yes), nil)
		if err != nil || r.Sent < 49 || r.Sent > 51 || r.Unsent != 100-r.Sent {
			t.Errorf("%d sent, %d unsent, %d errors, %v", r.Sent, r.Unsent, r.Errors, err)
		}
		if shown < 40 || shown > 51 {
			t.Errorf("progress last said %d sent", shown)
		}
	})
}

// uncapped is cfg without its cap.
func uncapped(cfg Config) Config {
	cfg.Requests = 0
	return cfg
}

func TestARequestCutOffIsNoError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
		defer cancel()
		r, err := Run(ctx, load(), one(func(ctx context.Context, _ string) (bool, error) {
			<-ctx.Done()
			return false, ctx.Err()
		}), nil)
		if err != nil || r.Errors != 0 || r.Unsent != 100 {
			t.Errorf("%d sent, %d unsent, %d errors, %v", r.Sent, r.Unsent, r.Errors, err)
		}
	})
}

func TestTheSequenceOfRequestsDependsOnTheSeedOnly(t *testing.T) {
	sequence := func(seed uint64, dist string) (string, map[int]int) {
		cfg := load()
		cfg.Seed, cfg.Clients = seed, 50
		if err := cfg.Dist.Set(dist); err != nil {
			t.Fatal(err)
		}
		s := newSchedule(&cfg, 2000, 3)
		var all strings.Builder
		counts := map[int]int{}
		for i := 0; ; i++ {
			d, ok := s.take(0)
			if !ok {
				break
			}
			if want := time.Duration(i) * 10 * time.Millisecond; (d.at - want).Abs() > time.Microsecond {
				t.Fatalf("request %d is due at %v, want %v", i, d.at, want)
			}
			fmt.Fprintf(&all, "%d/%d ", d.client, d.node)
			counts[d.client]++
		}
		return all.String(), counts
	}
	for dist, first := range map[string][2]int{"uniform": {10, 90}, "hot": {950, 1100}, "hot:0.9": {1750, 1900}, "zipf": {300, 900}, "zipf:3": {1500, 1990}} {
		one, counts := sequence(1, dist)
		again, _ := sequence(1, dist)
		other, _ := sequence(2, dist)
		if one != again || one == other {
			t.Errorf("%s: equal seeds equal: %v, other seeds equal: %v", dist, one == again, one == other)
		}
		if n := counts[0]; n < first[0] || n > first[1] {
			t.Errorf("%s, seed 1: the first client got %d of 2000, want %v", dist, n, first)
		}
	}
}

func TestAWrongDistributionIsRefused(t *testing.T) {
	for _, text := range []string{"", "normal", "uniform:1", "zipf:1", "zipf:x", "zipf:NaN", "hot:0", "hot:1.5", "hot:"} {
		d := Dist{Kind: Uniform}
		if err := d.Set(text); err == nil || d.String() != "uniform" {
			t.Errorf("%q was taken for %v", text, d)
		}
	}
}

func TestARampGoesStraightFromTurnToTurn(t *testing.T) {
	cfg := load()
	cfg.Rate, cfg.Duration = 100, 40*time.Second
	if err := cfg.Ramp.Set("10s=300,20s=300,20s=0,30s=0,40s=100"); err != nil {
		t.Fatal(err)
	}
	// 2000 while it rises, 3000 at the top, none for ten seconds, and 500 while it rises again.
	if n := cfg.total(); n != 5500 {
		t.Errorf("%d requests are due, want 5500", n)
	}
	p := cfg.profile()
	for n, want := range map[int64]time.Duration{0: 0, 2000: 10 * time.Second, 3500: 15 * time.Second, 4999: 19_996_666_666, 5500: 40 * time.Second} {
		if got := p.due(n); (got - want).Abs() > time.Millisecond {
			t.Errorf("request %d is due at %v, want %v", n, got, want)
		}
	}
	for n := int64(1); n < 5500; n++ {
		at := p.due(n)
		if at < p.due(n-1) || at > 20*time.Second && at < 30*time.Second {
			t.Fatalf("request %d is due at %v, the one before at %v", n, at, p.due(n-1))
		}
		// The schedule is the inverse of the count, computed otherwise.
		if k := p.within(at + time.Microsecond); k < n-1 || k > n+1 {
			t.Fatalf("request %d is due at %v, when %d are", n, at, k)
		}
	}
	for _, text := range []string{"", "10s", "10s=x", "10s=5,5s=5", "-1s=5", "1s=-5", "1s=NaN", "1s=2000000"} {
		var r Ramp
		if err := r.Set(text); err == nil {
			t.Errorf("%q was taken for %v", text, r)
		}
	}
}

func TestALoadWithoutARateWaitsForItsAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := load()
		cfg.Rate, cfg.Workers, cfg.Duration = 0, 6, 10*time.Second
		r, err := Run(context.Background(), cfg, one(func(context.Context, string) (bool, error) {
			time.Sleep(100 * time.Millisecond)
			return true, nil
		}), nil)
		if err != nil {
			t.Fatal(err)
		}
		if r.Sent != 600 || r.Unsent != 0 || r.Planned != 600 || !near(r.Latency.Max, 100) || !near(r.Latency.P50, 100) {
			t.Errorf("%d sent, %d unsent, %d allowed, %d denied, %d errors, %v", r.Sent, r.Unsent, r.Allowed, r.Denied, r.Errors, r.Latency)
		}
	})
}

func TestAWarmupIsLeftOutOfTheFigures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := load()
		cfg.Duration, cfg.Warmup, cfg.Clients = 4*time.Second, time.Second, 1
		cfg.Policy = &limit.Policy{Limit: 50, Window: time.Second}
		central := centralTarget(t, *cfg.Policy)
		r, err := Run(context.Background(), cfg, []Node{{Name: "n1", Target: central}}, nil)
		if err != nil {
			t.Fatal(err)
		}
		// The burst passes in the first second. Then one of two does.
		if r.Sent != 400 || r.Allowed != 150 || r.Denied != 150 || r.Accuracy.Central != 150 || r.Accuracy.Excess != 0 {
			t.Errorf("%d sent, %d allowed, %d denied, %+v", r.Sent, r.Allowed, r.Denied, r.Accuracy)
		}
		if r.Admitted < 49.9 || r.Admitted > 50.5 {
			t.Errorf("%v admitted per second", r.Admitted)
		}
	})
}

func TestALoadWithFaultsIsRefusedWhole(t *testing.T) {
	called := sync.OnceFunc(func() { t.Error("the target was called") })
	target := targetFunc(func(context.Context, string) (bool, error) {
		called()
		return false, errors.ErrUnsupported
	})
	_, err := Run(context.Background(), Config{Requests: -1}, one(target), nil)
	for _, field := range []string{"-duration", "-n -1", "-c 0", "-clients", "-cost"} {
		if err == nil || !strings.Contains(err.Error(), field) {
			t.Errorf("%s is not named: %v", field, err)
		}
	}
}
