package simulate

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/cmd/internal/flags"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/cmd/internal/replay"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/sim"
)

// Options are the flags that describe one simulated cluster. A copy is independent of the
// original once it is registered.
type Options struct {
	nodes        int
	limit        int64
	window       flags.Length
	burst        int64
	maxOvershoot float64
	load         string
	rate         float64
	clients      int
	delay        replay.Range
	loss         float64
	flush, skew  time.Duration
	duration     time.Duration
	faults       []sim.Fault
	Seed         uint64
	// greedy leaves out the client that keeps to the limit. Nodes keep the promise to that
	// client only if no message is lost.
	greedy bool
}

// NewOptions returns the defaults.
func NewOptions() *Options {
	return &Options{
		nodes: 3, limit: 100, window: flags.Length(10 * time.Second), maxOvershoot: node.DefaultMaxOvershoot,
		load: "uniform", rate: 100, clients: 5,
		delay: replay.Range{Min: time.Millisecond, Max: 3 * time.Millisecond}, flush: 50 * time.Millisecond,
		duration: 30 * time.Second, Seed: 1,
	}
}

// Register adds the flags; the defaults are what o holds.
func (o *Options) Register(f *flags.Set) {
	o.faults = slices.Clip(o.faults)
	f.Add(&o.nodes, "nodes", "nodes")
	f.Add(&o.limit, "limit", "units for each client in each window")
	f.Add(&o.window, "window", "the window, in `SECONDS` or as a duration")
	f.Add(&o.burst, "burst", "units at once (default the limit)")
	f.Add(&o.maxOvershoot, "max-overshoot", "share of the burst that a node may admit before it tells the others at once")
	f.Add(&o.load, "load", "`KIND`: uniform, where clients send alike; zipf, where client k sends 1/k of the first one's; burst, where all send whole bursts at all nodes at once")
	f.Add(&o.rate, "rate", "requests per second, of all clients at all nodes")
	f.Add(&o.clients, "clients", "clients")
	f.Add(&o.delay, "delay", "how long a message takes, a `DURATION` or two like 1ms..3ms")
	f.Add(&o.loss, "loss", "share of messages that the network loses")
	f.Add(&o.flush, "flush", "flush interval of the nodes")
	f.Add(&o.skew, "skew", "clocks are off by up to this, to either side")
	f.Add(&o.duration, "duration", "how long the load lasts, simulated")
	f.Add(&o.Seed, "seed", "seed of load, network and clocks")
	f.Add(faultFlag{sim.FaultPartition, &o.faults}, "partition", "cut nodes off from the rest, `AT+LENGTH:NODES` like 5s+10s:1,2; may be repeated")
	f.Add(faultFlag{sim.FaultCrash, &o.faults}, "crash", "let nodes die, and start anew after LENGTH (0s: never), `AT+LENGTH:NODES` like 5s+2s:3; may be repeated")
}

// renamed maps flags to the names of their fields in a scenario, where these differ.
var renamed = map[string]string{
	"max_overshoot": "max-overshoot", "link.loss": "loss", "link.delay_min": "delay", "link.delay_max": "delay",
}

// Scenario makes the scenario that the flags describe. An error names the flag at fault.
func (o *Options) Scenario() (sim.Scenario, error) {
	sc := sim.Scenario{
		Seed: o.Seed, Nodes: o.nodes, Duration: o.duration, Flush: o.flush, Skew: o.skew, Faults: o.faults,
		Policy: node.Policy{Limit: o.limit, Window: time.Duration(o.window), Burst: o.burst, MaxOvershoot: o.maxOvershoot},
		Link:   sim.Link{DelayMin: o.delay.Min, DelayMax: o.delay.Max, Loss: o.loss},
	}
	mostClients := mostStreams
	if o.load == "uniform" {
		mostClients = 100_000 // above mostStreams they are one stream
	}
	switch {
	case o.flush <= 0:
		return sc, fmt.Errorf("-flush %v: must be above 0", o.flush)
	case o.clients < 1 || o.clients > mostClients:
		return sc, fmt.Errorf("-clients %d: must be from 1 to %d", o.clients, mostClients)
	case !(o.rate > 0 && o.rate <= 1e6): // NaN too
		return sc, fmt.Errorf("-rate %v: must be above 0 and at most 1000000 requests per second", o.rate)
	}
	if err := sc.Validate(); err != nil {
		wrong := &node.FieldError{}
		if !errors.As(err, &wrong) {
			return sc, err
		}
		return sc, fmt.Errorf("-%s %v: %s", cmp.Or(renamed[wrong.Field], wrong.Field), wrong.Value, wrong.Reason)
	}
	for _, f := range o.faults {
		for _, n := range f.Nodes {
			if n > o.nodes {
				return sc, fmt.Errorf("-%s: there is no node %d, only 1 to %d", f.Kind, n, o.nodes)
			}
		}
	}
	var err error
	if sc.Streams, err = o.streams(&sc); err != nil {
		return sc, err
	}
	if !o.greedy && len(o.faults) == 0 && o.loss == 0 {
		if s, some := sim.Conforming(sc); some {
			sc.Streams = append(sc.Streams, s)
		}
	}
	if err := sc.Validate(); err != nil {
		return sc, err
	}
	return sc, nil
}

