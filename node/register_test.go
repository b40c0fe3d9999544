package node

import (
	"encoding/json"
	"fmt"
	"math"
	"sync"
	"testing"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
	deltasync "github.com/distributed-rate-limiter/distributed-rate-limiter/sync"
)

// fixed is a node whose time stands still.
func fixed(t *testing.T, cfg Config) *Node {
	t.Helper()
	now := time.Unix(1_700_000_040, 0)
	cfg.Name, cfg.Now = "a", func() time.Time { return now }
	n, err := build(cfg, 1)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func entryOf(t *testing.T, name string, list ...saved) deltasync.Register {
	t.Helper()
	value, err := json.Marshal(list)
	if err != nil {
		t.Fatal(err)
	}
	return deltasync.Register{Name: name, Stamp: list[0].stamp(), Value: value}
}

func TestEntriesThatWouldStopTheRegisterAreRefused(t *testing.T) {
	n := fixed(t, Config{Limit: 10, Window: time.Hour})
	at, p := n.now(), &Policy{Limit: 5, Window: time.Hour}
	for name, list := range map[string][]saved{
		"an epoch that cannot be counted on": {{At: at, By: 2, Policy: p, Epoch: math.MaxUint64}},
		"a later revision behind":            {{At: at, By: 2, Policy: p, Epoch: 1}, {At: math.MaxInt64, By: 2, Policy: p}},
		"one revision twice":                 {{At: at, By: 2, Policy: p, Epoch: 1}, {At: at, By: 2, Policy: p, Epoch: 1}},
	} {
		if changed, err := n.limits.merge(n.now(), entryOf(t, "default", list...)); changed || err == nil {
			t.Errorf("%s: %v, %v", name, changed, err)
		}
	}
	if err := n.SetLimit("default", Policy{Limit: 7, Window: time.Hour}); err != nil || n.limits.get("").newest().policy.Limit != 7 {
		t.Errorf("%v", err)
	}
}

// Of what is refused nothing is kept to be said again.
func TestRefusedEntriesLeaveNothingToSay(t *testing.T) {
	all := map[string]Policy{}
	for i := range MaxLimits {
		all[fmt.Sprintf("l%d", i)] = Policy{Limit: 10, Window: time.Hour}
	}
	n := fixed(t, Config{Limits: all, ConfiguredAt: time.Unix(1_700_000_030, 0)})
	for i := range 100 {
		e := saved{At: n.now(), By: 2, Base: &Policy{Limit: 5, Window: time.Hour}, BaseAt: n.now() - int64(time.Hour)}
		if _, err := n.limits.merge(n.now(), entryOf(t, fmt.Sprintf("m%d", i), e)); err == nil {
			t.Fatal("accepted beyond the cap")
		}
	}
	if got := len(n.limits.unsaid); got != 0 {
		t.Errorf("%d entries are to be said again", got)
	}
}

// Words that are said at once, by a clock that stands, all have their effect.
func TestWhatIsSaidAtOnceIsNotLost(t *testing.T) {
	for range 200 {
		n := fixed(t, Config{Limit: 10, Window: time.Hour})
		var wg sync.WaitGroup
		for _, say := range []func() error{
			func() error { return n.SetLimit("default", Policy{Limit: 50, Window: time.Hour}) },
			func() error { return n.Configure(map[string]Policy{"default": {Limit: 20, Window: time.Hour}}) },
		} {
			wg.Go(func() {
				if err := say(); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		n.sayAgain()
		if last := n.limits.history["default"][0]; last.Policy == nil || last.Policy.Limit != 50 || last.Base == nil || last.Base.Limit != 20 {
			t.Fatalf("%+v", last)
		}
	}
}

// All nodes let go of the same one.
func TestOfLimitsDeletedAtOnceTheFirstByNameGoes(t *testing.T) {
	limits := map[string]*namedLimit{}
	for _, name := range []string{"d", "b", "c", "a", "e"} {
		l := newLimit(name, 0)
		r, err := l.newRevision(unknownPolicy, crdt.Stamp{At: 5, By: 1})
		if err != nil {
			t.Fatal(err)
		}
		r.gone = true
		l.insert(10, r)
		limits[name] = l
	}
	for range 50 {
		if got := longestGone(limits).name; got != "a" {
			t.Fatalf("%s goes", got)
		}
	}
}
