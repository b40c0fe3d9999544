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
)

// targetFunc is a Target from a function.
type targetFunc func(ctx context.Context, client string) (bool, error)

func (f targetFunc) Take(ctx context.Context, client string) (bool, error) { return f(ctx, client) }

func yes(context.Context, string) (bool, error) { return true, nil }

func load() Config {
	return Config{Rate: 100, Duration: time.Second, Workers: 1, Clients: 10, Dist: Uniform, Seed: 1}
}

// near allows for the histogram's three digits.
func near(got, want float64) bool { return got > want*0.998 && got < want*1.002 }

func TestAStallIsChargedForAllThatItKeptWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		first := true
		r, err := Run(context.Background(), load(), targetFunc(func(context.Context, string) (bool, error) {
			if first {
				time.Sleep(500 * time.Millisecond)
			}
			first = false
			return true, nil
		}))
		if err != nil {
			t.Fatal(err)
		}
		// Due at 0, 10, 20, ... ms; those before 500 ms are answered at 500 ms, the
		// other half at once. A closed loop would report one slow request of a hundred.
		if r.Allowed != 100 || r.Unsent != 0 || r.Errors != 0 {
			t.Errorf("%+v", r)
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
		r, err := Run(context.Background(), cfg, targetFunc(func(context.Context, string) (bool, error) {
			time.Sleep(20 * time.Millisecond)
			return false, nil
		}))
		if err != nil {
			t.Fatal(err)
		}
		if r.Planned != 1000 || r.Denied != 1000 || !near(r.Latency.Max, 20) || !near(r.Latency.P50, 20) {
			t.Errorf("%+v", r)
		}
		if r.Achieved < 245 || r.Achieved > 250 {
			t.Errorf("achieved %v of 250 per second", r.Achieved)
		}
	})
}

func TestWhatASlowTargetLeavesUnsentIsSaid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		r, err := Run(context.Background(), load(), targetFunc(func(context.Context, string) (bool, error) {
			time.Sleep(100 * time.Millisecond)
			return true, nil
		}))
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
		r, err := Run(context.Background(), load(), targetFunc(func(context.Context, string) (bool, error) {
			n++
			if n%4 == 0 {
				return true, fmt.Errorf("error %d", n)
			}
			return n%4 == 1, nil
		}))
		if err != nil {
			t.Fatal(err)
		}
		if r.Allowed != 25 || r.Denied != 50 || r.Errors != 25 || r.FirstError != "error 4" {
			t.Errorf("%+v", r)
		}
	})
}

func TestALoadIsBoundedInCountAndByItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := load()
		cfg.Requests, cfg.Workers = 7, 100
		var shown int64
		cfg.Progress = func(_ time.Duration, sent, _ int64) { shown = sent }
		r, err := Run(context.Background(), cfg, targetFunc(yes))
		if err != nil || r.Sent != 7 || r.Planned != 7 {
			t.Errorf("%+v, %v", r, err)
		}
		ctx, cancel := context.WithTimeout(context.Background(), 500*time.Millisecond)
		defer cancel()
		r, err = Run(ctx, uncapped(cfg), targetFunc(yes))
		if err != nil || r.Sent < 49 || r.Sent > 51 || r.Unsent != 100-r.Sent {
			t.Errorf("%+v, %v", r, err)
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
		r, err := Run(ctx, load(), targetFunc(func(ctx context.Context, _ string) (bool, error) {
			<-ctx.Done()
			return false, ctx.Err()
		}))
		if err != nil || r.Errors != 0 || r.Unsent != 100 {
			t.Errorf("%+v, %v", r, err)
		}
	})
}

func TestTheSequenceOfClientsDependsOnTheSeedOnly(t *testing.T) {
	sequence := func(seed uint64, dist Dist) (string, map[string]int) {
		cfg := load()
		cfg.Seed, cfg.Dist, cfg.Clients = seed, dist, 50
		s := newSchedule(cfg, 2000)
		var all strings.Builder
		counts := map[string]int{}
		for i := 0; ; i++ {
			due, client, ok := s.take()
			if !ok {
				break
			}
			if want := time.Duration(i) * 10 * time.Millisecond; due != want {
				t.Fatalf("request %d is due at %v, want %v", i, due, want)
			}
			all.WriteString(client + " ")
			counts[client]++
		}
		return all.String(), counts
	}
	for dist, first := range map[Dist][2]int{Uniform: {10, 90}, Hot: {950, 1100}, Zipf: {300, 900}} {
		one, counts := sequence(1, dist)
		again, _ := sequence(1, dist)
		other, _ := sequence(2, dist)
		if one != again || one == other {
			t.Errorf("%s: equal seeds equal: %v, other seeds equal: %v", dist, one == again, one == other)
		}
		if n := counts["load-0"]; n < first[0] || n > first[1] {
			t.Errorf("%s, seed 1: the first client got %d of 2000, want %v", dist, n, first)
		}
		if len(counts) < 40 || len(counts) > 50 {
			t.Errorf("%s, seed 1: %d clients of 50", dist, len(counts))
		}
	}
}

func TestALoadWithFaultsIsRefusedWhole(t *testing.T) {
	called := sync.OnceFunc(func() { t.Error("the target was called") })
	target := targetFunc(func(context.Context, string) (bool, error) {
		called()
		return false, errors.ErrUnsupported
	})
	_, err := Run(context.Background(), Config{Requests: -1}, target)
	for _, field := range []string{"rate", "duration", "n -1", "c 0", "clients", "dist"} {
		if err == nil || !strings.Contains(err.Error(), field) {
			t.Errorf("%s is not named: %v", field, err)
		}
	}
}