// mostStreams is how many clients have a stream of requests of their own. Raising it makes runs
// take longer. Lowering it lets fewer clients differ.
const mostStreams = 1000

// streams makes the loads of the clients.
func (o *Options) streams(sc *sim.Scenario) ([]sim.Stream, error) {
	if o.clients > mostStreams { // in turns
		return []sim.Stream{{Client: "c", Clients: o.clients, Rate: o.rate}}, nil
	}
	out := make([]sim.Stream, o.clients)
	weights := 0.0
	for i := range out {
		out[i] = sim.Stream{Client: "c" + strconv.Itoa(i+1), Rate: 1}
		if o.load == "zipf" {
			out[i].Rate = 1 / float64(i+1)
		}
		weights += out[i].Rate
	}
	for i := range out {
		out[i].Rate *= o.rate / weights
	}
	switch o.load {
	case "uniform", "zipf":
	case "burst":
		// One request more than fits the burst, so that each node has to deny one.
		size := sc.Policy.Burst
		if size == 0 {
			size = sc.Policy.Limit
		}
		size++
		period := float64(size) * float64(o.nodes*o.clients) / o.rate * float64(time.Second)
		if size > 1e6 || period > math.MaxInt64/2 || period < float64(time.Millisecond) {
			return nil, fmt.Errorf("-load burst: bursts of %d requests at -rate %v cannot be simulated", size, o.rate)
		}
		for i := range out {
			out[i].Rate, out[i].Burst, out[i].Period = 0, int(size), time.Duration(period)
			out[i].Start = time.Duration(period * float64(i) / float64(o.clients))
		}
	default:
		return nil, fmt.Errorf("-load %q: must be uniform, zipf or burst", o.load)
	}
	return out, nil
}

// faultFlag is a repeatable flag that adds to a scenario's faults.
type faultFlag struct {
	kind   sim.FaultKind
	faults *[]sim.Fault
}

// String implements flag.Value.
func (f faultFlag) String() string { return "" }

// Set implements flag.Value.
func (f faultFlag) Set(s string) error {
	const form = "must be like 5s+10s:1,2, when and for how long, and the nodes"
	when, nodes, some := strings.Cut(s, ":")
	at, length, more := strings.Cut(when, "+")
	if !some || !more {
		return errors.New(form)
	}
	fault := sim.Fault{Kind: f.kind}
	var errs [2]error
	fault.At, errs[0] = time.ParseDuration(at)
	fault.For, errs[1] = time.ParseDuration(length)
	if errs[0] != nil || errs[1] != nil || fault.At < 0 || fault.For < 0 {
		return errors.New(form)
	}
	if fault.For == 0 && f.kind != sim.FaultCrash {
		return errors.New("must last longer than 0s")
	}
	for n := range strings.SplitSeq(nodes, ",") {
		number, err := strconv.Atoi(n)
		if err != nil || number < 1 {
			return errors.New(form)
		}
		fault.Nodes = append(fault.Nodes, number)
	}
	const most = 100
	if len(*f.faults) == most {
		return fmt.Errorf("is given more than %d times", most)
	}
	*f.faults = append(*f.faults, fault)
	return nil
}
