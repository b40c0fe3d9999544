package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/cmd/internal/bench"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/cmd/internal/flags"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/cmd/internal/output"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
)

// benchCall is one call of bench.
type benchCall struct {
	*call
	cfg        bench.Config
	targets    targetFlags
	nodes      int
	policy     flags.Policy
	sets       setFlags
	kills      killFlags
	thresholds bench.Thresholds
	events     string
	html       string
}

func benchmark(c *call) action {
	c.daemon()
	b := &benchCall{call: c, cfg: bench.Config{
		Rate: 1000, Workers: 64, Duration: 10 * time.Second, Clients: 1000, Cost: 1, Seed: 1, Dist: bench.Dist{Kind: bench.Uniform},
	}}
	b.targets.limit = c.limitFlag()
	c.Add(&b.targets.urls, "target", "the nodes to ask, as `URLS` separated by commas: http://, https://, grpc://, grpcs:// (Envoy's service), nats:// or tls:// (the service over NATS); default -addr")
	c.Add(&b.nodes, "nodes", "start so many nodes in this process instead, with -policy")
	c.Add(&b.policy, "policy", "`POLICY` of nodes in this process, or the one to judge other targets by: 1000/60s, or \"limit: 1000, window: 60s, burst: 100\" (default the daemon's)")
	c.Add(&b.cfg.Cost, "cost", "units that each request asks for")
	c.Add(&b.cfg.Rate, "rate", "`N` requests per second, sent on schedule whether answers come or not; max: each of -c waits for its answer, and asks again")
	c.Add(&b.cfg.Ramp, "ramp", "`TURNS` of the rate: 10s=5000,30s=100 goes from -rate to 5000 in 10 s, and then to 100 until 30 s")
	c.Add(&b.cfg.Workers, "c", "most requests under way at once")
	c.Add(&b.cfg.Duration, "duration", "how long")
	c.Add(&b.cfg.Warmup, "warmup", "leave out of the figures what was due before")
	c.Add(&b.cfg.Requests, "n", "at most so many requests (default as many as fit in the duration)")
	c.Add(&b.cfg.Clients, "clients", "different clients")
	c.Add(&b.cfg.Prefix, "prefix", "`TEXT` that the clients' ids begin with (default one for each run, since an earlier run may have used units up)")
	c.Add(&b.cfg.Dist, "dist", "`HOW` requests spread over clients: uniform, zipf or zipf:EXPONENT, hot or hot:SHARE (one client gets half, or that share)")
	c.Add(&b.cfg.Seed, "seed", "seed of the sequence of clients and nodes")
	c.Add(&b.sets, "set", "`TIME=POLICY` at which the limit changes; may be repeated")
	c.Add(&b.kills, "kill", "`TIME=NODE` at which a node of this process dies, by its number; may be repeated")
	c.Add(&b.targets.status, "status", "`URLS` of daemons that state their error bound and set limits, for targets that are not HTTP")
	c.Add(&b.targets.descriptor, "descriptor", "`DOMAIN/KEY` of the descriptor that grpc targets are asked about")
	c.Add(&b.targets.cluster, "cluster", "`NAME` of the cluster that nats targets are asked for (default default)")
	c.Add(&b.targets.prefix, "subject-prefix", "`PREFIX` of the subjects of that cluster (default ratelimit)")
	c.Add(&b.targets.creds, "nats-creds", "`FILE` of credentials for nats targets")
	c.Add(&b.thresholds, "fail", "fail unless these `CONDITIONS` hold, such as 'p99<1ms,overshoot<1%': of "+strings.Join(bench.MetricNames(), ", "))
	c.Add(&b.events, "events", "write each request and event as a line of JSON into this `FILE`")
	c.Add(&b.html, "html", "write a report with charts into this `FILE`; it opens without a network")
	return b.run
}

func (b *benchCall) run(ctx context.Context) error {
	if err := b.validate(); err != nil {
		return usageError{err}
	}
	page, err := b.create("html", b.html)
	if err != nil {
		return err
	}
	events, err := b.create("events", b.events)
	if err != nil {
		return err
	}
	if events != nil {
		b.cfg.Events = bench.NewEventLog(events)
		defer func() { _ = events.Close() }() // once more after an error
	}
	if b.cfg.Prefix == "" && b.nodes == 0 {
		b.cfg.Prefix = bench.DefaultPrefix + strconv.FormatInt(time.Now().Unix(), 36) + "-"
	}
	b.targets.call, b.targets.workers = b.call, b.cfg.Workers
	lab, err := b.open(ctx)
	if err != nil {
		return err
	}
	defer lab.close()
	b.act(lab)
	if b.cfg.Policy = lab.policy; b.policy.Given() {
		b.cfg.Policy = &b.policy.Policy
	}
	progress := output.NewProgress(b.stderr)
	progress.Plain = plainEvery
	b.cfg.Progress = func(l bench.Live) { progress.Showf("%s", b.live(l)) }
	result, err := bench.Run(ctx, b.cfg, lab.nodes, lab.bound)
	progress.Done()
	if events != nil {
		err = errors.Join(err, b.cfg.Events.Close(), events.Close())
	}
	if err != nil {
		return err
	}
	missed := b.thresholds.Judge(result)
	err = errors.Join(writePage(page, result.HTML), b.format.Print(b.stdout, result, result.Print))
	switch {
	case err != nil:
		return err
	case missed:
		return errors.Join(fmt.Errorf("missed: %s", strings.Join(result.Failed, "; ")), errMissed)
	case ctx.Err() != nil:
		return fmt.Errorf("cut off after %.1f s: the report is of %d requests", result.Seconds, result.Sent)
	case result.Errors > 0 && len(b.thresholds) == 0:
		return fmt.Errorf("%d of %d requests got no decision", result.Errors, result.Sent)
	}
	return nil
}

