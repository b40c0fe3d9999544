package replay

import (
	"context"
	"iter"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/limit"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/sim"
)

// arrivals are the log's requests as a replay spreads them.
func arrivals(log *Log, cfg *Config) iter.Seq[sim.Arrival] {
	spread := rand.New(rand.NewPCG(cfg.Seed, 3)) //nolint:gosec // as play
	return func(yield func(sim.Arrival) bool) {
		for _, q := range log.Requests {
			if !yield(sim.Arrival{At: q.At, Client: log.Clients[q.Client], Node: 1 + spread.IntN(cfg.Nodes)}) {
				return
			}
		}
	}
}

// TestTheModelAdmitsWhatWholeNodesDo plays a log to the model and to the simulator, which runs the
// nodes' whole code with its messages and beats.
func TestTheModelAdmitsWhatWholeNodesDo(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*Config)
		near   float64 // units by which E may differ
	}{
		"near":  {func(*Config) {}, 1},
		"far":   {func(c *Config) { c.Delay = Range{2 * time.Second, 4 * time.Second} }, 3},
		"burst": {func(c *Config) { c.Policy.Burst = 5 }, 1},
	} {
		t.Run(name, func(t *testing.T) {
			log, cfg := sample(t, 1, 2000), config(1)
			cfg.Flush = 50 * time.Millisecond
			c.change(&cfg)
			r, err := Run(context.Background(), log, cfg)
			if err != nil {
				t.Fatal(err)
			}
			whole, err := sim.Replay(sim.Scenario{
				Seed: 1, Nodes: cfg.Nodes, Policy: cfg.Policy.WithDefaults(), Flush: cfg.Flush,
				Link: sim.Link{DelayMin: cfg.Delay.Min, DelayMax: cfg.Delay.Max},
			}, arrivals(log, &cfg))
			if err != nil || len(whole.Violations) > 0 {
				t.Fatal(err, whole.Violations)
			}
			t.Logf("admitted %d, whole nodes %d; central %d and %d; E %.2f and %.2f", r.Cluster.Admitted, whole.Admitted, r.Central.Admitted, whole.Central, r.Excess, whole.E)
			if uint64(r.Central.Admitted) != whole.Central || r.Central.ClientsLimited != whole.CentralLimited { //nolint:gosec // a count
				t.Errorf("central: %+v, the simulator has %d and %d", r.Central, whole.Central, whole.CentralLimited)
			}
			if r.Cluster.ClientsLimited != whole.Limited {
				t.Errorf("%d clients limited, the simulator has %d", r.Cluster.ClientsLimited, whole.Limited)
			}
			differ := float64(r.Cluster.Admitted) - float64(whole.Admitted)
			if most := c.near * float64(max(1, whole.Limited)); differ > most || differ < -most {
				t.Errorf("admitted %d, whole nodes %d", r.Cluster.Admitted, whole.Admitted)
			}
			if d := r.Excess - max(0, whole.E); d > c.near || d < -c.near {
				t.Errorf("E is %v, with whole nodes %v", r.Excess, whole.E)
			}
		})
	}
}

// TestTheModelKnowsEveryAlgorithm compares nodes that know all at once with one node.
func TestTheModelKnowsEveryAlgorithm(t *testing.T) {
	for name, p := range map[string]limit.Policy{
		"gcra":     {Limit: 20, Window: time.Minute},
		"fixed":    {Algorithm: limit.FixedWindow, Limit: 20, Window: time.Minute},
		"sliding":  {Algorithm: limit.SlidingWindow, Limit: 20, Window: time.Minute},
		"in parts": {Algorithm: limit.SlidingWindow, Resolution: 6, Limit: 20, Window: time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			log, cfg := sample(t, 1, 2000), config(1)
			cfg.Policy = p
			cfg.Policy.MaxOvershoot = 1e-3 // each unit is sent at once
			cfg.Delay = Range{}
			r, err := Run(context.Background(), log, cfg)
			if err != nil {
				t.Fatal(err)
			}
			if r.Central.Denied < 100 || r.Excess > 0 || r.Cluster != r.Central {
				t.Errorf("%+v, one central limiter %+v, E %v", r.Cluster, r.Central, r.Excess)
			}
			cfg.Policy.Consistency = limit.Local
			if r, err = Run(context.Background(), log, cfg); err != nil || r.Cluster.Denied >= r.Central.Denied {
				t.Errorf("nodes that count alone deny %d, one limiter %d, %v", r.Cluster.Denied, r.Central.Denied, err)
			}
		})
	}
}

func TestOverridesAndNetworksDecideWhoIsWho(t *testing.T) {
	log := &Log{Clients: []string{"192.0.2.1", "192.0.2.2", "2001:db8::1", "2001:db8::2", "192.0.2.3"}}
	start := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC).UnixNano()
	for i := range 50 {
		log.Requests = append(log.Requests, Request{At: start + int64(i)*int64(time.Second), Client: i % 5})
	}
	cfg := config(1)
	cfg.Policy = limit.Policy{Limit: 4, Window: 24 * time.Hour, Overrides: []limit.Override{
		{Clients: []string{"192.0.2.1"}, Access: limit.Blocked},
		{Clients: []string{"192.0.2.2"}, Access: limit.Unlimited},
		{CIDRs: []string{"2001:db8::/32"}, Limit: 6}, // one network of 64 bits
	}}
	r, err := Run(context.Background(), log, cfg)
	if err != nil {
		t.Fatal(err)
	}
	if r.Clients != 4 || r.Overrides != 3 || r.Cluster != r.Central || r.Cluster.Denied != 10+14+6 || len(r.Top) != 3 {
		t.Fatalf("%d clients, %+v, %+v, %+v", r.Clients, r.Cluster, r.Central, r.Top)
	}
	network := r.Top[0]
	if network.Client != "2001:db8::/64" || network.Requests != 20 || network.Denied != 14 || network.CentralDenied != 14 {
		t.Errorf("%+v", network)
	}
	if first, last := network.First.UnixNano(), network.Last.UnixNano(); first != log.Requests[17].At || last != log.Requests[48].At {
		t.Errorf("denied from %v to %v", network.First, network.Last)
	}
	admitted, denied := 0, 0
	for _, p := range r.Timeline {
		admitted += p.Admitted
		denied += p.Denied
	}
	if admitted != r.Cluster.Admitted || denied != r.Cluster.Denied {
		t.Errorf("the timeline has %d and %d of %+v", admitted, denied, r.Cluster)
	}
}
