package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/cmd/internal/build"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/dashboard"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/embednats"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/limit"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/metrics"
)

const (
	// joined is the longest time that a node takes to be ready, and to know whether it is alone. Raising
	// it delays what waits for that; lowering it goes on before the node knows.
	joined = 6 * time.Second
	// joinedPoll is how often the daemon looks meanwhile. Raising it notices later; lowering it takes
	// processor time at the start.
	joinedPoll = 50 * time.Millisecond
	// saveEvery is how often the daemon saves set limits, if they changed. Raising it loses more changes
	// if all nodes stop at once; lowering it writes more often while limits change.
	saveEvery = time.Second
)

// daemon holds everything that runs: the node, its network, its listeners and its files.
type daemon struct {
	plan      *plan
	reloader  *reloader
	state     *state
	counts    *counts
	served    *served
	embedded  *embednats.Server // nil with an external one
	follower  *follower         // of a bucket with limits, nil without one
	listeners []*httpListener
	grpc      *grpcListener
	nats      *natsService // nil without -nats-api
	board     *dashboard.Dashboard
	requests  *metrics.Requests
	failed    chan error
}

// served is the node as the listeners show it: not ready once the daemon begins to stop.
type served struct {
	*node.Node
	stopping atomic.Bool
}

var errStopping = errors.New("stopping")

// Ready is nil once the node has joined its cluster, until it begins to stop.
func (f *served) Ready() error {
	if f.stopping.Load() {
		return errStopping
	}
	return f.Node.Ready()
}

// Stats agrees with Ready on whether the node is ready.
func (f *served) Stats() node.Stats {
	s := f.Node.Stats()
	s.Sync.Ready = f.Ready() == nil
	return s
}

// start opens everything. Ports come first, so that it finds a port in use before anything runs.
func start(ctx context.Context, p *plan, r *reloader) (d *daemon, err error) {
	d = &daemon{plan: p, reloader: r, failed: make(chan error, 4), requests: newRequests(p.settings)}
	defer func() {
		if err != nil {
			d.abandon()
		}
	}()
	api, err := listen(ctx, p.settings, "http", p.settings.HTTP)
	if err != nil {
		return d, err
	}
	d.listeners = append(d.listeners, newHTTPListener("http", api))
	if addr := adminAddress(p.settings.Admin); addr != "" {
		admin, err := listen(ctx, p.settings, "admin", addr)
		if err != nil {
			return d, err
		}
		d.listeners = append(d.listeners, newHTTPListener("admin", admin))
	}
	if addr := p.settings.Metrics; addr != "" {
		metrics, err := listen(ctx, p.settings, "metrics", addr)
		if err != nil {
			return d, err
		}
		d.listeners = append(d.listeners, newHTTPListener("metrics", metrics))
	}
	if d.grpc, err = openGRPC(ctx, p.settings); err != nil {
		return d, err
	}
	if d.state, err = openState(p.settings.StateDir, p.log); err != nil {
		return d, at(p.settings, "state_dir", "%w", err)
	}
	p.node.SavedLimits, p.node.LastRun = d.state.load(p.judgeSaved), d.state.lastRun()
	p.node.SavedMembers = d.state.members()
	p.node.SavedRoster, p.node.KeepRoster = d.state.rosters()
	d.counts = openCounts(d.state, time.Duration(p.settings.SnapshotInterval), p.log)
	d.counts.bring(&p.node)
	server, via, err := p.link.start(p.log)
	if err != nil {
		return d, err
	}
	d.embedded = server
	n, err := p.open(ctx, via.node)
	if err != nil {
		return d, err
	}
	d.served, d.reloader.node = &served{Node: n}, n
	d.counts.start(n)
	p.envoy.start(n)
	if err := d.grpc.prepare(p, p.envoy, d.requests); err != nil {
		return d, errors.Join(err, n.Close())
	}
	d.furnish()
	p.envoy.follow()
	d.follower = p.follow(d.served)
	if d.nats, err = p.openNATSService(via.apps, d.api(false), d.requests); err != nil {
		return d, errors.Join(err, n.Close())
	}
	return d, nil
}

// furnish gives each listener its server.
func (d *daemon) furnish() {
	metrics := d.metrics()
	d.openBoard()
	for _, l := range d.listeners {
		local := loopback(l.listener.Addr())
		switch l.name {
		case "admin":
			l.server = pprofServer(local, d.plan.hosts(), d.plan.log)
		case "metrics":
			l.server = httpServer(onlyMetrics(metrics), d.plan.log)
		default:
			l.server = httpServer(d.handler(local, metrics), d.plan.log)
			l.server.RegisterOnShutdown(d.board.Close) // a stream never ends by itself
			if d.plan.tls != nil {
				l.server.TLSConfig = d.plan.tls.Config("h2", "http/1.1")
			}
		}
	}
}

// abandon undoes a start that failed.
func (d *daemon) abandon() {
	if d.board != nil {
		d.board.Close()
	}
	for _, l := range d.listeners {
		_ = l.listener.Close()
	}
	if d.grpc != nil {
		_ = d.grpc.listener.Close()
	}
	if d.embedded != nil {
		_ = d.embedded.Close()
	}
	if d.counts != nil {
		d.counts.stop()
	}
	if d.state != nil {
		d.state.close()
	}
}

