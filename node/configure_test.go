package node_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
)

// file is what a configuration file might say: limits of 100 hours.
func file(limits map[string]int64) map[string]node.Policy {
	out := map[string]node.Policy{}
	for name, n := range limits {
		out[name] = node.Policy{Limit: n, Window: 100 * time.Hour}
	}
	return out
}

// inForce fails the test unless all nodes have the limit, 0 for none.
func (l *lab) inForce(name string, want int64) {
	l.t.Helper()
	for _, m := range l.nodes {
		if got := m.Node.Limits()[name].Limit; got != want && !m.dead {
			l.t.Errorf("n%d: %s is %d, want %d", m.index, name, got, want)
		}
	}
}

func TestAReloadedConfigurationChangesAllNodesOnce(t *testing.T) {
	l := newLab(t, 3, node.Config{Limits: file(map[string]int64{"default": 10, "old": 3})})
	l.nodes[0].take("", "alice", 4)
	l.run(time.Second)
	next := file(map[string]int64{"default": 20, "new": 5})
	must(t, errorOf(l.nodes[1].Node.Configure(next)))
	l.run(soonAfter)
	l.inForce("default", 20)
	l.inForce("new", 5)
	l.inForce("old", 0)
	l.agree("", "alice", 16)
	since := l.nodes[0].Node.Stats().Limits[0].Revision
	for _, i := range []int{0, 2} {
		must(t, errorOf(l.nodes[i].Node.Configure(next)))
		l.run(soonAfter)
	}
	if got := l.nodes[0].Node.Stats().Limits[0]; !got.Revision.Equal(since) || got.Set || got.Configured.Limit != 20 {
		t.Errorf("changed again by the nodes that were told later: %+v", got)
	}
	// One that starts with the same file, and one with a file from before.
	for _, limit := range []int64{20, 10} {
		cfg := node.Config{Limits: file(map[string]int64{"default": limit, "new": 5})}
		if limit == 10 {
			cfg.ConfiguredAt = epoch.Add(-time.Hour)
		}
		l.join(cfg)
		l.run(3 * time.Second)
		l.inForce("default", 20)
		l.agree("", "alice", 16)
	}
	// And one with a file from after.
	l.join(node.Config{Limits: file(map[string]int64{"default": 30, "new": 5}), ConfiguredAt: l.now.Add(-time.Millisecond)})
	l.run(3 * time.Second)
	l.inForce("default", 30)
	l.agree("", "alice", 26)
}

func TestWhatIsSetShadowsWhatIsConfigured(t *testing.T) {
	l := newLab(t, 3, node.Config{Limits: file(map[string]int64{"default": 10})})
	must(t, errorOf(l.nodes[0].Node.SetLimit("default", node.Policy{Limit: 50, Window: 100 * time.Hour})))
	l.run(soonAfter)
	must(t, errorOf(l.nodes[1].Node.Configure(file(map[string]int64{"default": 20}))))
	l.run(soonAfter)
	l.inForce("default", 50)
	if s := l.nodes[1].Node.Stats().Limits[0]; !s.Set || s.Configured.Limit != 20 {
		t.Errorf("%+v", s)
	}
	must(t, errorOf(l.nodes[2].Node.DeleteLimit("default")))
	l.run(soonAfter)
	l.inForce("default", 20)
}

// Neither side of a partition loses its word: a file's change never overrides what was
// set, however much later it was made.
func TestAFileThatChangesInAPartitionOverridesNothing(t *testing.T) {
	for _, setFirst := range []bool{true, false} {
		l := newLab(t, 3, node.Config{Limits: file(map[string]int64{"default": 10})})
		l.lose = func(m mail) bool { return (m.from == 2) != (m.to == 2) }
		set := func() {
			must(t, errorOf(l.nodes[0].Node.SetLimit("default", node.Policy{Limit: 50, Window: 100 * time.Hour})))
		}
		reload := func() { must(t, errorOf(l.nodes[2].Node.Configure(file(map[string]int64{"default": 20})))) }
		if setFirst {
			set()
			l.run(2 * time.Second)
			reload()
		} else {
			reload()
			l.run(2 * time.Second)
			set()
		}
		l.nodes[0].take("", "alice", 3)
		l.nodes[2].take("", "alice", 3)
		l.run(2 * time.Second)
		l.lose = nil
		l.run(5 * time.Second)
		l.inForce("default", 50)
		l.run(150 * time.Second) // until origins were compared
		l.agree("", "alice", 43) // what was used is rounded up with each change
		must(t, errorOf(l.nodes[1].Node.DeleteLimit("default")))
		l.run(soonAfter)
		l.inForce("default", 20)
	}
}

// More overrides than a message holds change with each node that is told.
func TestALargeConfigurationTakesEffectNodeByNode(t *testing.T) {
	large := file(map[string]int64{"default": 10})
	p := large["default"]
	for i := range 5000 {
		p.Overrides = append(p.Overrides, node.Override{Clients: []string{fmt.Sprintf("tenant-%d", i)}, Limit: 100 + int64(i)})
	}
	large["default"] = p
	l := newLab(t, 3, node.Config{Limits: file(map[string]int64{"default": 10})})
	l.nodes[0].take("", "tenant-7", 5)
	l.run(time.Second)
	for _, m := range l.nodes {
		must(t, errorOf(m.Node.Configure(large)))
		l.run(soonAfter)
	}
	l.agree("", "tenant-7", 102)
	l.nodes[1].take("", "tenant-7", 2)
	l.run(time.Second)
	l.agree("", "tenant-7", 100)
	_, err := l.nodes[0].Node.SetLimit("default", p)
	if f, ok := errors.AsType[*node.FieldError](err); !ok || f.Field != "overrides" {
		t.Errorf("set by message: %v", err)
	}
}

