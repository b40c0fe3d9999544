package node

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/clock"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/escrow"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/health"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/lending"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/limits"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/natslink"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/saved"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/seldom"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/table"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/tally"
	deltasync "github.com/distributed-rate-limiter/distributed-rate-limiter/sync"
)

// RateLimiter is the smallest interface of a limiter for a service. *Node (for the limit
// "default") and *Limiter implement it.
type RateLimiter interface {
	Allow(clientID string) bool
}

var (
	_ RateLimiter = (*Node)(nil)
	_ RateLimiter = (*Limiter)(nil)
)

// Node is one member of a cluster of rate limiters. Make one with Open. All methods
// are safe for concurrent use.
type Node struct {
	decider
	cfg     Config
	replica crdt.Replica
	began   int64         // by our clock
	def     *Limiter      // of the limit "default"
	members saved.Members // from an earlier run
	lead    clock.Lead
	keeper  saved.Keeper
	restore *saved.Restoration // of counts, nil if there are none

	resets limits.Resets

	watch         health.Watch
	onces         health.Once
	fill          health.Fill // only the housekeeping uses it
	demand        health.Demand
	refusedLimits seldom.Warner
	liars         health.Liars // only the housekeeping uses it

	escrow       *escrow.Escrow // reservations under tokens
	dropped      tally.Drops
	protocol     protocol
	stop         chan struct{}  // closed by Close
	housekeeping sync.WaitGroup // waits for the end of the housekeeping
	closing      sync.Once
	closed       atomic.Bool
	left         atomic.Bool // it said bye over a network
	holder       holder      // of requests at doors
}

// protocol is the running sync engine: a Loop in a real node, a Stepper in
// simulation.
type protocol interface {
	Urgent()
	Status() deltasync.Status
	Ready() bool
	Present(r crdt.Replica) bool
	Restored(whole bool)
	Forget(node string) bool
	Close() error
}