// serve serves until ctx is done or a server breaks, and then stops in order.
func (d *daemon) serve(ctx context.Context) error {
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)
	d.plan.envoy.serving(d.served.Ready() == nil)
	d.announce()
	for _, l := range d.listeners {
		go func() { d.failed <- l.serve() }()
	}
	if d.grpc != nil {
		go func() { d.failed <- d.grpc.serve() }()
	}
	watching, stopWatching := context.WithCancel(ctx)
	defer stopWatching()
	changed := d.reloader.watch(watching)
	d.plan.nodeKeys.watch(watching, d.plan.log)
	saves := time.NewTicker(saveEvery)
	defer saves.Stop()
	look := time.NewTicker(joinedPoll)
	defer look.Stop()
	settled, told := time.Now().Add(joined), false
	var clock lookout
	var heap heap
	// At once, whatever the loop is busy with: balancers must stop sending requests.
	defer context.AfterFunc(ctx, func() { d.served.stopping.Store(true) })()
	for {
		select {
		case <-ctx.Done():
			if terminated(ctx) {
				return d.stop(time.Duration(d.plan.settings.DrainDelay))
			}
			return d.stop(0)
		case err := <-d.failed:
			return errors.Join(err, d.stop(0))
		case <-hup:
			d.reloader.reload("SIGHUP")
		case <-changed:
			d.reloader.reload("the file changed")
		case <-saves.C:
			d.state.save(d.served.Node)
			d.state.note(d.served.Run())
			d.state.saveMembers(d.served.SaveMembers())
			heap.look(d.served.Node)
			if ahead := d.served.ClockAhead(); clock.rejoins(ahead) {
				d.plan.log.Warn("the node's time is ahead of the wall clock, so peers refuse what it counts: starting again under a new incarnation", "ahead", ahead)
				return errors.Join(errRejoin, d.stop(0))
			}
		case now := <-look.C:
			d.plan.envoy.serving(d.served.Ready() == nil)
			if !told && (d.served.Ready() == nil || now.After(settled)) {
				told = true
				look.Reset(joinedPoll * 20)
				d.warnIfAlone()
				d.tellShadowed()
			}
		}
	}
}

// announce logs what runs here, and warns of settings that leave it open to others.
func (d *daemon) announce() {
	p, s := d.plan, d.served.Node.Stats()
	attrs := []any{"version", build.Read().Version, "node", s.Name, "cluster", s.Cluster, "limits", len(s.Limits), "network", p.link.describe(d.embedded)}
	for _, l := range d.listeners {
		attrs = append(attrs, l.name, l.url())
	}
	if d.grpc != nil {
		attrs = append(attrs, "grpc", d.grpc.url())
	}
	p.log.Info("ratelimitd serves", attrs...)
	if p.link.open && !p.link.key {
		p.log.Warn("no -cluster-key-file: the cluster uses the public default key, so whoever reaches its NATS can join it and take part in counting")
	}
	for _, l := range d.listeners {
		if l.name == "admin" && !loopback(l.listener.Addr()) {
			p.log.Warn("pprof is open to the network", "admin", l.url())
		}
	}
	if p.tls == nil && p.adminToken+p.apiToken != "" && !loopback(d.listeners[0].listener.Addr()) {
		p.log.Warn("tokens travel in the clear: set -tls-cert and -tls-key, unless a proxy or a private network hides the traffic")
	}
	if p.adminToken == "" && !loopback(d.listeners[0].listener.Addr()) {
		p.log.Info("no -admin-token-file: limits cannot be changed over HTTP")
	}
}

// warnIfAlone warns if the settings expect peers and this node found none. It says nothing if the
// network is away, because the node has logged that.
func (d *daemon) warnIfAlone() {
	s := d.served.Node.Stats()
	if !d.plan.link.peers || !s.Sync.Connected || len(s.Sync.Peers) > 0 {
		return
	}
	detail := "no other node was heard on this NATS: if others run, compare their -nats, -cluster, -subject-prefix and -cluster-key-file"
	if d.embedded != nil {
		detail = fmt.Sprintf("no other node was heard, %d of the routes' servers are connected: if others run, compare their -nats-routes, -cluster, -subject-prefix and -cluster-key-file", d.embedded.Routes())
	}
	d.plan.log.Warn("this node is alone in its cluster", "cluster", s.Cluster, "detail", detail)
}

// tellShadowed logs, once after the start, the limits of the file that are not in force.
func (d *daemon) tellShadowed() {
	s := d.served.Node.Stats()
	for i := range s.Limits {
		if l := &s.Limits[i]; l.Configured != nil && !l.Configured.Same(l.Policy) {
			why := "another node has a newer configuration"
			if l.Set {
				why = "what somebody set by PUT holds until DELETE /v1/limits/" + l.Name
			}
			holds, file := limit.Change(&l.Policy, l.Configured)
			d.plan.log.Info("the file's limit is not in force: "+why, "limit", l.Name, "in_force", holds, "file", file)
		}
	}
}

// loopback reports whether only this machine can reach the address.
func loopback(a net.Addr) bool {
	tcp, ok := a.(*net.TCPAddr)
	return ok && tcp.IP.IsLoopback()
}