func TestABadConfigurationChangesNothing(t *testing.T) {
	l := newLab(t, 1, node.Config{Limits: file(map[string]int64{"default": 10})})
	for _, bad := range []map[string]node.Policy{
		file(map[string]int64{"default": 20, "other": -1}), file(map[string]int64{"a b": 1}), file(map[string]int64{strings.Repeat("x", 65): 1}), file(map[string]int64{node.InlineLimit: 1}),
	} {
		if _, err := l.nodes[0].Node.Configure(bad); err == nil {
			t.Errorf("%v was accepted", bad)
		}
		l.run(soonAfter)
		l.inForce("default", 10)
	}
}

func TestSavedLimitsOutliveTheCluster(t *testing.T) {
	l := newLab(t, 2, node.Config{Limits: file(map[string]int64{"default": 10})})
	version := l.nodes[0].Node.LimitsVersion()
	must(t, errorOf(l.nodes[0].Node.SetLimit("default", node.Policy{Limit: 50, Window: 100 * time.Hour})))
	must(t, errorOf(l.nodes[0].Node.SetLimit("extra", node.Policy{Algorithm: node.SlidingWindow, Limit: 7, Window: time.Minute, Resolution: 6})))
	l.run(soonAfter)
	if l.nodes[1].Node.LimitsVersion() == version || l.nodes[1].Node.LimitsVersion() != l.nodes[0].Node.LimitsVersion() {
		t.Error("the version does not tell that there is something to save")
	}
	text := l.nodes[1].Node.SaveLimits()
	l.nodes = nil
	l.join(node.Config{Limits: file(map[string]int64{"default": 10}), SavedLimits: text})
	l.run(time.Second)
	l.inForce("default", 50)
	l.inForce("extra", 7)
	if again := l.nodes[0].Node.SaveLimits(); !bytes.Equal(text, again) {
		t.Errorf("saved\n%s\nthen\n%s", text, again)
	}
	for _, bad := range []string{"{", `{"version":2}`, `{"version":1,"limits":[{"name":"x","at":1,"by":1,"revisions":[]}]}`, `{"version":1,"limits":[{"name":"a b","at":1,"by":1,"revisions":[{"at":1,"by":1}]}]}`} {
		_, err := node.NewStepper(node.Config{Limits: file(map[string]int64{"default": 10}), SavedLimits: []byte(bad), Now: time.Now}, 1)
		if err == nil {
			t.Errorf("%s was accepted", bad)
		}
	}
}

// Many nodes say again at once what two said in ignorance of each other. It takes effect at
// one instant all the same, and until then what was in force is.
func TestWhatManyNodesSayAgainChangesThemAtOneInstant(t *testing.T) {
	const nodes = 14
	l := newLab(t, nodes, node.Config{Limits: file(map[string]int64{"default": 10})})
	side := func(i int) bool { return i < nodes/2 }
	l.lose = func(m mail) bool { return side(m.from) != side(m.to) }
	must(t, errorOf(l.nodes[0].Node.SetLimit("default", node.Policy{Limit: 50, Window: 100 * time.Hour})))
	must(t, errorOf(l.nodes[nodes-1].Node.Configure(file(map[string]int64{"default": 20}))))
	l.run(2 * time.Second)
	l.lose = nil
	var said, changed time.Time
	for range 2000 {
		l.run(time.Millisecond)
		in := map[int64]int{}
		for _, m := range l.nodes {
			in[m.Node.Limits()["default"].Limit]++
		}
		switch {
		case said.IsZero() && in[20] == nodes:
			said = l.now
		case !said.IsZero() && changed.IsZero() && in[20] < nodes:
			if changed = l.now; in[50] != nodes {
				t.Errorf("not all at one instant: %v", in)
			}
		}
	}
	if lead := changed.Sub(said); lead < 240*time.Millisecond || lead > 260*time.Millisecond {
		t.Errorf("changed %v after it was said", lead)
	}
	l.inForce("default", 50)
}

// What was saved by a clock that was ahead does not wait for that time, nor does what is
// set after it.
func TestLimitsSavedByAClockThatWasAheadAreSetAnew(t *testing.T) {
	l := newLab(t, 1, hourly(10))
	must(t, errorOf(l.nodes[0].Node.SetLimit("default", node.Policy{Limit: 50, Window: time.Hour})))
	l.run(soonAfter)
	cfg := hourly(10)
	cfg.SavedLimits = l.nodes[0].Node.SaveLimits()
	l.now, l.nodes = l.now.Add(-100*time.Hour), nil
	l.join(cfg)
	l.run(3 * time.Second)
	l.inForce("default", 50)
	must(t, errorOf(l.nodes[0].Node.SetLimit("default", node.Policy{Limit: 70, Window: time.Hour})))
	l.run(soonAfter)
	l.inForce("default", 70)
}
