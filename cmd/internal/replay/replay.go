// Package replay plays a web server's access log to nodes in virtual time. It compares what they
// admit with one central limiter that gets the same requests.
package replay

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/gcra"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/sim"
	deltasync "github.com/distributed-rate-limiter/distributed-rate-limiter/sync"
)

// Config configures a replay.
type Config struct {
	Policy gcra.Policy   // for each client address
	Nodes  int           // 1 to MaxNodes
	Delay  Range         // of each message between nodes, at most MaxDelay
	Flush  time.Duration // as node.Config's
	Spread Spread
	Seed   uint64

	// Run calls Progress now and then, if it is not nil.
	Progress func(done, total int)
}

// Ranges of Config.
const (
	MaxNodes = 64
	MaxDelay = 10 * time.Second
)

// Spread says to which node each request goes.
type Spread string

// The ways.
const (
	Random     Spread = "random" // each to any node with equal probability, by the seed
	RoundRobin Spread = "robin"  // to one node after the other
)

// Result is the outcome of a replay. Its JSON field names are a contract.
type Result struct {
	Format     Format    `json:"format"`
	Requests   int       `json:"requests"`
	Clients    int       `json:"clients"`
	BadLines   int       `json:"bad_lines"`
	BadSamples []BadLine `json:"bad_samples,omitempty"` // the first of them
	From       time.Time `json:"from"`
	To         time.Time `json:"to"`

	Limit    int64   `json:"limit"`
	WindowMS float64 `json:"window_ms"`
	Burst    int64   `json:"burst"`
	Nodes    int     `json:"nodes"`
	Spread   Spread  `json:"spread"`
	Delay    string  `json:"delay"`
	Seed     uint64  `json:"seed"`

	Cluster Tally `json:"cluster"`
	Central Tally `json:"central"`

	// Excess is E in units, to a millionth: the most that was ever admitted to a client
	// beyond what one central limiter could have. Bound is what it can be at most.
	Excess float64 `json:"excess_units"`
	Bound  float64 `json:"bound_units"`
	// DeltaMS is the staleness that Bound is for: flush and delivery, milliseconds.
	DeltaMS float64 `json:"delta_ms"`

	Messages uint64 `json:"messages"`
	Bytes    uint64 `json:"bytes"`
}

// Tally counts verdicts.
type Tally struct {
	Admitted       int `json:"admitted"`
	Denied         int `json:"denied"`
	ClientsLimited int `json:"clients_limited"` // denied at least once
}

// Validate reports every fault at once, or nil.
func (c *Config) Validate() error {
	var faults []error
	if c.Nodes < 1 || c.Nodes > MaxNodes {
		faults = append(faults, fmt.Errorf("nodes %d: must be from 1 to %d", c.Nodes, MaxNodes))
	}
	if c.Delay.Min < 0 || c.Delay.Max < c.Delay.Min || c.Delay.Max > MaxDelay {
		faults = append(faults, fmt.Errorf("delay %v: must be from 0 to %v, the smaller first", c.Delay, MaxDelay))
	}
	if c.Spread != Random && c.Spread != RoundRobin {
		faults = append(faults, fmt.Errorf("spread %q: must be %s or %s", c.Spread, Random, RoundRobin))
	}
	if c.Flush < 0 || c.Flush > deltasync.MaxInterval {
		faults = append(faults, fmt.Errorf("flush %v: must be above 0 and at most %v", c.Flush, deltasync.MaxInterval))
	}
	return errors.Join(errors.Join(faults...), c.Policy.Validate())
}

// Run replays the log. Equal logs and configurations give equal results.
func Run(ctx context.Context, log *Log, cfg Config) (*Result, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if len(log.Requests) == 0 {
		return nil, log.nothing()
	}
	if cfg.Flush == 0 {
		cfg.Flush = deltasync.DefaultInterval
	}
	p := node.Policy{Limit: cfg.Policy.Limit, Window: cfg.Policy.Window, Burst: cmp.Or(cfg.Policy.Burst, cfg.Policy.Limit)}
	played, err := sim.Replay(sim.Scenario{
		Seed: cfg.Seed, Nodes: cfg.Nodes, Policy: p, Flush: cfg.Flush, Link: sim.Link{DelayMin: cfg.Delay.Min, DelayMax: cfg.Delay.Max},
	}, arrivals(ctx, log, &cfg))
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err != nil {
		return nil, err
	}
	if len(played.Violations) > 0 {
		return nil, fmt.Errorf("the nodes broke a promise: %s", played.Violations[0])
	}
	first, last := log.Requests[0].At, log.Requests[len(log.Requests)-1].At
	delta := cfg.Flush + cfg.Delay.Max
	return &Result{
		Format: log.Format, Requests: len(log.Requests), Clients: len(log.Clients), BadLines: log.Bad, BadSamples: log.BadSamples,
		From: time.Unix(0, first).UTC(), To: time.Unix(0, last).UTC(),
		Limit: p.Limit, WindowMS: milliseconds(p.Window), Burst: p.Burst,
		Nodes: cfg.Nodes, Spread: cfg.Spread, Delay: cfg.Delay.String(), Seed: cfg.Seed,
		Cluster: Tally{int(played.Admitted), int(played.Denied), played.Limited},                           //nolint:gosec // at most the requests
		Central: Tally{int(played.Central), int(played.Decisions - played.Central), played.CentralLimited}, //nolint:gosec // at most the requests
		Excess:  math.Round(played.E*1e6) / 1e6,
		Bound:   float64(cfg.Nodes-1) * (float64(p.Burst) + float64(p.Limit)*float64(delta)/float64(p.Window)),
		DeltaMS: milliseconds(delta), Messages: played.Messages, Bytes: played.Bytes,
	}, nil
}

// arrivals are the log's requests, spread over the nodes, until ctx ends.
func arrivals(ctx context.Context, log *Log, cfg *Config) iter.Seq[sim.Arrival] {
	// The spread has random numbers of its own, so it stays the same under another delay.
	spread := rand.New(rand.NewPCG(cfg.Seed, 3)) //nolint:gosec // repeatable on purpose
	return func(yield func(sim.Arrival) bool) {
		for i, q := range log.Requests {
			if i%1024 == 0 {
				if ctx.Err() != nil {
					return
				}
				if cfg.Progress != nil {
					cfg.Progress(i, len(log.Requests))
				}
			}
			to := i % cfg.Nodes
			if cfg.Spread == Random {
				to = spread.IntN(cfg.Nodes)
			}
			if !yield(sim.Arrival{At: q.At, Client: log.Clients[q.Client], Node: 1 + to}) {
				return
			}
		}
	}
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// Range is a span of durations, both ends included. It is a flag.Value: "5ms", or
// "1ms..5ms".
type Range struct{ Min, Max time.Duration }

// String implements flag.Value.
func (r Range) String() string {
	if r.Min == r.Max {
		return r.Min.String()
	}
	return r.Min.String() + ".." + r.Max.String()
}

// Set implements flag.Value.
func (r *Range) Set(s string) error {
	from, to, two := strings.Cut(s, "..")
	if !two {
		to = from
	}
	low, err1 := time.ParseDuration(from)
	high, err2 := time.ParseDuration(to)
	if err := errors.Join(err1, err2); err != nil {
		return errors.New("must be a duration like 5ms, or two like 1ms..5ms")
	}
	*r = Range{low, high}
	return nil
}
