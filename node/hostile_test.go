package node

import (
	"strings"
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

func TestACalledPolicyIsItsName(t *testing.T) {
	for _, p := range []Policy{
		{Limit: 1, Window: time.Millisecond},
		{Limit: 1 << 52, Window: 366 * 24 * time.Hour, Burst: 1 << 50},
		{Algorithm: FixedWindow, Limit: 1 << 50, Calendar: 7, Consistency: Local, Shadow: true, OnIsolation: IsolationClosed},
		{Algorithm: SlidingWindow, Limit: 1 << 50, Window: 366*24*time.Hour - 1, Resolution: 60},
		{Access: Blocked},
	} {
		if err := p.Validate(); err != nil {
			t.Fatal(err)
		}
		c, ok := calledOf(&p)
		if !ok {
			t.Fatalf("%+v", p)
		}
		name := c.name()
		if len(name) > 64 {
			t.Errorf("%s is too long for a message", name)
		}
		if back, err := parseCalled(name); err != nil || back != c {
			t.Errorf("%s: %+v, %v, want %+v", name, back, err, c)
		}
	}
}

// A name from a peer makes one limit of a valid policy, or none.
func FuzzCalledName(f *testing.F) {
	c, _ := calledOf(&Policy{Limit: 100, Window: time.Minute, Burst: 7})
	for _, seed := range []string{c.name(), "~", "~.........", "~1.4.....2s..", "~zzzzzzzzzzzzzzzzzzzzz.........", "~0.........", "~-1.........", "~......-..."} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, name string) {
		n := stillNode(t)
		l := n.limits.calledByName(calledMark+strings.TrimPrefix(name, calledMark), n.now())
		if l == nil {
			return
		}
		if l.name != calledMark+strings.TrimPrefix(name, calledMark) {
			t.Errorf("%q made the limit %q", name, l.name)
		}
		if err := l.newest().policy.Validate(); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	})
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
		s := store{n}
		s.MergeRegisters(n.now(), []deltasync.Register{{Name: name, Stamp: crdt.Stamp{At: at, By: crdt.Replica(by)}, Value: value}})
		for limit, p := range n.Limits() {
			if err := p.Validate(); err != nil {
				t.Errorf("limit %q: %v", limit, err)
			}
			n.Limiter(limit).Take("alice", 1)
		}
		if n.LimitsVersion() != before && len(s.Registers()) == 0 {
			t.Error("something was taken over, and nothing is there")
		}
		if _, err := build(Config{Name: "n", Limit: 10, Window: time.Minute, SavedLimits: n.SaveLimits(), Now: time.Now}, 2); err != nil {
			t.Errorf("what was saved is refused: %v", err)
		}
	})
}
