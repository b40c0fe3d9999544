package node_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
)

// byName are the decisions of a limit by the names of its overrides, denied ones behind the
// slash.
func byName(n *node.Node, limit string) map[string]string {
	out := map[string]string{}
	for _, l := range n.Stats().Limits {
		if l.Name == limit {
			out["*"] = fmt.Sprintf("%d/%d", l.Allowed, l.Denied)
			for _, o := range l.Overrides {
				out[o.Name] = fmt.Sprintf("%d/%d", o.Allowed, o.Denied)
			}
		}
	}
	return out
}

func wantCounts(t *testing.T, n *node.Node, limit string, want map[string]string) {
	t.Helper()
	if got := byName(n, limit); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// Tiers that are built as overrides are told apart, on every way to a decision, and the
// limit's own counts include them. Two overrides may share a name.
func TestNamedOverridesAreCountedApart(t *testing.T) {
	n := alone(t, node.Config{Limits: map[string]node.Policy{
		"api": {Limit: 1, Window: time.Hour, Overrides: []node.Override{
			{Name: "gold", Prefixes: []string{"gold-"}, Limit: 3},
			{Name: "gold", Clients: []string{"alice"}, Limit: 3},
			{Name: "free", CIDRs: []string{"10.0.0.0/8"}, Access: node.Unlimited},
			{Name: "bad", Clients: []string{"mallory"}, Access: node.Blocked},
			{Clients: []string{"bob"}, Limit: 2},
		}},
		"other": {Limit: 100, Window: time.Hour},
	}})
	for client, times := range map[string]int{"gold-1": 4, "alice": 2, "10.1.2.3": 5, "mallory": 3, "bob": 3, "zoe": 2} {
		for range times {
			n.MustLimiter("api").Allow(client)
		}
	}
	wantCounts(t, n, "api", map[string]string{"*": "13/6", "gold": "5/1", "free": "5/0", "bad": "0/3"})
	n.Do(node.Request{Client: "alice", Limit: "other", Also: []node.Check{{Limit: "api"}, {Limit: "api", Client: "10.0.0.1"}}})
	n.Reserve(node.Request{Client: "gold-2", Limit: "api", Cost: 2})
	n.Do(node.Request{Client: "gold-2", Limit: "api", Peek: true})
	wantCounts(t, n, "api", map[string]string{"*": "16/6", "gold": "7/1", "free": "6/0", "bad": "0/3"})
	wantCounts(t, n, "other", map[string]string{"*": "1/0"})
}

// A limit counts by 200 names, and puts further ones together, whichever revision brought
// them. Counts of a name go on over revisions, and the limit's own counts never go back.
func TestTheNamesOfOverridesAreCapped(t *testing.T) {
	l := newLab(t, 1, node.Config{Limits: map[string]node.Policy{"api": tiers(0, 150), "later": {Limit: 1, Window: time.Hour}}})
	n := l.nodes[0].Node
	ask := func(from, to int) {
		for i := from; i < to; i++ {
			n.MustLimiter("api").Allow(fmt.Sprintf("c%d", i))
		}
	}
	ask(0, 150)
	_, err := n.SetLimit("api", tiers(100, 300))
	must(t, err)
	l.run(time.Second)
	ask(100, 300)
	got := byName(n, "api")
	if got["*"] != "350/0" || got["tier-120"] != "2/0" || got["tier-0"] != "1/0" || got["tier-199"] != "1/0" || got["other"] != "100/0" || len(got) != 202 {
		t.Errorf("%d names, got %v", len(got)-1, got)
	}
	// Another limit's names do not count against this one's, and the label is no name.
	_, err = n.SetLimit("later", tiers(0, 3))
	must(t, err)
	l.run(time.Second)
	wantCounts(t, n, "later", map[string]string{"*": "0/0", "tier-0": "0/0", "tier-1": "0/0", "tier-2": "0/0"})
}

// tiers is a policy with an override of its own name for each of some clients.
func tiers(from, to int) node.Policy {
	p := node.Policy{Limit: 10, Window: time.Hour}
	for i := from; i < to; i++ {
		p.Overrides = append(p.Overrides, node.Override{Name: fmt.Sprintf("tier-%d", i), Clients: []string{fmt.Sprintf("c%d", i)}, Limit: 20})
	}
	return p
}

func TestANameOfAnOverrideFitsALabel(t *testing.T) {
	for name, right := range map[string]bool{
		"": true, "gold": true, "Tier.1_a-b": true, fmt.Sprintf("%064d", 1): true,
		"other": false, "a b": false, "gold\n": false, "größe": false, fmt.Sprintf("%065d", 1): false, `a"b`: false,
	} {
		p := node.Policy{Limit: 1, Window: time.Minute, Overrides: []node.Override{{Name: name, Clients: []string{"a"}, Limit: 2}}}
		if err := p.Validate(); (err == nil) != right {
			t.Errorf("%q: %v", name, err)
		}
	}
}

// Counting by a name is one look-up more, and allocates nothing.
func TestANamedOverrideAllocatesNothing(t *testing.T) {
	n := alone(t, node.Config{Limits: map[string]node.Policy{"api": tiers(0, 50)}})
	api := n.MustLimiter("api")
	api.Allow("c7")
	if got := testing.AllocsPerRun(1000, func() { api.Allow("c7") }); got != 0 {
		t.Errorf("%v allocations", got)
	}
}
