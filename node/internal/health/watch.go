// Package health says whether a node's own error bound can be trusted: why it is degraded,
// what came once, and what its heaviest clients ask for. It looks at the node's state once a
// second and at each scrape; no decision waits for it.
package health

import (
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/limits"
	deltasync "github.com/distributed-rate-limiter/distributed-rate-limiter/sync"
)

// Look is what a node sees of itself and of the cluster at one moment.
type Look struct {
	*limits.Sight
	Offline    bool  // there is no network, so no other node counts
	Alone      bool  // no other node is expected
	ClockAhead bool  // the node's time is ahead of the wall clock by more than peers tolerate
	Horizon    int64 // the longest of all limits', in nanoseconds
	FullOpen   bool  // unknown clients pass when the table is full

	Lost           uint64 // rows of peers that were refused for good
	PassedIsolated uint64 // requests that passed because nodes did not hear each other
	PassedFull     uint64 // decisions on unknown clients at the table's cap

	Demand *Demand // what clients ask of this node
}

// Bounds are the worst case of one limit and what to expect, in units. The heaviest client here is
// taken to ask each of the other nodes for as much.
func (l *Look) Bounds(r *limits.Revision) (bound, expected float64) {
	return r.Limit.Bound(l.Sight), r.Expected(l.Sight, l.elsewhere(r))
}

// Denied is by how much a denial can be wrong at most, and what to expect, in units.
func (l *Look) Denied(r *limits.Revision) (worst, expected float64) {
	if l.Offline {
		return 0, 0
	}
	return r.Denied(l.Sight, l.elsewhere(r))
}

// elsewhere is what the heaviest client is taken to ask of the other nodes, in units a second.
func (l *Look) elsewhere(r *limits.Revision) float64 {
	return float64(max(l.Sync.Members, 1)-1) * l.Demand.Rate(r.Limit.Account)
}

// Watch remembers what a node saw from one look to the next. The zero value is ready. Safe for
// concurrent use, but for Tell.
type Watch struct {
	mu  sync.Mutex
	own deltasync.Offsets // our clock against one that nobody sets
	was int64             // the last of them
	// held is when each of reasons held last, by our clock; 0 if it never did.
	held []int64

	// What was counted by the last look: rows refused for good, and requests that passed without
	// room for them, because nodes were isolated or the table was full.
	lost, isolated, full Growing
	crowded              recent // messages that found no room

	told map[string]bool // what Tell told the log; only Tell uses it
}

// NoteClock takes how far our clock is from one that nobody sets, in nanoseconds. Peers compare
// clocks with ours; this tells whether a difference that appears is due to us.
func (w *Watch) NoteClock(now, offset int64) {
	// A step is what no crystal drifts within a second. Raising it takes small steps for
	// drift; lowering it takes drift for steps, which does no harm to the bound.
	const step = int64(100 * time.Microsecond)
	w.mu.Lock()
	defer w.mu.Unlock()
	d := offset - w.was
	w.was = offset
	w.own.Note(now, offset, offset, d > step || d < -step)
}

// Clock is a copy of what NoteClock took.
func (w *Watch) Clock() deltasync.Offsets {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.own.Clone()
}

// Degraded lists the names of the reasons that hold, or still count, in the order of reasons. It is
// empty for a node whose live bound can be trusted, and for one without a network.
func (w *Watch) Degraded(l *Look) (names []string) {
	if l.Offline {
		return nil
	}
	now := l.Sync.Now
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.held == nil {
		w.held = make([]int64, len(reasons))
	}
	for i := range reasons {
		r := &reasons[i]
		if r.holds(w, l) {
			w.held[i] = now
		} else if !r.lasts || w.held[i] == 0 || now-w.held[i] >= l.Horizon {
			continue
		}
		names = append(names, r.name)
	}
	return names
}

// Names lists all names that Degraded can return. Metrics have a series for each.
func Names() (names []string) {
	for i := range reasons {
		names = append(names, reasons[i].name)
	}
	return names
}

// Describe says in words what one of Names means and what ends it, both empty for another name.
func Describe(name string) (means, until string) {
	for i := range reasons {
		if r := &reasons[i]; r.name == name {
			return r.means, r.until
		}
	}
	return "", ""
}

// Tell logs which reasons began and which ended since the last call. Only one goroutine may
// call it.
func (w *Watch) Tell(log *slog.Logger, names []string) {
	if w.told == nil {
		w.told = map[string]bool{}
	}
	for i := range reasons {
		r := &reasons[i]
		holds := slices.Contains(names, r.name)
		switch was := w.told[r.name]; {
		case holds && !was:
			log.Warn("degraded: "+r.means+"; decisions go on, the error bound is wide or unknown", "reason", r.name, "until", r.until)
		case !holds && was && len(names) == 0:
			log.Info("not degraded any more", "reason", r.name)
		case !holds && was:
			log.Info("less degraded", "reason", r.name)
		}
		w.told[r.name] = holds
	}
}
