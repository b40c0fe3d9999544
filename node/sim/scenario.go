package sim

import (
	"iter"
	"slices"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
)

// defaultFlush is the nodes' flush interval where Scenario.Flush is 0.
const defaultFlush = 50 * time.Millisecond

// Scenario is one run: a cluster, its load and its faults. Equal scenarios give equal
// runs. The zero Scenario is not valid: see Validate.
type Scenario struct {
	Seed     uint64        `json:"seed"`
	Nodes    int           `json:"nodes"`
	Policy   node.Policy   `json:"policy"`
	Duration time.Duration `json:"duration"` // of the load; quiet follows
	Flush    time.Duration `json:"flush"`
	Link     Link          `json:"link"`
	// Skew is the largest offset of a clock, to either side. Drift is the largest error of
	// its rate, as a fraction.
	Skew  time.Duration `json:"skew"`
	Drift float64       `json:"drift"`
	// Clocks are further offsets, of the clocks of the first nodes.
	Clocks []time.Duration `json:"clocks"`
	// Stagger is the time within which the nodes start, each at a random moment, so that
	// they flush out of step. With 0 they start and flush at the same instants.
	Stagger time.Duration `json:"stagger"`
	// FixedFlush sends nothing before the flush interval ends, however urgent it is. It
	// shows what urgent flushes are good for.
	FixedFlush bool `json:"fixed_flush"`
	MaxClients int  `json:"max_clients"`
	// OpenWhenFull lets unknown clients pass at a full table, as node.FullOpen does.
	OpenWhenFull bool `json:"open_when_full"`
	// SaveCounts is how often nodes save their counts, for their next incarnation; 0 is never. A
	// node that leaves saves them once more. RestoreDelay is how long after its start a node begins to
	// read what it saved.
	SaveCounts   time.Duration `json:"save_counts"`
	RestoreDelay time.Duration `json:"restore_delay"`
	// Limits are the limits besides the default one, which has Policy: see Stream.Also.
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
	DelayMin time.Duration `json:"delay_min"`
	DelayMax time.Duration `json:"delay_max"`
	// QuickStart makes messages take a millisecond before and after the load: nodes that know
	// each other then go on over links that would be too slow for them to meet.
	QuickStart bool    `json:"quick_start"`
	Loss       float64 `json:"loss"`      // share of messages
	Duplicate  float64 `json:"duplicate"` // share of messages
	// Reorder lets a message overtake earlier ones of its sender. NATS keeps their order,
	// but nothing may depend on that.
	Reorder bool `json:"reorder"`
	// Bandwidth caps each link, in bytes per second; 0 is no cap. The network drops a
	// message that would wait longer than a second, as NATS does to a slow consumer.
	Bandwidth int64 `json:"bandwidth"`
}

