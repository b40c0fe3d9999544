package sim

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
)

// visits are requests of a few clients in spells of some seconds, minutes apart.
func visits(seed uint64) []Arrival {
	r := rand.New(rand.NewPCG(seed, 5)) //nolint:gosec // repeatable on purpose
	var out []Arrival
	at := epoch
	for range 12 {
		for range 40 {
			at += r.Int64N(int64(400 * ms))
			out = append(out, Arrival{At: at, Client: fmt.Sprint("c", r.IntN(3)), Node: 1 + r.IntN(3)})
		}
		at += int64(10*time.Second) + r.Int64N(int64(5*time.Minute))
	}
	return out
}

func TestJumpingOverIdleTimeChangesNoVerdict(t *testing.T) {
	t.Parallel()
	for seed := range uint64(5) {
		sc := Scenario{Seed: seed, Nodes: 3, Policy: node.Policy{Limit: 5, Window: time.Minute}, Link: Link{DelayMin: 100 * ms, DelayMax: 100 * ms}}
		verdicts := func(skip func(*world, int64)) (string, Result) {
			var trace bytes.Buffer
			r, err := replay(sc, slices.Values(visits(seed)), skip, &trace)
			if err != nil {
				t.Fatal(err)
			}
			for _, v := range r.Violations {
				t.Errorf("seed %d: %s", seed, v)
			}
			decided := slices.DeleteFunc(strings.Split(trace.String(), "\n"), func(line string) bool { return !strings.Contains(line, " decide ") })
			return strings.Join(decided, "\n"), r
		}
		jumped, after := verdicts((*world).skipIdle)
		walked, before := verdicts(func(*world, int64) {})
		if jumped != walked {
			t.Errorf("seed %d: verdicts differ:\n%s\n\n%s", seed, jumped, walked)
		}
		if before.Denied == 0 {
			t.Errorf("seed %d: nothing was denied: this shows nothing", seed)
		}
		if 2*after.Messages > before.Messages {
			t.Errorf("seed %d: %d messages instead of %d: it did not jump", seed, after.Messages, before.Messages)
		}
	}
}

func TestTheYardstickMeasuresWhatOneLimiterWouldHaveDenied(t *testing.T) {
	y, err := newYardstick(node.Policy{Limit: 10, Window: 10 * time.Second, Burst: 4})
	if err != nil {
		t.Fatal(err)
	}
	a := &account{yard: y}
	a.forget(0)
	m := &member{}
	// e is what a client got beyond the limit after n units at a time.
	e := func(at time.Duration, n int) float64 {
		for range n {
			a.add(&charge{by: m, at: epoch + int64(at), cost: 1})
		}
		return float64(y.gcra.TAT(a.level)-epoch-int64(at))*y.rate() - 4
	}
	for _, step := range []struct {
		at   time.Duration
		n    int
		want float64
	}{
		{0, 3, -1},
		{2 * time.Second, 4, 1}, // two have drained, five are in
		{60 * time.Second, 4, 0},
		{61 * time.Second, 4, 3},
	} {
		if got := e(step.at, step.n); got != step.want {
			t.Errorf("at %v: E is %v, want %v", step.at, got, step.want)
		}
	}
}