// Open starts a node. It returns after validation. It does not wait for the network, and
// does not fail because NATS is away; see Ready. The error joins every fault of cfg, each a
// *FieldError if one field is at fault. ctx bounds Open itself, not the node.
func Open(ctx context.Context, cfg Config) (*Node, error) {
	if ctx == nil {
		return nil, errNilContext
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	n, err := build(cfg, 0)
	if err != nil {
		return nil, err
	}
	transport := n.cfg.Transport
	if transport == nil && (n.cfg.NATS.URL != "" || n.cfg.NATS.Conn != nil) {
		if transport, err = natslink.Servers(n.cfg.NATS).Transport(n.cfg.Name, n.log); err != nil {
			return nil, fmt.Errorf("node: configuration: %w", err)
		}
	}
	if n.offline = transport == nil; !n.offline {
		n.table.Join()
	}
	engine, store := n.engine()
	engine.Marked = true
	loop, err := deltasync.NewLoop(engine, store, transport, n.now, n.log)
	if err != nil {
		return nil, fmt.Errorf("node: %w", err)
	}
	n.protocol = loop
	n.housekeeping.Add(1)
	go n.runHousekeeping()
	if n.restore != nil {
		n.housekeeping.Go(func() {
			if whole, ended := n.restore.Run(n.protocol.Status, time.Tick(saved.Look), n.stop); ended {
				n.protocol.Restored(whole)
			}
		})
	}
	return n, nil
}

// build makes a node that nothing drives yet. Without a number for its incarnation it makes one.
func build(cfg Config, replica crdt.Replica) (*Node, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, fmt.Errorf("node: configuration: %w", err)
	}
	if replica == 0 {
		replica = newReplica(cfg.Name)
	}
	key := cfg.ClusterKey
	if len(key) == 0 {
		key = []byte(deltasync.DefaultClusterKey)
	}
	hash := deltasync.NewSecret(key, "client hash")
	n := &Node{
		decider: decider{log: cfg.Logger, onFull: cfg.OnFull},
		cfg:     cfg, replica: replica, stop: make(chan struct{}), protocol: unborn{},
		refusedLimits: seldom.Warner{Every: time.Second},
	}
	n.holder.node = n
	configuredAt := int64(0)
	if !cfg.ConfiguredAt.IsZero() {
		configuredAt = cfg.ConfiguredAt.UnixNano()
	}
	if cfg.Now != nil {
		n.now = clock.Ratchet(cfg.Now)
	} else {
		n.clock = clock.New()
		n.now = n.clock.Now
	}
	n.lead.Clock, n.lead.Now, n.lead.Wall, n.lead.Most = n.clock, n.now, cfg.Now, cfg.ClockTolerance
	n.began = n.now()
	n.holdings = lending.New(lending.Config{
		Names: cfg.roster(), Self: cfg.Name, Alone: cfg.lone(), Saved: cfg.SavedRoster, Keep: cfg.KeepRoster, Log: cfg.Logger,
		Now: n.now, Clock: n.clock, Wall: n.cfg.wall, Elapsed: cfg.Elapsed, Margin: cfg.ClockTolerance,
	})
	n.limits, err = limits.New(limits.Config{
		Replica: replica, Hash: hash.Hash128, Keys: hash.KeyHash(), Tolerance: cfg.ClockTolerance, Began: n.began,
		Configured: cfg.Limits, ConfiguredAt: configuredAt, Dropped: &n.dropped, Observer: limitsObserver{n},
	})
	if err != nil {
		return nil, fmt.Errorf("node: configuration: %w", err)
	}
	n.table = table.New(table.Config{
		Self: replica, Size: cfg.MaxClients, Tolerance: int64(cfg.ClockTolerance),
		Limits: n.limits, Isolation: &n.isolation, Dropped: &n.dropped, Rights: n.holdings, Urgent: func() { n.protocol.Urgent() },
	})
	n.holdings.Serve(n.limits, n.table)
	n.holdings.Settle(false)
	n.escrow = escrow.New(replica, hash, func(life deltasync.Life, units, now int64) (int64, deltasync.Shortfall) {
		return n.table.GiveBack(life, units, now, !n.offline)
	})
	n.def = n.Limiter(DefaultLimit)
	if n.members, err = saved.ReadMembers(cfg.SavedMembers); err != nil {
		n.log.Warn("the saved names of the other nodes cannot be read: this node counts with one that it does not hear, until all that it hears know of nobody else", "error", err)
	}
	if now := cfg.wall(); now > clock.Latest {
		return nil, fmt.Errorf("node: configuration: %w", &FieldError{Field: "now", Value: time.Unix(0, now), Reason: "the clock is later than limits can be counted; set it right"})
	}
	if err := n.restoreLimits(cfg.SavedLimits); err != nil {
		return nil, fmt.Errorf("node: configuration: %w", err)
	}
	k := &n.keeper
	k.Cluster, k.Node, k.Hash, k.Replica, k.Began, k.Now = cfg.Cluster, cfg.Name, hash, replica, n.began, n.now
	k.Table, k.Tolerance, k.Tell = n.table, cfg.ClockTolerance, cfg.CountsRestored
	n.restore = k.Open(cfg.SavedCounts)
	return n, nil
}

// unborn stands in until the protocol runs.
type unborn struct{}

func (unborn) Urgent()                   {}
func (unborn) Status() deltasync.Status  { return deltasync.Status{} }
func (unborn) Ready() bool               { return false }
func (unborn) Present(crdt.Replica) bool { return false }
func (unborn) Restored(bool)             {}
func (unborn) Forget(string) bool        { return false }
func (unborn) Close() error              { return nil }

// engine is the configuration of the protocol, and who plays which role of the replicated
// state.
func (n *Node) engine() (cfg deltasync.Config, store deltasync.Store) {
	cfg = deltasync.Config{
		Node: n.cfg.Name, Replica: n.replica, Cluster: n.cfg.Cluster, Prefix: n.cfg.SubjectPrefix,
		Key: n.cfg.ClusterKey, NodeKey: n.cfg.NodeKey, NodeKeys: n.cfg.NodeKeys, Interval: n.cfg.Flush, Alone: n.cfg.Alone, Last: n.cfg.LastRun.last(),
		Members: n.members.Names, Lost: n.members.Lost, Seed: uint64(n.replica), Saved: n.restore.Saved(),
	}
	store = deltasync.Store{
		Rows: n.table, Summaries: n.table, Registry: n.limits, Configured: n.limits, Resetter: resetter{n}, Settler: n.escrow, Viewer: viewer{n}, Lender: lending.Lender{Holdings: n.holdings}, Roller: lending.Lender{Holdings: n.holdings},
	}
	return cfg, store
}

