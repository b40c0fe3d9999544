package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/gcra"
)

// patience is how long something that has to happen may take. TCP alone needs up to 15 s after a
// cut of 9 s until it sends again what was lost.
const patience = 30 * time.Second

// nearClock is the most by which a clock is set within the tolerance, which is 1 s for two nodes.
const nearClock = 300 * time.Millisecond

// serverHost is the host of the NATS server, beside the nodes'.
const serverHost = 100

// proxyPort is where node i reaches the NATS server, by a proxy of this process.
func proxyPort(i int) int { return 4300 + i }

// run is one cluster and what befalls it.
type run struct {
	folder  string
	seed    uint64
	network string // mesh or server
	nodes   int

	daemons  []*daemon
	server   *server  // nil in a mesh
	proxies  []*proxy // to the server
	client   *http.Client
	watching sync.WaitGroup
	began    time.Time

	mu         sync.Mutex // guards what follows
	history    *history
	looks      [][]look  // by node
	stalls     []span    // of this process
	queues     [][]queue // by node, then of this process, and of the NATS server if there is one
	late       []lateness
	violations []string
}

func (r *run) now() instant { return time.Since(r.began) }

// mostViolations is how many are told. One fault can break every later decision.
const mostViolations = 20

func (r *run) violate(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.violations) < mostViolations {
		r.violations = append(r.violations, fmt.Sprintf(format, args...))
	}
}

// begin notes a new life of a node, and returns its index.
func (r *run) begin(node int) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.history.lives = append(r.history.lives, life{node: node, joined: open, lost: open})
	return len(r.history.lives) - 1
}

// lose notes that nobody learns what a life admitted from an instant on.
func (r *run) lose(life int, from instant) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.history.lives[life].lost = from
}

// read notes what a node's clock shows from now on.
func (r *run) read(node int, off time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.history.clocks = append(r.history.clocks, reading{node, r.now(), off})
}

func (r *run) skewNow() time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.history.skew(r.now())
}

// blind notes that node k does not learn from node j, until see.
func (r *run) blind(k, j int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.history.blind[k][j] = append(r.history.blind[k][j], span{r.now(), open})
}

// blindBoth notes that a node and all others do not learn from each other.
func (r *run) blindBoth(node int) {
	for other := range r.nodes {
		if other != node {
			r.blind(node, other)
			r.blind(other, node)
		}
	}
}

// see notes that all nodes know of each other again, and that all lives have joined.
func (r *run) see() {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.now()
	for k := range r.history.blind {
		for j := range r.history.blind[k] {
			for i := range r.history.blind[k][j] {
				if s := &r.history.blind[k][j][i]; s.to == open {
					s.to = now + staleness
				}
			}
		}
	}
	for i := range r.history.lives {
		if l := &r.history.lives[i]; l.joined == open {
			l.joined = now + staleness
		}
	}
}

// server is the external NATS server.
type server struct {
	binary string
	cmd    *exec.Cmd
	pid    atomic.Int32
}

func (s *server) start() error {
	s.cmd = exec.Command("ip", "netns", "exec", "nats", s.binary, "-a", address(serverHost), "-p", "4222") //nolint:noctx // ends with the namespace
	if err := s.cmd.Start(); err != nil {
		return err
	}
	s.pid.Store(int32(s.cmd.Process.Pid)) //nolint:gosec // pids fit
	return nil
}

func (s *server) kill() error {
	err := s.cmd.Process.Kill()
	_ = s.cmd.Wait()
	return err
}

// open starts the cluster, and waits until it is one.
func (r *run) open(ctx context.Context) error {
	r.began, r.client, r.history, r.looks = time.Now(), newClient(), newHistory(r.nodes), make([][]look, r.nodes)
	r.queues = make([][]queue, r.nodes+2)
	if err := settle(); err != nil {
		return err
	}
	for name, text := range map[string]string{"key": strings.Repeat("k", 32), "token": token, "limits.yaml": r.limits()} {
		if err := os.WriteFile(filepath.Join(r.folder, name), []byte(text), 0o600); err != nil {
			return err
		}
	}
	via := r.mesh
	if r.network == "server" {
		if err := r.openServer(ctx); err != nil {
			return err
		}
		via = func(i int) []string { return []string{"-nats", fmt.Sprintf("nats://%s:%d", here, proxyPort(i))} }
	}
	for i := range r.nodes {
		d, err := r.newDaemon(i, via(i)...)
		if err != nil {
			return err
		}
		r.daemons = append(r.daemons, d)
	}
	for _, d := range r.daemons {
		if err := d.start(); err != nil {
			return err
		}
	}
	r.mend(ctx, "the start")
	r.see()
	if len(r.violations) > 0 {
		return errors.New(r.violations[0])
	}
	return nil
}

