package node

import (
	"testing"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
	deltasync "github.com/distributed-rate-limiter/distributed-rate-limiter/sync"
)

// stillNode decides alone at one instant.
func stillNode(t testing.TB) *Node {
	t.Helper()
	n, err := build(Config{Name: "n", Limit: 10, Window: time.Minute, Now: func() time.Time { return time.Unix(1_900_000_000, 0) }}, 1)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// What a peer says of a limit is taken over whole, or not at all; and the node decides
// afterwards.
func FuzzRegister(f *testing.F) {
	for _, seed := range []string{
		`[{"at":5,"by":7,"policy":{"Limit":3,"Window":1000000000}}]`,
		`[{"at":5,"by":7,"epoch":18446744073709551615},{"at":4,"by":7,"base":{"Limit":3,"Window":1000000000},"base_at":3}]`,
		`[{"at":5,"by":7,"none":true,"base_at":-1}]`,
		`[{"at":5,"by":7,"policy":{"Algorithm":"sliding_window","Limit":3,"Window":1000000000,"Resolution":60,"Overrides":[{"CIDRs":["10.0.0.0/8"],"Access":"blocked"}]}}]`,
		`[]`, `null`, `[null]`, `{}`, `[{"at":5,"by":7,"policy":{}}]`,
	} {
		f.Add("default", int64(5), uint64(7), []byte(seed))
		f.Add("other", int64(5), uint64(7), []byte(seed))
	}
	f.Fuzz(func(t *testing.T, name string, at int64, by uint64, value []byte) {
		n := stillNode(t)
		before := n.LimitsVersion()
		n.limits.MergeRegisters(n.now(), []deltasync.Register{{Name: name, Stamp: crdt.Stamp{At: at, By: crdt.Replica(by)}, Value: value}})
		for limit, p := range n.Limits() {
			if err := p.Validate(); err != nil {
				t.Errorf("limit %q: %v", limit, err)
			}
			n.Limiter(limit).Take("alice", 1)
		}
		if n.LimitsVersion() != before && len(n.limits.Registers()) == 0 {
			t.Error("something was taken over, and nothing is there")
		}
		if _, err := build(Config{Name: "n", Limit: 10, Window: time.Minute, SavedLimits: n.SaveLimits(), Now: time.Now}, 2); err != nil {
			t.Errorf("what was saved is refused: %v", err)
		}
	})
}