// newReplica is a new incarnation's number.
func newReplica(name string) crdt.Replica {
	var b [4]byte
	_, _ = rand.Read(b[:]) // never fails
	return deltasync.NewReplica(name, binary.LittleEndian.Uint32(b[:]))
}

// runHousekeeping does the housekeeping once a second, until the node stops.
func (n *Node) runHousekeeping() {
	defer n.housekeeping.Done()
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for {
		select {
		case <-n.stop:
			return
		case <-ticker.C:
			n.housekeep()
		}
	}
}

// housekeep does what time alone calls for: it steers the clock, forgets clients, proposes
// what is pending, and says when the node becomes degraded or recovers.
func (n *Node) housekeep() {
	if n.lead.Look() {
		n.log.Warn("this node's time is ahead of the wall clock; peers may refuse its data, and it refuses changes of limits; if the wall clock is right, restart the node", "ahead", n.lead.Last())
	}
	n.isolation.Settle(n.now())
	n.table.Sweep(n.now())
	n.fill.Tell(n.log, n.table.Clients(), n.cfg.MaxClients)
	n.escrow.Expire(n.now())
	n.holdings.Settle(n.protocol.Ready())
	n.limits.ProposePending(n.now())
	n.demand.Look(n.now(), n.limits.Accounts())
	status := n.protocol.Status()
	n.liars.Tell(n.log, n.dropped.Of(tally.DropExcess), n.table.Liar(), status.Peers)
	look := n.look(&status)
	reasons := n.watch.Degraded(look)
	n.degraded.Store(len(reasons) > 0)
	n.watch.Tell(n.log, reasons)
	n.onces.Look(n.limits.All(), look.Sight)
}

// ClockAhead is how far this node's time is ahead of its wall clock if that is more than peers
// tolerate, and 0 otherwise. The wall clock was wrong for a moment, then. Time does not step
// back within one incarnation, so the node would count apart until the wall clock catches up.
// Close it and open another one, which has the right time and takes a snapshot from its peers;
// ratelimitd does so.
func (n *Node) ClockAhead() time.Duration {
	if !n.lead.Beyond() {
		return 0
	}
	return n.lead.Last()
}

// Allow takes one unit for the client from the limit "default", and reports whether the
// request may pass. It never blocks, never fails and allocates nothing. It denies an empty
// client id.
func (n *Node) Allow(clientID string) bool { return n.def.Allow(clientID) }

// Take asks the limit "default" for cost units.
func (n *Node) Take(clientID string, cost int64) Decision { return n.def.Take(clientID, cost) }

// Ready returns nil once the node has joined its cluster, ErrJoining before that,
// ErrClockAhead while peers refuse what it counts, and ErrClosed after Close. The node makes
// decisions all the while.
func (n *Node) Ready() error {
	switch {
	case n.closed.Load():
		return ErrClosed
	case !n.protocol.Ready():
		return ErrJoining
	case !n.offline && n.lead.Beyond():
		return ErrClockAhead
	}
	return nil
}

// Close tells the peers what they do not know yet, says bye and stops, within 5 s.
// Decisions go on from what the node knows. Close is idempotent.
func (n *Node) Close() error {
	var err error
	n.closing.Do(func() {
		n.closed.Store(true)
		close(n.stop)
		n.housekeeping.Wait()
		connected := n.protocol.Status().Connected
		err = n.protocol.Close()
		n.left.Store(connected && err == nil)
	})
	if errors.Is(err, nats.ErrTimeout) {
		return fmt.Errorf("node: close: NATS did not take the last messages in time: %w", err)
	}
	return err
}
