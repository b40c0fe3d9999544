package node_test

import (
	"errors"
	"testing"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
)

func TestAnExplanationTellsWhoAdmittedWhat(t *testing.T) {
	l := newLab(t, 3, node.Config{Limits: map[string]node.Policy{
		"default": tenants(), "sliding": {Algorithm: node.SlidingWindow, Limit: 10, Window: time.Minute, Resolution: 4},
	}})
	for i, m := range l.nodes {
		m.take("", "acme", i+1)
		m.take("sliding", "alice", i+1)
	}
	r := l.nodes[2].Node.Limiter("").Reserve("acme", 4)
	r.Commit(1)
	l.run(time.Second)
	x, err := l.nodes[0].Node.Explain("", "acme")
	must(t, err)
	if x.Override != 0 || x.Policy.Limit != 20 || !x.Held || x.Remaining != 13 || !x.Since.IsZero() || x.FullAt.Before(l.now) {
		t.Errorf("%+v", x)
	}
	if len(x.Windows) != 1 || len(x.Windows[0].Shares) != 3 {
		t.Fatalf("%+v", x.Windows)
	}
	for i, want := range []node.ExplainedShare{{Node: "n2", Replica: 3, Admitted: 7, GivenBack: 3}, {Node: "n1", Replica: 2, Admitted: 2}, {Node: "n0", Replica: 1, Admitted: 1}} {
		if got := x.Windows[0].Shares[i]; got != want {
			t.Errorf("%+v, want %+v", got, want)
		}
	}
	x, err = l.nodes[1].Node.Explain("sliding", "alice")
	must(t, err)
	if w := x.Windows; len(w) != 1 || w[0].End.Sub(w[0].Start) != 15*time.Second || len(w[0].Shares) != 3 || x.Remaining != 4 || x.Override != -1 {
		t.Errorf("%+v", x)
	}
	must(t, errorOf(l.nodes[0].Node.SetLimit("sliding", node.Policy{Algorithm: node.SlidingWindow, Limit: 20, Window: time.Minute})))
	l.run(soonAfter)
	x, err = l.nodes[1].Node.Explain("sliding", "alice")
	must(t, err)
	if w := x.Windows; len(w) != 1 || w[0].Before != 6 || x.Remaining != 14 || x.Since.IsZero() {
		t.Errorf("after a change: %+v", x)
	}
	for client, want := range map[string]node.Reason{"mallory": node.ReasonBlocked, "internal:x": node.ReasonUnlimited} {
		if x, err := l.nodes[0].Node.Explain("", client); err != nil || x.Reason != want || len(x.Windows) != 0 {
			t.Errorf("%s: %+v, %v", client, x, err)
		}
	}
	if x, err := l.nodes[0].Node.Explain("", "2001:db9::7"); err != nil || x.CountsAs != "2001:db9::/64" || x.Held {
		t.Errorf("%+v, %v", x, err)
	}
	if _, err := l.nodes[0].Node.Explain("nosuch", "alice"); !errors.Is(err, node.ErrUnknownLimit) {
		t.Error(err)
	}
	if _, err := l.nodes[0].Node.Explain("", ""); !errors.As(err, new(*node.FieldError)) {
		t.Error(err)
	}
}
