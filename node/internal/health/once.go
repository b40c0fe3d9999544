package health

import (
	"maps"
	"sync"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/limits"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/tally"
	deltasync "github.com/distributed-rate-limiter/distributed-rate-limiter/sync"
)

// Names of what came once: cost above the limit that is not repaid, since no count of it is left.
// They are label values of metrics, so changing one breaks dashboards.
const (
	onceCrash    = "crash"       // an incarnation ended, and what it had not told is gone
	onceForgiven = "forgiven"    // what was told too late to be counted, as after a long cut
	onceJoin     = "join"        // what drained while a node joined, and kept apart what it admitted
	onceRestart  = "restart"     // an earlier run of this node, of which nobody tells
	onceLate     = "change_late" // what this node admitted by a limit that had changed
)

// OnceNames lists all names that Once.Of has. Metrics export each from the start at 0, so that an
// increase never goes unseen for want of a first value.
func OnceNames() []string {
	return []string{onceCrash, onceForgiven, onceJoin, onceRestart, onceLate}
}

// Once sums what came once, by limit and reason. The zero value is ready. Safe for concurrent
// use.
type Once struct {
	mu   sync.Mutex
	last uint64 // the number of the latest span that is in sums
	sums map[*tally.Account]map[string]float64
}

// Look adds the spans that ended since the last look. A span's number is above those of all that
// ended before, so each counts once, however often somebody looks.
func (o *Once) Look(all []*limits.Limit, s *limits.Sight) {
	o.mu.Lock()
	defer o.mu.Unlock()
	last := o.last // spans of several peers are not in the order of their numbers
	for i := range s.Sync.Unknown {
		u := &s.Sync.Unknown[i]
		for _, sp := range u.Spans {
			if sp.Number <= last {
				continue
			}
			o.last = max(o.last, sp.Number)
			one := deltasync.Unknown{Replica: u.Replica, Spans: []deltasync.Span{sp}, Own: u.Own}
			for _, l := range all {
				o.add(l.Account, onceReason(u, sp), l.Unseen(s, &one))
			}
		}
	}
}

// add adds units. o.mu is held.
func (o *Once) add(a *tally.Account, reason string, units float64) {
	if units == 0 {
		return
	}
	if o.sums == nil {
		o.sums = map[*tally.Account]map[string]float64{}
	}
	if o.sums[a] == nil {
		o.sums[a] = map[string]float64{}
	}
	o.sums[a][reason] += units
}

// onceReason names what a span is of. A span of this node's own name is of a run before this one,
// since a node knows all that it admits itself.
func onceReason(u *deltasync.Unknown, sp deltasync.Span) string {
	switch {
	case sp.Kind == deltasync.SpanDrained:
		return onceJoin
	case sp.Kind == deltasync.SpanHealed:
		return onceForgiven
	case u.Own:
		return onceRestart
	}
	return onceCrash
}

// Of is what came once under a limit. It has all names.
func (o *Once) Of(l *limits.Limit) map[string]float64 {
	out := map[string]float64{}
	for _, name := range OnceNames() {
		out[name] = 0
	}
	o.mu.Lock()
	maps.Copy(out, o.sums[l.Account])
	o.mu.Unlock()
	out[onceLate] = l.LateUnits()
	return out
}