// limits is what the nodes read of limits, and of each other's names.
func (r *run) limits() string {
	names := make([]string, r.nodes)
	for i := range names {
		names[i] = nodeName(i)
	}
	var text strings.Builder
	fmt.Fprintf(&text, "roster: [%s]\nlimits:\n  hot: {limit: %d, window: %v, burst: %d, max_overshoot: 0.05}\n  slow: {limit: %d, window: %v}\n",
		strings.Join(names, ", "), hot.Limit, hot.Window, hot.Burst, slow.Limit, slow.Window)
	for name, p := range bounded {
		fmt.Fprintf(&text, "  %s: {limit: %d, window: %v, burst: %d, consistency: bounded, max_excess: %v}\n", name, p.Limit, p.Window, p.Burst, p.excess/float64(p.Burst))
	}
	return text.String()
}

// mesh is how a node joins a mesh of embedded servers.
func (r *run) mesh(i int) []string {
	var routes []string
	for other := range r.nodes {
		routes = append(routes, address(other)+":6222")
	}
	return []string{"-nats-cluster", address(i) + ":6222", "-nats-routes", strings.Join(routes, ",")}
}

func (r *run) openServer(ctx context.Context) error {
	if err := connect("nats", serverHost); err != nil {
		return err
	}
	r.server = &server{binary: filepath.Join(r.folder, "nats-server")}
	if err := r.server.start(); err != nil {
		return err
	}
	for i := range r.nodes {
		p, err := newProxy(ctx, fmt.Sprintf("%s:%d", here, proxyPort(i)), address(serverHost)+":4222")
		if err != nil {
			return err
		}
		r.proxies = append(r.proxies, p)
	}
	return nil
}

// startAgain begins a node's next life, and waits until it answers.
func (r *run) startAgain(ctx context.Context, d *daemon) error {
	if err := d.start(); err != nil {
		return err
	}
	for began := r.now(); ; pause(ctx, 20*time.Millisecond) {
		if _, err := d.get(ctx, "/healthz"); err == nil {
			return nil
		}
		select {
		case err := <-d.exited:
			return fmt.Errorf("%s ended when it was started again: %w", d.name, err)
		default:
		}
		if r.now()-began > patience {
			return fmt.Errorf("%s does not answer %v after it was started again", d.name, patience)
		}
	}
}

// calm is how long the cluster is left alone between two faults.
const calm = 2 * time.Second

// outcome is what a run found, for the report.
type outcome struct {
	Seed       uint64
	Network    string
	Nodes      int
	Faults     []string
	Decisions  int64
	Excess     float64       // largest, in units
	Bound      float64       // at that admission
	Closest    float64       // largest part of its bound that an excess of over a unit came to
	Unexported int           // admissions that were judged against exported bounds
	Mended     time.Duration // longest time until nodes had found each other
	Bounded    int           // admissions under bounded limits
	Beyond     float64       // most by which one of them went beyond its cap, in units: below 0 if none did
	Late       time.Duration // p99.9 of decisions
	Changes    int           // of limits
	Violations []string
}

// befall lets faults befall the cluster until the time is over.
func (r *run) befall(ctx context.Context, only string, o *outcome, changes *changes) {
	rnd := rand.New(rand.NewPCG(r.seed, 0)) //nolint:gosec // a plan, no secret
	for ctx.Err() == nil {
		for _, f := range plan(rnd, r.network, only) {
			changes.one(ctx)
			pause(ctx, calm)
			if ctx.Err() != nil {
				return
			}
			at := r.now()
			what, err := f.do(context.WithoutCancel(ctx), r, rnd)
			o.Faults = append(o.Faults, f.name)
			if err != nil {
				r.violate("%s: %v", what, err)
				return
			}
			took := r.mend(context.WithoutCancel(ctx), what)
			r.see()
			o.Mended = max(o.Mended, took)
			fmt.Fprintf(os.Stderr, "  %6.1fs %s; together after %v\n", at.Seconds(), what, took.Round(10*time.Millisecond))
		}
	}
}

// execute is one whole run: load, faults unless quiet, and the judgement.
func (r *run) execute(length time.Duration, quiet bool, only string) (outcome, error) {
	o := outcome{Seed: r.seed, Network: r.network, Nodes: r.nodes}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	if err := r.open(ctx); err != nil {
		return o, err
	}
	before := r.sizes(ctx)
	watched, unwatch := context.WithCancel(ctx)
	defer unwatch()
	r.watch(watched)
	l := r.load()
	timed, over := context.WithTimeout(ctx, length)
	defer over()
	changes := &changes{run: r}
	if quiet {
		<-timed.Done()
	} else {
		r.befall(timed, only, &o, changes)
	}
	l.stop()
	unwatch()
	r.watching.Wait()
	r.converge(ctx, l)
	changes.judge(ctx)
	r.grown(ctx, before)
	for _, d := range r.daemons {
		for _, fault := range d.faults() {
			r.violate("%s", fault)
		}
	}
	r.history.starved = func(k, j int, from, to instant) (sum time.Duration) {
		for _, i := range []int{k, j, r.nodes, r.nodes + 1} { // messages pass this process's proxies and the server
			sum += waited(r.queues[i], from, to)
		}
		return sum
	}
	r.judgeLate()
	r.judge(l, &o)
	o.Decisions, o.Late, o.Changes, o.Violations = l.asked.Load(), l.quantile(0.999), changes.made, r.violations
	if len(o.Faults) == 0 && !quiet {
		return o, errors.New("no fault befell the cluster")
	}
	return o, nil
}

