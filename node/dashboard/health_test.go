package dashboard

import (
	"strings"
	"testing"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
)

func TestHealthSaysWhatIsWrongAndWhatEndsIt(t *testing.T) {
	well := func() node.Stats { return node.Stats{MaxClients: 100, Sync: node.SyncStats{Ready: true}} }
	for name, c := range map[string]struct {
		edit   func(*node.Stats, *faults)
		state  string
		text   string
		amount int
	}{
		"all is well":     {func(*node.Stats, *faults) {}, healthy, "", 0},
		"not ready":       {func(s *node.Stats, _ *faults) { s.Sync.Ready = false }, unhealthy, "not ready", 1},
		"cut off":         {func(s *node.Stats, _ *faults) { s.Isolated, s.DegradedReasons = true, []string{"peer_silent"} }, unhealthy, "do not hear each other", 2},
		"a silent peer":   {func(s *node.Stats, _ *faults) { s.DegradedReasons = []string{"peer_silent"} }, degraded, "A peer is silent and may be admitting", 1},
		"other files":     {func(s *node.Stats, _ *faults) { s.Sync.Peers = []node.PeerStats{{Node: "n2", OtherLimits: true}} }, degraded, "other limits: n2", 1},
		"a wrong clock":   {func(s *node.Stats, _ *faults) { s.Skew = time.Second }, degraded, "differs by 1s", 1},
		"nearly full":     {func(s *node.Stats, _ *faults) { s.Clients = 81 }, degraded, "fills: 81 of 100", 1},
		"full":            {func(s *node.Stats, f *faults) { s.Clients, f.overflowed = 100, 3 }, unhealthy, "is full: 3 decisions", 1},
		"it was full":     {func(s *node.Stats, _ *faults) { s.Overflowed = 7 }, healthy, "", 0},
		"callers err":     {func(s *node.Stats, f *faults) { s.Refused, f.refused = map[string]uint64{"a": 1, "b": 99, "c": 0}, 61 }, degraded, "61 requests in the last minute: b, a", 1},
		"a caller errs":   {func(s *node.Stats, f *faults) { s.Refused, f.refused = map[string]uint64{"b": 99}, 60 }, healthy, "", 0},
		"a skew is small": {func(s *node.Stats, _ *faults) { s.Skew = skewed }, healthy, "", 0},
	} {
		s, f := well(), faults{}
		c.edit(&s, &f)
		h := judge(&s, f)
		if h.State != c.state || len(h.Findings) != c.amount {
			t.Errorf("%s: got %+v", name, h)
			continue
		}
		found := c.amount == 0
		for _, one := range h.Findings {
			found = found || strings.Contains(one.Text, c.text)
			if one.Until == "" || one.Text == "" {
				t.Errorf("%s: %+v says too little", name, one)
			}
		}
		if !found {
			t.Errorf("%s: %q is not in %+v", name, c.text, h.Findings)
		}
	}
}

// Every reason has words: one without would be an empty line on the page.
func TestEveryReasonForDegradedIsDescribed(t *testing.T) {
	for _, reason := range node.DegradedReasonNames() {
		s := node.Stats{MaxClients: 100, Sync: node.SyncStats{Ready: true}, DegradedReasons: []string{reason}}
		if h := judge(&s, faults{}); h.State != degraded || len(h.Findings[0].Text) < 10 || h.Findings[0].Until == "" {
			t.Errorf("%s: %+v", reason, h)
		}
	}
}
