package node_test

import (
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