// plainEvery is how often progress is told where no terminal shows it. More often fills logs; less
// often leaves a reader in doubt whether the load is going on.
const plainEvery = 10 * time.Second

func (b *benchCall) live(l bench.Live) string {
	text := fmt.Sprintf("%.0f of %.0f s: %d sent, %d denied, %d errors, p99 %.2f ms",
		l.Elapsed.Seconds(), b.cfg.Duration.Seconds(), l.Sent, l.Denied, l.Failed, float64(l.P99.Microseconds())/1e3)
	if l.Excess >= 0 {
		text += fmt.Sprintf(", E %.1f", l.Excess)
	}
	if l.Bound >= 0 {
		text += fmt.Sprintf(", bound %.1f", l.Bound)
	}
	return text
}

// validate judges the flags together.
func (b *benchCall) validate() error {
	given := b.Given()
	has := func(name string) bool { return slices.Contains(given, name) }
	var faults []error
	refuse := func(bad bool, format string, args ...any) {
		if bad {
			faults = append(faults, fmt.Errorf(format, args...))
		}
	}
	refuse(has("nodes") && (b.nodes < 1 || b.nodes > bench.MaxNodes), "-nodes %d: must be from 1 to %d", b.nodes, bench.MaxNodes)
	for _, name := range []string{"target", "addr", "status", "descriptor", "cluster", "subject-prefix", "nats-creds"} {
		refuse(has("nodes") && has(name), "-%s cannot be beside -nodes: those run in this process", name)
	}
	refuse(has("nodes") && !b.policy.Given(), "-policy is missing: nodes in this process need one, such as 1000/60s")
	refuse(len(b.kills) > 0 && !has("nodes"), "-kill: kills nodes of this process only; give -nodes")
	for _, k := range b.kills {
		refuse(has("nodes") && (k.node < 1 || k.node > b.nodes), "-kill %v=%d: there is no such node of %d", k.at, k.node, b.nodes)
	}
	refuse(has("target") && has("addr"), "-addr cannot be beside -target")
	refuse(b.cfg.Cost > 1<<31, "-cost %d: must be at most %d", b.cfg.Cost, int64(1)<<31)
	faults = append(faults, b.targets.validate())
	return errors.Join(errors.Join(faults...), b.cfg.Validate())
}

// open starts the nodes, or connects to them.
func (b *benchCall) open(ctx context.Context) (*lab, error) {
	if b.nodes == 0 {
		return b.targets.open(ctx)
	}
	name := cmp.Or(*b.targets.limit, node.DefaultLimit)
	cluster, err := bench.StartCluster(ctx, b.nodes, name, b.policy.Policy)
	if err != nil {
		return nil, err
	}
	return &lab{
		nodes: cluster.Nodes(), bound: cluster.Bound, kill: cluster.Kill, close: func() { _ = cluster.Close() }, // nobody is left to hear of it
		set: func(_ context.Context, p *flags.Policy) (time.Time, error) { return cluster.SetLimit(p.Policy) },
	}, nil
}

// lab is the nodes that are put to the test.
type lab struct {
	nodes  []bench.Node
	policy *node.Policy // as the nodes tell it; nil if they do not
	bound  func(ctx context.Context) (float64, bool)
	set    func(ctx context.Context, p *flags.Policy) (from time.Time, err error)
	kill   func(node int) error
	close  func()
}

// act makes actions of the flags.
func (b *benchCall) act(l *lab) {
	for i := range b.sets {
		s := &b.sets[i]
		b.cfg.Actions = append(b.cfg.Actions, bench.Action{
			At: s.at, Name: "limit set to " + s.policy.String(),
			Do: func(ctx context.Context) (*node.Policy, time.Time, error) {
				from, err := l.set(ctx, &s.policy)
				return &s.policy.Policy, from, err
			},
		})
	}
	for _, k := range b.kills {
		b.cfg.Actions = append(b.cfg.Actions, bench.Action{
			At: k.at, Name: fmt.Sprintf("node %d killed", k.node),
			Do: func(context.Context) (*node.Policy, time.Time, error) { return nil, time.Time{}, l.kill(k.node) },
		})
	}
	slices.SortStableFunc(b.cfg.Actions, func(x, y bench.Action) int { return cmp.Compare(x.At, y.At) })
}
