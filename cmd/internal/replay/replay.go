// Package replay plays a web server's access log to nodes in virtual time. It tells what a limit
// would have done: who would have been denied, when and how often, beside one central limiter that
// gets the same requests. And it proposes limits.
package replay

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/cmd/internal/oracle"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/limit"
	deltasync "github.com/distributed-rate-limiter/distributed-rate-limiter/sync"
)

// Config configures a replay.
type Config struct {
	Policy limit.Policy  // for each client address, with overrides
	Nodes  int           // 1 to MaxNodes
	Delay  Range         // of each message between nodes, at most MaxDelay
	Flush  time.Duration // as node.Config's
	Spread Spread
	Seed   uint64
	// Choices say which limits to propose. The zero value proposes none.
	Choices Choices

	// Run calls Progress now and then with what it is doing, if it is not nil.
	Progress func(what string, done, total int)
}

// Ranges of Config. Raising one makes a replay slower, and lowering one refuses clusters that exist.
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

// Validate reports every fault at once, or nil. Each names the flag at fault.
func (c *Config) Validate() error {
	var faults []error
	if c.Nodes < 1 || c.Nodes > MaxNodes {
		faults = append(faults, fmt.Errorf("-nodes %d: must be from 1 to %d", c.Nodes, MaxNodes))
	}
	if c.Delay.Min < 0 || c.Delay.Max < c.Delay.Min || c.Delay.Max > MaxDelay {
		faults = append(faults, fmt.Errorf("-delay %v: must be from 0 to %v, the smaller first", c.Delay, MaxDelay))
	}
	if c.Spread != Random && c.Spread != RoundRobin {
		faults = append(faults, fmt.Errorf("-spread %q: must be %s or %s", c.Spread, Random, RoundRobin))
	}
	if c.Flush < 0 || c.Flush > deltasync.MaxInterval {
		faults = append(faults, fmt.Errorf("-flush %v: must be above 0 and at most %v", c.Flush, deltasync.MaxInterval))
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
	compiled, err := limit.Compile(cfg.Policy)
	if err != nil {
		return nil, err
	}
	central, err := oracle.New(cfg.Policy)
	if err != nil {
		return nil, err
	}
	j := newJudge(log, central)
	if err := j.play(ctx, log, newModel(compiled, &cfg), &cfg); err != nil {
		return nil, err
	}
	r := j.result(log, &cfg, &compiled)
	if len(cfg.Choices.Percents) > 0 {
		r.Proposals, err = propose(newTimes(log, j.keys, len(j.clients)), j.names, cfg.Choices, cfg.Nodes, cfg.delta(), func(done, total int) error {
			cfg.show("proposing limits", done, total)
			return ctx.Err()
		})
	}
	return r, err
}

// delta is the longest time until all nodes know what one admitted.
func (c *Config) delta() time.Duration { return c.Flush + c.Delay.Max }

func (c *Config) show(what string, done, total int) {
	if c.Progress != nil {
		c.Progress(what, done, total)
	}
}

// judge compares the nodes with one central limiter, client by client.
type judge struct {
	limit   *oracle.Limit
	keys    []int // by client of the log: what it counts as
	names   []string
	clients []account // by key
	points  timeline
	excess  float64
}

// account is what one client got.
type account struct {
	rule               int
	central, yardstick oracle.Meter
	requests, denied   int
	deniedCentral      int
	first, last        int64 // of the denials
	excess             float64
}

// newJudge finds out what each client of the log counts as.
func newJudge(log *Log, l *oracle.Limit) *judge {
	j := &judge{limit: l, keys: make([]int, len(log.Clients)), points: newTimeline(log)}
	index := map[string]int{}
	for i, client := range log.Clients {
		name := l.Key(client)
		k, known := index[name]
		if !known {
			k = len(j.clients)
			index[name] = k
			rule := l.Find(client)
			j.names = append(j.names, name)
			j.clients = append(j.clients, account{rule: rule, central: l.NewMeter(rule), yardstick: l.NewMeter(rule), excess: math.Inf(-1)})
		}
		j.keys[i] = k
	}
	return j
}

// play passes all requests to the nodes.
func (j *judge) play(ctx context.Context, log *Log, m *model, cfg *Config) error {
	// The spread has random numbers of its own, so it stays the same under another delay.
	spread := rand.New(rand.NewPCG(cfg.Seed, 3)) //nolint:gosec // repeatable on purpose
	for i, q := range log.Requests {
		if i%1024 == 0 {
			if err := ctx.Err(); err != nil {
				return err
			}
			cfg.show("replaying", i, len(log.Requests))
		}
		to := i % cfg.Nodes
		if cfg.Spread == Random {
			to = spread.IntN(cfg.Nodes)
		}
		key := j.keys[q.Client]
		j.decided(q.At, key, m.take(q.At, key, j.clients[key].rule, to))
	}
	return nil
}

// decided takes in one decision of the nodes.
func (j *judge) decided(t int64, key int, admitted bool) {
	a := &j.clients[key]
	p := j.points.at(t)
	a.requests++
	if a.central.Fits(t, 1) {
		a.central.Add(t, 1)
	} else {
		a.deniedCentral++
		p.CentralDenied++
	}
	if !admitted {
		p.Denied++
		if a.denied++; a.denied == 1 {
			a.first = t
		}
		a.last = t
		return
	}
	p.Admitted++
	a.yardstick.Add(t, 1)
	a.excess = max(a.excess, a.yardstick.Over(t))
	j.excess = max(j.excess, a.excess)
}

// result sums up.
func (j *judge) result(log *Log, cfg *Config, compiled *limit.Compiled) *Result {
	first, last := log.Requests[0].At, log.Requests[len(log.Requests)-1].At
	p := compiled.Policy
	r := &Result{
		Format: log.Format, Requests: len(log.Requests), Clients: len(j.clients), BadLines: log.Bad, BadSamples: log.BadSamples,
		From: time.Unix(0, first).UTC(), To: time.Unix(0, last).UTC(),
		Policy: cfg.Policy.String(), Algorithm: p.Algorithm.String(), Limit: p.Limit, WindowMS: milliseconds(p.Window), Burst: p.Burst, Overrides: len(p.Overrides),
		Nodes: cfg.Nodes, Spread: cfg.Spread, Delay: cfg.Delay.String(), Seed: cfg.Seed,
		Excess: math.Round(max(0, j.excess)*1e6) / 1e6, DeltaMS: milliseconds(cfg.delta()), StepMS: float64(j.points.step) / 1e6,
		Timeline: j.points.all,
	}
	for i := range compiled.Rules {
		r.Bound = max(r.Bound, boundOf(&compiled.Rules[i], cfg))
	}
	for k := range j.clients {
		a := &j.clients[k]
		r.Cluster.count(a.requests, a.denied)
		r.Central.count(a.requests, a.deniedCentral)
		if a.denied > 0 || a.deniedCentral > 0 {
			r.Top = append(r.Top, j.denied(k))
		}
	}
	slices.SortFunc(r.Top, func(a, b Denied) int {
		return cmp.Or(cmp.Compare(b.Denied, a.Denied), cmp.Compare(b.CentralDenied, a.CentralDenied), strings.Compare(a.Client, b.Client))
	})
	r.Top = slices.Clip(r.Top[:min(len(r.Top), shownClients)])
	return r
}

func (j *judge) denied(k int) Denied {
	a := &j.clients[k]
	d := Denied{Client: j.names[k], Requests: a.requests, Denied: a.denied, CentralDenied: a.deniedCentral}
	if a.denied > 0 {
		first, last := time.Unix(0, a.first).UTC(), time.Unix(0, a.last).UTC()
		d.First, d.Last = &first, &last
	}
	if j.limit.Policy(a.rule).Access == limit.Limited {
		d.Excess = math.Round(max(0, a.excess)*1e6) / 1e6
	}
	return d
}

// boundOf is the documented bound of a rule: (N-1)·(B + r·Δ), or (N-1)·L in each window.
func boundOf(r *limit.Rule, cfg *Config) float64 {
	p := &r.Policy
	others := float64(cfg.Nodes - 1)
	switch {
	case p.Access != limit.Limited:
		return 0
	case p.Algorithm != limit.GCRA:
		return others * float64(p.Limit)
	}
	return others * (float64(p.Burst) + float64(p.Limit)*float64(cfg.delta())/float64(p.Window))
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
