package lending

import (
	"sync/atomic"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/clock"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/limits"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/line"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/rights"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/table"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/tally"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/limit"
)

// Config is what Holdings are made from.
type Config struct {
	// Names is the roster, and Self the name of this node in it.
	Names []string
	Self  string
	// Now is the node's time, of Clock; nil if the program brings its own clocks. Then Wall is the
	// wall clock as it is, and Elapsed a time that no step of it changes, or nil.
	Now     func() int64
	Clock   *clock.Clock
	Wall    func() int64
	Elapsed func() time.Duration
}

// Holdings are what a node decides bounded limits by, beside what it has counted: its clocks, the
// roster, and how far the others are. It implements table.Rights. Make one with New. Safe for
// concurrent use.
type Holdings struct {
	// Lines are where requests of one client wait for loans.
	Lines line.Lines[crdt.Key]

	cfg    Config
	roster *rights.Roster
	began  int64         // by rights.Time.Own
	steady *clock.Steady // of the program's clocks
	limits *limits.Registry
	table  *table.Table
	delay  atomic.Int64 // the largest to a peer, nanoseconds
}

// New makes Holdings that begin now. Serve makes them ready.
func New(cfg Config) *Holdings {
	h := &Holdings{cfg: cfg, roster: rights.NewRoster(cfg.Names, cfg.Self)}
	at := cfg.Now()
	if cfg.Clock == nil {
		h.steady = clock.NewSteady(at, cfg.Elapsed)
	}
	h.began = h.Own(at)
	return h
}

// Serve says whose limits and clients these are. Call it once, before anything is decided.
func (h *Holdings) Serve(l *limits.Registry, t *table.Table) { h.limits, h.table = l, t }

// Roster is that of the node.
func (h *Holdings) Roster() *rights.Roster { return h.roster }

// SetDelay notes the largest delay to a peer, in nanoseconds.
func (h *Holdings) SetDelay(delay int64) { h.delay.Store(delay) }

// Self implements table.Rights.
func (h *Holdings) Self(k crdt.Key, parts int64) bool { return h.roster.Self(k, parts) }

// Began implements table.Rights.
func (h *Holdings) Began() int64 { return h.began }

// Now implements table.Rights.
func (h *Holdings) Now() int64 { return h.cfg.Now() }

// Own implements table.Rights. The jumps are read after now was, so that a jump in between makes
// no tokens.
func (h *Holdings) Own(now int64) int64 {
	if h.cfg.Clock != nil {
		return now - h.cfg.Clock.Jumped()
	}
	return now - h.steady.Jumped(now)
}

// Time implements table.Rights.
func (h *Holdings) Time(now int64) (t rights.Time) {
	t.Own = h.Own(now)
	switch {
	case h.cfg.Clock != nil:
		t.Mono, t.Wall = h.cfg.Clock.Mono()
	case h.cfg.Elapsed != nil:
		t.Mono, t.Wall = int64(h.cfg.Elapsed()), h.cfg.Wall()
	default:
		t.Mono, t.Wall = now, h.cfg.Wall()
	}
	return t
}

// Expired implements table.Rights.
func (h *Holdings) Expired(r *limit.Rule, tokens int64) {
	h.Tally(r).Expired.Add(units(r, tokens))
}

// Tally is where the loans of a rule's limit are counted.
func (h *Holdings) Tally(r *limit.Rule) *tally.Rights {
	if l := h.limits.Get(r.Limit); l != nil {
		return &l.Account.Rights
	}
	return new(tally.Rights) // it was deleted just now
}

// units is an amount under a rule in units.
func units(r *limit.Rule, amount int64) float64 {
	return float64(amount) * float64(r.Policy.Limit) / float64(r.Policy.Window)
}

// left is what is left of a client's bucket by all that this node knows, in nanoseconds.
func left(s *table.Shard, e *table.Entry, now int64) int64 {
	g := e.Rule().GCRA
	return max(0, g.Depth()-max(0, g.TAT(s.Level(e, now))-now))
}