// converge waits until all nodes have the same answers.
func (r *run) converge(ctx context.Context, l *load) {
	began := r.now()
	check := func(limit string, p gcra.Policy, clients []string) {
		for _, client := range clients {
			for !r.agree(ctx, limit, client, p) {
				if r.now()-began > patience {
					r.violate("%v after the end the nodes do not agree on %s", patience, client)
					return
				}
				pause(ctx, 50*time.Millisecond)
			}
		}
	}
	var clients []string
	for name, a := range l.accounts {
		if a.limit == "hot" { // under the others a node tells what its own share covers
			clients = append(clients, name)
		}
	}
	check("hot", hot, clients)
	check("slow", slow, l.strewn)
}

// judge holds every admission of every client against the bound for what happened, and against
// what the nodes exported.
func (r *run) judge(l *load, o *outcome) {
	g, err := gcra.New(hot)
	if err != nil {
		r.violate("%v", err)
		return
	}
	for name, a := range l.accounts {
		told := false
		if a.limit != "hot" {
			r.judgeBounded(a, o)
			continue
		}
		r.history.judge(g, a.all, func(e admission, v verdict) {
			if v.excess > o.Excess {
				o.Excess, o.Bound = v.excess, v.bound
			}
			if v.excess > 1 {
				o.Closest = max(o.Closest, v.excess/v.bound)
			}
			if v.excess > v.bound+1e-6 && !told {
				told = true
				r.violate("%s at %v: E is %.1f units, the bound %.1f", name, e.answered.Round(time.Millisecond), v.excess, v.bound)
			}
			slack := v.excess - float64(hot.Limit)/float64(hot.Window)*float64(slowest)
			if slack <= 0 {
				return
			}
			units, enough, known := r.exported(e.answered, e.asked)
			if known {
				o.Unexported++
			}
			if known && !enough && slack > units && !told {
				told = true
				r.violate("%s at %v: E is %.1f units, exported is %.1f, and nobody is degraded", name, e.answered.Round(time.Millisecond), v.excess, units)
			}
		})
	}
	if math.IsNaN(o.Closest) {
		r.violate("a bound is no number")
	}
}

// judgeBounded holds every admission of a client of a bounded limit against the cap.
func (r *run) judgeBounded(a *account, o *outcome) {
	p := bounded[a.limit]
	g, err := gcra.New(p.Policy)
	if err != nil {
		r.violate("%v", err)
		return
	}
	told := false
	judgeBounded(g, a.all, p.excess, func(e admission, v verdict) {
		if by := v.excess - v.bound; o.Bounded == 0 || by > o.Beyond {
			o.Beyond = by
		}
		o.Bounded++
		if v.excess > v.bound+1e-6 && !told {
			told = true
			r.violate("%s at %v: E is %.2f units, and the cap %.2f with what is unsure", a.client, e.answered.Round(time.Millisecond), v.excess, v.bound)
		}
	})
	if len(a.all) == 0 {
		r.violate("%s was never admitted", a.client)
	}
}

// Growth that is none: connections that come and go, what the runtime keeps, and the clients of
// the run, which are a few thousand. Raising these hides leaks; lowering them calls a buffer one.
const (
	moreGoroutines  = 25
	moreDescriptors = 25
	moreMemory      = 96 << 20
)

func (r *run) sizes(ctx context.Context) (all []size) {
	for _, d := range r.daemons {
		s, err := d.size(ctx)
		if err != nil {
			r.violate("%v", err)
		}
		all = append(all, s)
	}
	return all
}

// grown refuses nodes that end larger than the largest was at the beginning.
func (r *run) grown(ctx context.Context, before []size) {
	var most size
	for _, s := range before {
		most.goroutines, most.descriptors, most.memory = max(most.goroutines, s.goroutines), max(most.descriptors, s.descriptors), max(most.memory, s.memory)
	}
	r.client.CloseIdleConnections()
	for _, d := range r.daemons {
		for began := r.now(); ; pause(ctx, 100*time.Millisecond) {
			s, err := d.size(ctx)
			if err == nil && s.goroutines <= most.goroutines+moreGoroutines && s.descriptors <= most.descriptors+moreDescriptors && s.memory <= most.memory+moreMemory {
				break
			}
			if r.now()-began > patience {
				r.violate("%s grew: it has %+v, at the beginning the largest had %+v (%v)", d.name, s, most, err)
				break
			}
		}
	}
}
