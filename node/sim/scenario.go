package sim

import (
	"iter"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
)

// defaultFlush is the nodes' flush interval where Scenario.Flush is 0.
const defaultFlush = 50 * time.Millisecond

// Scenario is one run: a cluster, its load and what befalls it. Equal scenarios
// give equal runs.
type Scenario struct {
	Seed     uint64        `json:"seed"`
	Nodes    int           `json:"nodes"`
	Policy   node.Policy   `json:"policy"`
	Duration time.Duration `json:"duration"` // of the load; quiet follows
	Flush    time.Duration `json:"flush"`
	Link     Link          `json:"link"`
	// Skew is the most by which a clock is off, to either side; Drift the most by
	// which it runs wrong, as a fraction.
	Skew  time.Duration `json:"skew"`
	Drift float64       `json:"drift"`
	// Clocks are by how much the clocks of the first nodes are off besides.
	Clocks []time.Duration `json:"clocks"`
	// Stagger is the time in which the nodes start, each at some moment: their flushes
	// go out of step. With 0 they start and flush as one.
	Stagger time.Duration `json:"stagger"`
	// FixedFlush leaves everything to the flush interval, however urgent: to compare
	// with.
	FixedFlush bool `json:"fixed_flush"`
	MaxClients int  `json:"max_clients"`
	// Limits are further ones than the default, which Policy is: see Stream.Also.
	Limits  []Limit  `json:"limits"`
	Streams []Stream `json:"streams"`
	Faults  []Fault  `json:"faults"`
}

// Limit is a limit that requests may have to pass besides the default.
type Limit struct {
	Name   string      `json:"name"`
	Policy node.Policy `json:"policy"`
}

// Link is what the network does to every message between two nodes.
type Link struct {
	DelayMin  time.Duration `json:"delay_min"`
	DelayMax  time.Duration `json:"delay_max"`
	Loss      float64       `json:"loss"`      // share of messages
	Duplicate float64       `json:"duplicate"` // share of messages
	// Reorder lets a message overtake earlier ones of its sender. NATS does not,
	// but nothing may depend on that.
	Reorder bool `json:"reorder"`
	// Bandwidth caps each link, bytes per second; 0 is no cap. What waits longer
	// than a second is dropped, as a slow consumer's messages are.
	Bandwidth int64 `json:"bandwidth"`
}

// Stream is one client's load.
type Stream struct {
	Client string  `json:"client"`
	Rate   float64 `json:"rate"` // requests per second over all nodes
	Cost   int64   `json:"cost"` // of each request, default 1; if MaxCost is set, random up to that
	// MaxCost makes costs random from Cost to MaxCost.
	MaxCost int64 `json:"max_cost"`
	// Node pins the stream to one node (numbered from 1); 0 spreads it at random.
	Node int `json:"node"`
	// Burst, if not 0, sends that many requests at once instead, to Node or to each
	// node, every Period from Start on.
	Burst  int           `json:"burst"`
	Period time.Duration `json:"period"`
	Start  time.Duration `json:"start"`
	Stop   time.Duration `json:"stop"` // 0: the end
	// Conforming holds the stream to GCRA with this much less tolerance than the
	// policy's: none of its requests may be denied.
	Conforming bool          `json:"conforming"`
	Slack      time.Duration `json:"slack"`
	// Cancel is the share of requests that are reservations, of which some or all is
	// given back later.
	Cancel float64 `json:"cancel"`
	// Also names further limits that have to admit each request.
	Also []string `json:"also"`
}

// policies are those of all the scenario's limits, over time.
func (sc *Scenario) policies() iter.Seq[*node.Policy] {
	return func(yield func(*node.Policy) bool) {
		if !yield(&sc.Policy) {
			return
		}
		for i := range sc.Limits {
			if !yield(&sc.Limits[i].Policy) {
				return
			}
		}
		for i := range sc.Faults {
			if p := sc.Faults[i].Policy; p != nil && !yield(p) {
				return
			}
		}
	}
}

// windowed reports whether there is more than one limit, or one of another algorithm than
// GCRA or with overrides.
func (sc *Scenario) windowed() bool {
	for p := range sc.policies() {
		if p.Algorithm != node.GCRA || len(p.Overrides) > 0 {
			return true
		}
	}
	return len(sc.Limits) > 0
}

