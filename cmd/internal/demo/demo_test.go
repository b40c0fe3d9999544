package demo

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestAShortDemonstrationPasses(t *testing.T) {
	var out strings.Builder
	served, stopped := "", false
	err := Run(t.Context(), Config{Out: &out, Round: 2 * time.Second, Rounds: 2, Serve: func(n *node.Node) func() {
		served = n.Stats().Name
		return func() { stopped = true }
	}})
	if err != nil || served != "n1" || !stopped {
		t.Errorf("got %v, served %q, stopped %v", err, served, stopped)
	}
	text := out.String()
	t.Log(text)
	for _, want := range []string{ // in this order
		"all of them hear each other", "seed 1", "n2 is told that the limit is 60 per 10s, burst 15",
		"n3 is cut off", "n3 is connected again", "n2 is killed",
		"n2 is told that the limit is 100 per 10s, burst 20", "n3 is cut off", "n2 is killed", "the load ends",
	} {
		_, rest, found := strings.Cut(text, want)
		if !found {
			t.Errorf("%q does not come, or not in its turn", want)
			continue
		}
		text = rest
	}
	for _, want := range []string{"the new limit is in force on all nodes", "n3 knows all that the others admitted meanwhile", "n2 runs again"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q does not come", want)
		}
	}
	if !strings.HasSuffix(out.String(), "\nPASS\n") || strings.Contains(out.String(), "FAIL") {
		t.Error("no PASS in the end")
	}
}

func TestADemonstrationCanBeInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var out strings.Builder
	err := Run(ctx, Config{Out: &out, Round: time.Hour, Rounds: 1, Serve: func(*node.Node) func() {
		time.AfterFunc(100*time.Millisecond, cancel)
		return func() {}
	}})
	if !errors.Is(err, context.Canceled) || strings.Contains(out.String(), "PASS") {
		t.Errorf("got %v\n%s", err, out.String())
	}
}

// Ctrl-C ends the demonstration, with a verdict on all that came before.
func TestADemonstrationWithoutEndGivesItsVerdictWhenItIsInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var out strings.Builder
	err := Run(ctx, Config{Out: stopAfter{&out, "n3 is cut off", cancel}, Round: 2 * time.Second})
	if err != nil || !strings.HasSuffix(out.String(), "\nPASS\n") || strings.Contains(out.String(), "agreement") {
		t.Errorf("got %v\n%s", err, out.String())
	}
}

// stopAfter stops something when a text comes.
type stopAfter struct {
	*strings.Builder
	text string
	stop func()
}

func (s stopAfter) Write(p []byte) (int, error) {
	if strings.Contains(string(p), s.text) {
		s.stop()
	}
	return s.Builder.Write(p)
}

func TestARoundThatIsTooShortIsRefused(t *testing.T) {
	if err := Run(t.Context(), Config{Round: time.Millisecond}); err == nil || !strings.Contains(err.Error(), "at least 1s") {
		t.Errorf("got %v", err)
	}
}

func TestEqualSeedsMakeEqualLoads(t *testing.T) {
	a, b, c := newLoad(7, 3*time.Second), newLoad(7, 3*time.Second), newLoad(8, 3*time.Second)
	if len(a.hits) != len(b.hits) || len(a.hits) == 0 {
		t.Fatalf("%d and %d requests", len(a.hits), len(b.hits))
	}
	differ := len(a.hits) != len(c.hits)
	last := map[int]time.Duration{}
	sent := [nodes]int{}
	for i, h := range a.hits {
		if h != b.hits[i] {
			t.Fatalf("request %d is %+v and %+v", i, h, b.hits[i])
		}
		differ = differ || h != c.hits[i]
		if at, some := last[h.client]; some && a.modest(h.client) && h.at-at < modestEvery/2 {
			t.Errorf("client %d: %v after another: none of theirs may ever be denied", h.client, h.at-at)
		}
		last[h.client] = h.at
		sent[h.node]++
	}
	if !differ {
		t.Error("another seed makes the same load")
	}
	if len(last) != greedyClients+modestClients || min(sent[0], sent[1], sent[2]) < len(a.hits)/4 {
		t.Errorf("%d clients, %v", len(last), sent)
	}
}
