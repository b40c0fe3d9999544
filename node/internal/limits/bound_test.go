package limits

import (
	"math"
	"testing"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/limit"
	deltasync "github.com/distributed-rate-limiter/distributed-rate-limiter/sync"
)

// The bound on over-admission by the measured state of the peers: for each that may
// admit, B + r·(staleness + flush), and once r·(largest skew).
func TestTheBoundIsTheFormula(t *testing.T) {
	const ms = int64(time.Millisecond)
	flush := 50 * time.Millisecond
	// 120 per minute are 2 per second: 100 ms are 0.2 units.
	policy := limit.Policy{Limit: 120, Window: time.Minute, Burst: 20}
	for _, c := range []struct {
		name  string
		peers []deltasync.Peer
		want  float64
	}{
		{"alone", nil, 0},
		{"one peer", []deltasync.Peer{{Admits: true, StaleFor: 50 * ms}}, 20 + 0.2},
		{"two peers", []deltasync.Peer{{Admits: true, StaleFor: 50 * ms}, {Admits: true, StaleFor: 450 * ms}}, 40 + 0.2 + 1},
		{"skew ahead", []deltasync.Peer{{Admits: true, StaleFor: 50 * ms, Skew: 250 * ms}}, 20 + 0.2 + 0.5},
		{"the largest skew counts, behind or ahead", []deltasync.Peer{{Admits: true, StaleFor: 50 * ms, Skew: 100 * ms}, {Admits: true, StaleFor: 50 * ms, Skew: -250 * ms}}, 40 + 0.4 + 0.5},
		{"a silent one can still admit", []deltasync.Peer{{State: deltasync.PeerSuspect, Admits: true, StaleFor: 9950 * ms}}, 20 + 20},
		{"one that is gone can as long as nobody took its place", []deltasync.Peer{{State: deltasync.PeerGone, Admits: true, StaleFor: 39_950 * ms}}, 20 + 80},
		{"one that left, or was replaced, cannot", []deltasync.Peer{{State: deltasync.PeerGone, StaleFor: 40_000 * ms, Skew: 9000 * ms}}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := newLimit("default", 0)
			r, err := l.newRevision(policy, crdt.Stamp{})
			if err != nil {
				t.Fatal(err)
			}
			if got := r.Bound(&deltasync.Status{Peers: c.peers}, flush); math.Abs(got-c.want) > 1e-9 {
				t.Errorf("%v, want %v", got, c.want)
			}
		})
	}
}
