package sim_test

import (
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/gcra"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/sim"
)

// refunded are policies of all algorithms, of windows that outlast a run or end in it.
var refunded = []node.Policy{
	{Limit: 100, Window: time.Minute},
	{Limit: 20, Window: time.Second, Burst: 60},
	{Algorithm: node.FixedWindow, Limit: 100, Calendar: gcra.Minute},
	{Algorithm: node.FixedWindow, Limit: 50, Window: 10 * time.Second},
	{Algorithm: node.SlidingWindow, Limit: 100, Window: time.Minute},
	{Algorithm: node.SlidingWindow, Limit: 50, Window: 10 * time.Second},
	{Algorithm: node.SlidingWindow, Limit: 100, Window: time.Minute, Resolution: 12},
	{Algorithm: node.SlidingWindow, Limit: 50, Window: 15 * time.Second, Resolution: 3},
}

// reserving is a short run of nothing but reservations, most of them settled, on a
// network that loses, repeats and reorders, with a node that crashes and comes back.
func reserving(seed uint64) sim.Scenario {
	r := rand.New(rand.NewPCG(seed, 7)) //nolint:gosec // repeatable on purpose
	pick := func() node.Policy { return refunded[r.IntN(len(refunded))] }
	sc := sim.Scenario{
		Seed: seed, Nodes: 2 + r.IntN(2), Policy: refunded[seed%uint64(len(refunded))], Duration: 4 * time.Second, Flush: 50 * time.Millisecond,
		Limits: []sim.Limit{{Name: "second", Policy: pick()}},
		Link: sim.Link{
			DelayMin: time.Millisecond, DelayMax: 20 * time.Millisecond, Loss: 0.1 + 0.2*r.Float64(), Duplicate: 0.3 * r.Float64(), Reorder: true,
		},
		Streams: []sim.Stream{
			{Client: "alice", Rate: 20, Cost: 1, MaxCost: 12, Cancel: 0.9},
			{Client: "bob", Rate: 20, Cost: 1, MaxCost: 12, Cancel: 0.9, Also: []string{"second"}},
		},
		Faults: []sim.Fault{{
			Kind: sim.FaultCrash, At: 500*time.Millisecond + time.Duration(r.Int64N(int64(2*time.Second))), For: time.Second, Nodes: []int{1 + r.IntN(2)},
		}},
	}
	// What a second limit of GCRA gives back depends on what has drained, and nobody
	// says how much it was.
	for sc.Limits[0].Policy.Algorithm == node.GCRA {
		sc.Limits[0].Policy = pick()
	}
	return sc
}

func TestRefundsAreNeverCountedTwice(t *testing.T) {
	var reserved, returned, audited, failed atomic.Uint64
	const workers = 8
	for k := range workers {
		t.Run(fmt.Sprint("part", k), func(t *testing.T) {
			t.Parallel()
			for seed := *from + uint64(k); seed < *from+uint64(*seeds) && failed.Load() < 10; seed += workers {
				r, err := sim.Run(reserving(seed), nil)
				if err != nil {
					t.Fatalf("seed %d: %v", seed, err)
				}
				for _, v := range r.Violations {
					failed.Add(1)
					t.Errorf("seed %d: %s", seed, v)
				}
				if r.Returned > r.Reserved || r.Audited == 0 {
					t.Errorf("seed %d: %d reserved, %d given back, %d sums compared", seed, r.Reserved, r.Returned, r.Audited)
				}
				reserved.Add(r.Reserved)
				returned.Add(r.Returned)
				audited.Add(r.Audited)
			}
		})
	}
	t.Cleanup(func() {
		t.Logf("%d seeds: %d units reserved, %d given back, %d sums of counters compared", *seeds, reserved.Load(), returned.Load(), audited.Load())
		if *seeds > 100 && 10*returned.Load() < reserved.Load() {
			t.Error("hardly anything was given back: this proves nothing")
		}
	})
}