// limits names those that the stream's requests have to pass.
func (s *Stream) limits() []string { return append([]string{node.DefaultLimit}, s.Also...) }

// FaultKind is what befalls the cluster.
type FaultKind string

// The faults. Those that last do so for Fault.For.
const (
	FaultPartition FaultKind = "partition"  // Nodes against the rest, both ways
	FaultOneWay    FaultKind = "one_way"    // what Nodes send does not reach the rest
	FaultLoss      FaultKind = "loss"       // share Value of all messages is lost
	FaultSlow      FaultKind = "slow"       // Nodes take Value messages a second
	FaultCrash     FaultKind = "crash"      // Nodes stop without a word, and start anew after For (0: never)
	FaultLeave     FaultKind = "leave"      // Nodes say bye, and start anew after For (0: never)
	FaultJoin      FaultKind = "join"       // one more node starts
	FaultClock     FaultKind = "clock_step" // Nodes' clocks jump by By
	FaultLimit     FaultKind = "limit"      // the policy becomes Policy, told to the first of Nodes
	FaultReset     FaultKind = "reset"      // Client is reset at the first of Nodes
)

// Fault is one thing that happens At some time.
type Fault struct {
	At     time.Duration `json:"at"`
	Kind   FaultKind     `json:"kind"`
	Nodes  []int         `json:"nodes"` // from 1
	For    time.Duration `json:"for"`
	Value  float64       `json:"value"`
	By     time.Duration `json:"by"`
	Policy *node.Policy  `json:"policy,omitempty"`
	Client string        `json:"client,omitempty"`
}

// Result is what a run came to.
type Result struct {
	Scenario  Scenario `json:"-"`
	Seed      uint64   `json:"seed"`
	Decisions uint64   `json:"decisions"`
	Admitted  uint64   `json:"admitted"` // requests
	Denied    uint64   `json:"denied"`
	Units     uint64   `json:"units"` // admitted cost
	// Central and CentralUnits are what one central limiter would have admitted of
	// the same requests, in true time.
	Central      uint64 `json:"central"`
	CentralUnits uint64 `json:"central_units"`
	// E is the most that was ever admitted to one client beyond what one central
	// limiter could have, in units; Bound the documented bound for what the run did
	// to the cluster, at that client's worst moment.
	E     float64 `json:"e"`
	Bound float64 `json:"bound"`
	// Documented is what the documentation promises for such a run; all zero, as in
	// "nothing", if it is about chance or a limit that changes.
	Documented Terms `json:"documented"`
	// Ceiling is the bound that can be stated without knowing the load:
	// (N-1)·(B + r·Δ) + r·σ for the run's Incarnations, Delta and Sigma. It is 0, as
	// in "none", if the limit changed or a client was reset.
	Ceiling      float64 `json:"ceiling"`
	Incarnations int     `json:"incarnations"`
	// Delta is Δ: flush and delivery if nothing befell the cluster, else the most of
	// another's life that a node did not know of when it admitted something.
	Delta time.Duration `json:"delta"`
	Sigma time.Duration `json:"sigma"` // σ
	// Tightest is the largest share of the pointwise bound that any admission used.
	Tightest float64 `json:"tightest"`
	// Reserved and Returned are what was taken by reservations, and given back, under
	// the default limit.
	Reserved uint64 `json:"reserved"`
	Returned uint64 `json:"returned"`
	// Audited is how many sums of counters were compared with what was taken and given
	// back: none where clocks differ or a client has several lives.
	Audited    uint64 `json:"audited"`
	Conforming uint64 `json:"conforming"` // requests of conforming clients
	WrongDeny  uint64 `json:"wrongly_denied"`
	// Limited and CentralLimited count clients, each under each of its limits, of which
	// some request was denied: by a node, and by the central limiter.
	Limited        int `json:"limited"`
	CentralLimited int `json:"central_limited"`
	// Messages and Bytes are what all nodes together published while the load ran.
	Messages  uint64        `json:"messages"`
	Bytes     uint64        `json:"bytes"`
	Simulated time.Duration `json:"simulated"`
	// Trace is a hash over everything that happened, in order.
	Trace      uint64   `json:"trace"`
	Violations []string `json:"violations"`
}
