package lending

import (
	"log/slog"
	"sync"
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
	deltasync "github.com/distributed-rate-limiter/distributed-rate-limiter/sync"
)

// Config is what Holdings are made from.
type Config struct {
	// Names is the roster as it is configured, and Self the name of this node in it. Alone says that
	// nobody else can be there.
	Names []string
	Self  string
	Alone bool
	// Saved is what Keep kept in an earlier run, nil if nothing was kept. Keep keeps the roster for
	// the next run; it may be nil, and blocks. Only Settle calls it.
	Saved []byte
	Keep  func(text []byte) error
	Log   *slog.Logger
	// Now is the node's time, of Clock; nil if the program brings its own clocks. Then Wall is the
	// wall clock as it is, and Elapsed a time that no step of it changes, or nil.
	Now     func() int64
	Clock   *clock.Clock
	Wall    func() int64
	Elapsed func() time.Duration
	// Margin is how far ahead the clock of the run before may have been: see rights.Divisions.InWindow.
	Margin time.Duration
}

// Holdings are what a node decides bounded limits by, beside what it has counted: its clocks, the
// roster, and how far the others are. It implements table.Rights. Make one with New. Safe for
// concurrent use.
type Holdings struct {
	// Lines are where requests of one client wait for loans.
	Lines line.Lines[crdt.Key]

	cfg    Config
	roster atomic.Pointer[rights.Roster]
	told   atomic.Pointer[deltasync.Roll]
	began  int64         // by rights.Time.Own
	steady *clock.Steady // of the program's clocks
	limits *limits.Registry
	table  *table.Table
	delay  atomic.Int64 // the largest to a peer, nanoseconds

	mu   sync.Mutex
	roll *roll
	// These are for one goroutine: see Settle.
	divisions rights.Divisions
	kept      []byte
	failing   bool
}

// New makes Holdings that begin now. Serve makes them ready.
func New(cfg Config) *Holdings {
	h := &Holdings{cfg: cfg}
	at := cfg.Now()
	if cfg.Clock == nil {
		h.steady = clock.NewSteady(at, cfg.Elapsed)
	}
	h.began = h.Own(at)
	var err error
	if h.roll, err = newRoll(cfg.Self, cfg.Names, cfg.Saved, h.began); err != nil {
		cfg.Log.Warn("the saved roster cannot be used: this node uses its shares of bounded limits once all others agree on them", "error", err)
	}
	h.roll.opened = h.roll.opened || cfg.Alone
	h.divisions = rights.Divisions{{From: h.began, Roster: h.roll.roster()}}
	h.roster.Store(h.divisions.Roster())
	h.told.Store(&deltasync.Roll{}) // nothing is kept yet
	return h
}

// Serve says whose limits and clients these are. Call it once, before anything is decided.
func (h *Holdings) Serve(l *limits.Registry, t *table.Table) {
	h.limits, h.table = l, t
	t.Divide(h.divisions)
}

// SetDelay notes the largest delay to a peer, in nanoseconds.
func (h *Holdings) SetDelay(delay int64) { h.delay.Store(delay) }

// Began implements table.Rights.
func (h *Holdings) Began() int64 { return h.began }

// Margin implements table.Rights.
func (h *Holdings) Margin() int64 { return int64(h.cfg.Margin) }

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
	return float64(amount) * float64(r.Policy.Burst) / float64(r.GCRA.Depth())
}

// left is what is left of a client's bucket or quota by all that this node knows, in nanoseconds.
func left(s *table.Shard, e *table.Entry, now int64) int64 {
	r, g := e.Rule(), e.Rule().GCRA
	if r.Policy.Algorithm == limit.FixedWindow {
		return max(0, g.Depth()-g.Drain(min(r.Used(e.States(), now), uint64(r.Policy.Burst)))) //nolint:gosec // positive
	}
	return max(0, g.Depth()-max(0, g.TAT(s.Level(e, now))-now))
}
