package node_test

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
)

// A node that starts again in a cut knows by what it saved that there are others. It has no
// burst to give anew.
func TestANodeKnowsItsClusterOverARestart(t *testing.T) {
	shared := with(node.Policy{Limit: 60, Window: time.Minute, OnIsolation: node.IsolationShare})
	l := newLab(t, 3, shared)
	saved := l.nodes[0].Node.SaveMembers()
	for name, c := range map[string]struct {
		saved    []byte
		pass     int
		never    bool
		isolated bool
	}{
		"as saved":         {saved: saved, never: true, isolated: true},
		"nothing is saved": {pass: 60, never: true},
		"damaged":          {saved: []byte("{"), never: true, isolated: true},
		"another version":  {saved: []byte(`{"version":2,"members":["n1"]}`), never: true, isolated: true},
		"no name":          {saved: []byte(`{"version":1,"members":["n1","?"]}`), never: true, isolated: true},
		"nobody else":      {saved: []byte(`{"version":1,"members":[]}`), pass: 60},
	} {
		t.Run(name, func(t *testing.T) {
			l := &lab{t: t, now: epoch}
			cfg := shared
			cfg.SavedMembers = c.saved
			m := l.join(cfg)
			if got := m.take("", "alice", 100); got != c.pass {
				t.Errorf("%d pass at once, want %d", got, c.pass)
			}
			l.run(4 * time.Second)
			s := m.Node.Stats()
			if slices.Contains(s.DegradedReasons, "never_heard") != c.never || slices.Contains(s.DegradedReasons, "peer_silent") != c.isolated {
				t.Errorf("degraded by %v", s.DegradedReasons)
			}
			if members := m.Node.SaveMembers(); (members == nil) != (c.saved == nil || c.isolated && name != "as saved") {
				t.Errorf("it would save %q", members)
			}
		})
	}
}

// Nobody can wait for a node that is gone for good. Whoever starts the last one of a cluster says so
// of each that its state directory names.
func TestForgettingAllThatWereSavedEndsTheWaitForThem(t *testing.T) {
	l := newLab(t, 3, with(node.Policy{Limit: 60, Window: time.Minute}))
	cfg := with(node.Policy{Limit: 60, Window: time.Minute})
	cfg.SavedMembers = l.nodes[0].Node.SaveMembers()
	l = &lab{t: t, now: epoch}
	m := l.join(cfg)
	never := func() bool {
		s := m.Node.Stats()
		if slices.Contains(s.DegradedReasons, "never_heard") != math.IsInf(s.Limits[0].OvershootBound, 1) {
			t.Errorf("degraded by %v, and the bound is %v", s.DegradedReasons, s.Limits[0].OvershootBound)
		}
		return slices.Contains(s.DegradedReasons, "never_heard")
	}
	l.run(4 * time.Second)
	if !never() {
		t.Error("it does not wait for anybody")
	}
	if !m.Node.Forget("n1") || m.Node.Forget("n1") {
		t.Error("a name that was saved is not known, or known twice")
	}
	l.run(time.Second)
	if !never() {
		t.Error("it waits for nobody, though one is left")
	}
	m.Node.Forget("n2")
	l.run(time.Second)
	if s := m.Node.Stats(); never() || s.Degraded {
		t.Errorf("degraded by %v once all are forgotten", s.DegradedReasons)
	}
	if saved := string(m.Node.SaveMembers()); saved != "{\"version\":1,\"members\":[]}\n" {
		t.Errorf("it would save %q", saved)
	}
}
