package simulate

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/sim"
)

// The figures are made up: what a cluster does is the simulator's to test, and would
// change this text with every change of the protocol.
func TestASimulationPrintsATable(t *testing.T) {
	sc := sim.Scenario{
		Seed: 7, Nodes: 3, Policy: node.Policy{Limit: 100, Window: 10 * time.Second, MaxOvershoot: 0.1},
		Duration: 30 * time.Second, Flush: 50 * time.Millisecond, Skew: 5 * time.Millisecond,
		Link:    sim.Link{DelayMin: time.Millisecond, DelayMax: 3 * time.Millisecond},
		Streams: []sim.Stream{{Rate: 80}, {Rate: 20, Clients: 5}, {Conforming: true}},
		Faults:  []sim.Fault{{Kind: sim.FaultPartition, At: 5 * time.Second, For: 10 * time.Second, Nodes: []int{1, 2}}},
	}
	r := sim.Result{
		Seed: 7, Decisions: 3462, Admitted: 2391, Denied: 1071, Units: 2392, Central: 2390, CentralUnits: 2390,
		E: 2.612, Bound: 3, Documented: sim.Terms{Connected: 5.5, Skew: 0.5}, Ceiling: 206.818, Incarnations: 3, Delta: 340892700, Sigma: 8 * time.Millisecond,
		Conforming: 398, Overdenied: 41, WorstOverdenied: 0.25, Messages: 1397, Bytes: 215852, Simulated: 38 * time.Second, Trace: 0xabc,
	}
	const want = `cluster    3 nodes, flush 50ms, messages take 1ms to 3ms, 0 % lost, clocks off by up to 5ms
limit      100 per 10s for each client, burst 100, max overshoot 0.1
load       100 requests/s of 6 clients for 30s, and one that keeps to the limit
faults     partition at 5s for 10s of 1,2
simulated  38s in 0.07 s, seed 7, trace 0000000000000abc

                     requests  admitted  units  denied
this cluster             3462      2391   2392    1071
one central limiter      3462      2390   2390    1072
difference                           +1     +2      -1

E                 2.61 units    measured: the most that a client ever got beyond what one central limiter could have admitted
bound             6.00 units    what is promised for this load and these faults
  at that moment  3.00 units    what the node that admitted could not know of
  for any load    206.82 units  (N-1)·(B + r·Δ) + r·σ; here N = 3, Δ = 340.893ms, σ = 8ms
wrongly denied    0 of 398      requests of a client that keeps to the limit
  of all          41 of 1071    denials though the nodes together had room, for at most 0.25 units
messages          0.58          per admitted request; 1397 while the load ran
bytes             90            per admitted request; 215852 while the load ran

`
	var b bytes.Buffer
	if err := NewReport(sc, r, 70*time.Millisecond).Print(&b); err != nil {
		t.Fatal(err)
	}
	if got, kept := strings.CutSuffix(b.String(), "Every admission was within its bound, and all promises were kept.\n"); !kept || got != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
	r.Violations = []string{"at 1.0 s: something"}
	b.Reset()
	if err := NewReport(sc, r, 0).Print(&b); err != nil {
		t.Fatal(err)
	}
	if !strings.HasSuffix(b.String(), "\n\nVIOLATION at 1.0 s: something\n") {
		t.Errorf("got\n%s", b.String())
	}
}
