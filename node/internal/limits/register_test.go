package limits

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/tally"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/limit"
	deltasync "github.com/distributed-rate-limiter/distributed-rate-limiter/sync"
)

// now is the instant of these tests.
const now = int64(1_700_000_040e9)

// ignore is an Observer that takes no notice.
type ignore struct{}

func (ignore) LimitChanged(deltasync.Register)        {}
func (ignore) LimitRefused(deltasync.Register, error) {}
func (ignore) LimitProposed()                         {}

// newRegistry is that of replica 1, configured at an instant.
func newRegistry(t testing.TB, configured map[string]limit.Policy, at int64) *Registry {
	t.Helper()
	hash := deltasync.NewSecret([]byte("test"), "limits").Hash128
	g, err := New(Config{Replica: 1, Hash: hash, Tolerance: time.Second, Configured: configured, ConfiguredAt: at, Dropped: new(tally.Drops), Observer: ignore{}})
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// defaults configures the limit "default" alone.
func defaults(p limit.Policy) map[string]limit.Policy { return map[string]limit.Policy{Default: p} }

func errorOf(_ int64, err error) error { return err }

func entryOf(t *testing.T, name string, list ...statement) deltasync.Register {
	t.Helper()
	value, err := json.Marshal(list)
	if err != nil {
		t.Fatal(err)
	}
	return deltasync.Register{Name: name, Stamp: list[0].stamp(), Value: value}
}

func TestEntriesThatWouldStopTheRegisterAreRefused(t *testing.T) {
	g := newRegistry(t, defaults(limit.Policy{Limit: 10, Window: time.Hour}), 0)
	at, p := now, &limit.Policy{Limit: 5, Window: time.Hour}
	for name, list := range map[string][]statement{
		"an epoch that cannot be counted on": {{At: at, By: 2, Policy: p, Epoch: math.MaxUint64}},
		"a later revision behind":            {{At: at, By: 2, Policy: p, Epoch: 1}, {At: math.MaxInt64, By: 2, Policy: p}},
		"one revision twice":                 {{At: at, By: 2, Policy: p, Epoch: 1}, {At: at, By: 2, Policy: p, Epoch: 1}},
	} {
		if changed, err := g.merge(now, entryOf(t, "default", list...)); changed || err == nil {
			t.Errorf("%s: %v, %v", name, changed, err)
		}
	}
	if _, err := g.Set(now, "default", limit.Policy{Limit: 7, Window: time.Hour}); err != nil || g.Get("").Newest().Policy.Limit != 7 {
		t.Errorf("%v", err)
	}
}

// A refused entry leaves nothing that would be proposed again.
func TestRefusedEntriesLeaveNothingPending(t *testing.T) {
	all := map[string]limit.Policy{}
	for i := range MaxLimits {
		all[fmt.Sprintf("l%d", i)] = limit.Policy{Limit: 10, Window: time.Hour}
	}
	g := newRegistry(t, all, now-int64(10*time.Second))
	for i := range 100 {
		e := statement{At: now, By: 2, Base: &limit.Policy{Limit: 5, Window: time.Hour}, BaseAt: now - int64(time.Hour)}
		if _, err := g.merge(now, entryOf(t, fmt.Sprintf("m%d", i), e)); err == nil {
			t.Fatal("accepted beyond the cap")
		}
	}
	if got := len(g.pending); got != 0 {
		t.Errorf("%d entries are pending", got)
	}
}

// Two changes at one instant on both layers of a limit both have their effect.
func TestChangesAtOnceAreNotLost(t *testing.T) {
	for range 200 {
		g := newRegistry(t, defaults(limit.Policy{Limit: 10, Window: time.Hour}), 0)
		var wg sync.WaitGroup
		for _, change := range []func() error{
			func() error { return errorOf(g.Set(now, "default", limit.Policy{Limit: 50, Window: time.Hour})) },
			func() error {
				return errorOf(g.Configure(now, map[string]limit.Policy{"default": {Limit: 20, Window: time.Hour}}))
			},
		} {
			wg.Go(func() {
				if err := change(); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		g.ProposePending(now)
		if last := g.history["default"][0]; last.Policy == nil || last.Policy.Limit != 50 || last.Base == nil || last.Base.Limit != 20 {
			t.Fatalf("%+v", last)
		}
	}
}

// All nodes oust the same limit.
func TestOfLimitsDeletedAtOnceTheFirstByNameGoes(t *testing.T) {
	all := map[string]*Limit{}
	for _, name := range []string{"d", "b", "c", "a", "e"} {
		l := newLimit(name, 0, deltasync.KeyHash{})
		r, err := l.newRevision(unknownPolicy, crdt.Stamp{At: 5, By: 1})
		if err != nil {
			t.Fatal(err)
		}
		r.Gone = true
		l.insert(10, r)
		all[name] = l
	}
	for range 50 {
		if got := longestGone(all).Name; got != "a" {
			t.Fatalf("%s goes", got)
		}
	}
}

// Two nodes change a limit without knowing of each other. Whichever change wins, both learn of
// the other one, since clients are counted under it, and a node that starts then does as well.
func TestBothSidesOfACutLearnAllRevisions(t *testing.T) {
	p := limit.Policy{Limit: 10, Window: time.Minute}
	var sides [2]*Registry
	var at [2]int64
	for i := range sides {
		sides[i] = newRegistry(t, defaults(p), 0)
		sides[i].cfg.Replica = crdt.Replica(i + 1)
		p.Limit++
		var err error
		if at[i], err = sides[i].Set(now+int64(i)*int64(time.Second), Default, p); err != nil {
			t.Fatal(err)
		}
	}
	later := now + 2*int64(time.Second)
	if sides[0].RegistersDigest() == sides[1].RegistersDigest() {
		t.Fatal("nobody notices that they differ")
	}
	sides[0].MergeRegisters(later, sides[1].Registers())
	if sides[0].RegistersDigest() == sides[1].RegistersDigest() {
		t.Error("the side that won is not told of what the other one said")
	}
	version := sides[1].Get(Default).Version()
	sides[1].MergeRegisters(later, sides[0].Registers())
	if sides[0].RegistersDigest() != sides[1].RegistersDigest() {
		t.Error("they differ after they told each other all")
	}
	if sides[1].Get(Default).Version() == version {
		t.Error("clients are not told that a revision before theirs was heard of")
	}
	joiner := newRegistry(t, defaults(p), 0)
	joiner.MergeRegisters(later, sides[1].Registers())
	for i, g := range append(sides[:], joiner) {
		for k, at := range at {
			if g.Get(Default).Find(crdt.Stamp{At: at, By: crdt.Replica(k + 1)}) == nil {
				t.Errorf("node %d does not know revision %d", i, k)
			}
		}
	}
	// Long after, clients cannot be counted under it any more.
	last := now + 20*int64(time.Minute)
	if _, err := sides[0].Set(last, Default, p); err != nil {
		t.Fatal(err)
	}
	sides[1].MergeRegisters(last, sides[0].Registers())
	for i, g := range sides {
		if list, err := readEntry(g.Registers()[0]); err != nil || len(list) > 2 {
			t.Errorf("node %d still tells %d revisions, %v", i, len(list), err)
		}
	}
}

// A peer that states limit after limit does not fill the memory of every node.
func TestLimitsOfPeersAreCappedInBytes(t *testing.T) {
	g := newRegistry(t, nil, 0)
	large := limit.Policy{Limit: 5, Window: time.Hour, Overrides: []limit.Override{{Access: limit.Blocked}}}
	for i := range 120 {
		large.Overrides[0].Clients = append(large.Overrides[0].Clients, fmt.Sprint(strings.Repeat("x", 200), i))
	}
	by := crdt.Replica(7)
	state := func(i int, p limit.Policy, at int64) int {
		r := entryOf(t, fmt.Sprint("limit", i), statement{At: at, By: by, Policy: &p, Epoch: uint64(at - now + 1)})
		g.MergeRegisters(now, []deltasync.Register{r})
		return len(r.Value)
	}
	size := state(0, large, now)
	for i := range 2 * mostBytesEach / size {
		state(i, large, now)
	}
	if taken, most := len(g.Registers()), mostBytesEach/size; taken != most {
		t.Errorf("%d limits of %d bytes were taken, want %d of one author", taken, size, most)
	}
	for i := range 2 * mostBytes / size { // others, who have room of their own
		by = crdt.Replica(8 + i%5)
		state(1000+i, large, now)
	}
	if taken, most := len(g.Registers()), mostBytes/size; taken != most {
		t.Errorf("%d limits of %d bytes were taken, want %d", taken, size, most)
	}
	by = 7
	// A limit that takes no more room than before can still be changed.
	state(0, limit.Policy{Limit: 6, Window: time.Hour}, now+1)
	if got := g.Get("limit0").Newest().Policy.Limit; got != 6 {
		t.Errorf("the limit is %d", got)
	}
}