// Stream is one client's load.
type Stream struct {
	Client string `json:"client"`
	// Clients, if above 1, spreads the stream over that many clients, in turn: Client-0,
	// Client-1 and so on.
	Clients int     `json:"clients"`
	Rate    float64 `json:"rate"` // requests per second over all nodes
	Cost    int64   `json:"cost"` // of each request, default 1; if MaxCost is set, random up to that
	// MaxCost makes costs random from Cost to MaxCost.
	MaxCost int64 `json:"max_cost"`
	// Node pins the stream to one node (numbered from 1); 0 spreads it at random.
	Node int `json:"node"`
	// Burst, if not 0, replaces Rate: the stream sends that many requests at once, to Node
	// or to each node, every Period from Start on.
	Burst  int           `json:"burst"`
	Period time.Duration `json:"period"`
	Start  time.Duration `json:"start"`
	Stop   time.Duration `json:"stop"` // 0: the end
	// Conforming holds the stream to GCRA with a tolerance that is less than the policy's
	// by Slack. No node may deny any of its requests.
	Conforming bool          `json:"conforming"`
	Slack      time.Duration `json:"slack"`
	// Cancel is the share of requests that are reservations. The stream settles each one
	// later, mostly for less than it reserved.
	Cancel float64 `json:"cancel"`
	// Charge is the share of requests that are charges of what was used already.
	Charge float64 `json:"charge,omitempty"`
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

// limits names the limits that the stream's requests have to pass.
func (s *Stream) limits() []string { return append([]string{node.DefaultLimit}, s.Also...) }

// FaultKind names what happens to the cluster.
type FaultKind string

// The faults. Fault.For is how long a lasting one lasts.
const (
	FaultPartition FaultKind = "partition"  // Nodes against the rest, both ways
	FaultOneWay    FaultKind = "one_way"    // the rest does not hear Nodes
	FaultLoss      FaultKind = "loss"       // the network loses the share Value of all messages
	FaultSlow      FaultKind = "slow"       // Nodes take Value messages a second
	FaultCrash     FaultKind = "crash"      // Nodes stop without a bye, and start anew after For (0: never)
	FaultLeave     FaultKind = "leave"      // Nodes say bye, and start anew after For (0: never)
	FaultJoin      FaultKind = "join"       // one more node starts: under the name of the first of Nodes, if given, which lives on
	FaultStrikeOff FaultKind = "strike_off" // the first of Nodes stops for good, and another one strikes it off the roster
	FaultRetire    FaultKind = "retire"     // the first of Nodes strikes itself off the roster, and lives on
	FaultClock     FaultKind = "clock_step" // Nodes' clocks jump by By
	FaultLimit     FaultKind = "limit"      // the policy becomes Policy, told to the first of Nodes
	FaultReset     FaultKind = "reset"      // Client is reset at the first of Nodes
	FaultRefund    FaultKind = "refund"     // Client gets Value units back at the first of Nodes, without a reservation
)

// Fault is one thing that happens, At some time after the load began.
type Fault struct {
	At    time.Duration `json:"at"`
	Kind  FaultKind     `json:"kind"`
	Nodes []int         `json:"nodes"` // from 1
	// Against names the other side of a cut; empty is the rest. Nodes on neither side hear
	// everybody.
	Against []int         `json:"against"`
	For     time.Duration `json:"for"`
	Value   float64       `json:"value"`
	By      time.Duration `json:"by"`
	Policy  *node.Policy  `json:"policy,omitempty"`
	Client  string        `json:"client,omitempty"`
}

// Result is the outcome of a run.
type Result struct {
	Scenario  Scenario `json:"-"`
	Seed      uint64   `json:"seed"`
	Decisions uint64   `json:"decisions"`
	Admitted  uint64   `json:"admitted"` // requests
	Denied    uint64   `json:"denied"`
	Units     uint64   `json:"units"` // admitted cost
	// Central and CentralUnits count what one central limiter would have admitted of the
	// same requests, at the same true times.
	Central      uint64 `json:"central"`
	CentralUnits uint64 `json:"central_units"`
	// E is the most that the nodes ever admitted to one client beyond what one central
	// limiter could have admitted, in units. Bound is the pointwise bound at that moment:
	// what the node that admitted could not know of.
	E     float64 `json:"e"`
	Bound float64 `json:"bound"`
	// Documented is what docs/error-bound.md promises for such a run. It is zero where the
	// document promises nothing: where chance has a part in it, or a limit changes.
	Documented Terms `json:"documented"`
	// Ceiling is the bound for any load: under GCRA (N-1)·(B + r·Δ) + r·σ for the run's
	// Incarnations, Delta and Sigma. It is 0, for none, where a limit changed or a client
	// was reset.
	Ceiling      float64 `json:"ceiling"`
	Incarnations int     `json:"incarnations"`
	// Delta is Δ: flush and delivery in a run without faults. Otherwise it is the longest
	// stretch of another's life that a node did not know of when it admitted something.
	Delta time.Duration `json:"delta"`
	Sigma time.Duration `json:"sigma"` // σ
	// Tightest is the largest share of its pointwise bound that any admission used.
	Tightest float64 `json:"tightest"`
	// Reserved and Returned are the units that reservations took, and gave back, under the
	// default limit.
	Reserved uint64 `json:"reserved"`
	Returned uint64 `json:"returned"`
	// Refunded are the units that nodes said to give back without a reservation.
	Refunded uint64 `json:"refunded"`
	// Charged and NotCharged are the units that charges counted, and left out above the debt cap.
	Charged    uint64 `json:"charged"`
	NotCharged uint64 `json:"not_charged"`
	// Audited counts the sums of counters that the oracle compared with what was charged
	// and given back: none where clocks differ or a client has several lives.
	Audited    uint64 `json:"audited"`
	Conforming uint64 `json:"conforming"` // requests of conforming clients
	WrongDeny  uint64 `json:"wrongly_denied"`
	// Overdenied counts denials though what the nodes had admitted left room, and
	// WorstOverdenied is the most units for which there was room then.
	Overdenied      uint64  `json:"overdenied"`
	WorstOverdenied float64 `json:"worst_overdenied"`
	// Limited and CentralLimited count clients, each under each of its limits, of which
	// some request was denied: by a node, and by the central limiter.
	Limited        int `json:"limited"`
	CentralLimited int `json:"central_limited"`
	// Degraded is how long nodes said that they were degraded, all nodes together, to the
	// second.
	Degraded time.Duration `json:"degraded"`
	// DegradedBy is the same by reason. A node can have several at once.
	DegradedBy map[string]time.Duration `json:"degraded_by"`
	// Restored counts the starts at which a node brought back what its earlier incarnation saved.
	Restored uint64 `json:"restored"`
	// Messages and Bytes count what all nodes together published while the load ran.
	Messages  uint64        `json:"messages"`
	Bytes     uint64        `json:"bytes"`
	Simulated time.Duration `json:"simulated"`
	// Trace is a hash over everything that happened, in order.
	Trace      uint64   `json:"trace"`
	Violations []string `json:"violations"`
}

// lone reports whether there is one node from the start to the end, which expects no other.
func (sc *Scenario) lone() bool {
	return sc.Nodes == 1 && !slices.ContainsFunc(sc.Faults, func(f Fault) bool { return f.Kind == FaultJoin })
}
