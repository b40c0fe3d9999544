package limits

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/limit"
)

// changeLead is how far ahead a change comes into force, so that every node knows of it by
// then and all change at one instant. Raising it makes changes slower to take effect.
// Lowering it below the time that messages take makes nodes change at different instants,
// and refuse requests that others admit for as long.
const changeLead = 250 * time.Millisecond

// Errors of a proposal.
var (
	// ErrUnknownLimit says that there is no limit of this name.
	ErrUnknownLimit = errors.New("node: unknown limit")
	// ErrTooManyChanges says that too many changes of one limit are not in force yet.
	ErrTooManyChanges = errors.New("node: too many changes within a quarter of a second; try again")
)

// Set proposes a valid policy for a limit, on every node. at is the instant from which it holds
// everywhere. The error is that of ValidName, ErrTooManyLimits or
// ErrTooManyChanges.
func (g *Registry) Set(now int64, name string, p limit.Policy) (at int64, err error) {
	return g.setOrDelete(now, name, &p)
}

// Delete proposes to take back what Set said on any node. at is the instant from which each
// node's configuration holds again. The error is ErrUnknownLimit if there is no such limit.
func (g *Registry) Delete(now int64, name string) (at int64, err error) {
	if l := g.Get(name); l == nil || l.Newest().Gone {
		return 0, fmt.Errorf("%w: %q", ErrUnknownLimit, name)
	}
	return g.setOrDelete(now, name, nil)
}

// setOrDelete proposes the next word on the layer of limits that are set.
func (g *Registry) setOrDelete(now int64, name string, p *limit.Policy) (at int64, err error) {
	return g.propose(now, name, func(last statement) (statement, bool) {
		return last.with(p, now), true
	})
}

// propose makes a limit's next statement: what next makes of the last one, if it wants one.
// at is the instant at which it comes into force, 0 if next wants none.
func (g *Registry) propose(now int64, name string, next func(last statement) (statement, bool)) (at int64, err error) {
	if err := ValidName(name); err != nil {
		return 0, err
	}
	at, err = g.write(now, name, next)
	if at != 0 {
		g.cfg.Observer.LimitProposed()
	}
	return at, err
}

// write is propose without telling the Observer, so that it can hold the lock.
func (g *Registry) write(now int64, name string, next func(last statement) (statement, bool)) (at int64, err error) {
	g.proposing.Lock()
	defer g.proposing.Unlock()
	g.mu.Lock()
	held, before := g.set[name], slices.Clone(g.history[name])
	g.mu.Unlock()
	last := statement{}
	if len(before) > 0 {
		last = before[0]
	}
	s, wanted := next(last)
	if !wanted {
		return 0, nil
	}
	s.At, s.By = max(now+int64(changeLead), held.Stamp.At+1), g.cfg.Replica
	list, upcoming := []statement{s}, 1
	for _, b := range before {
		if g.countedAfter(name, list[len(list)-1].At, now) && len(list) < maxRevisions {
			list = append(list, b)
			if b.At > now {
				upcoming++
			}
		}
	}
	if upcoming > maxUpcoming {
		return 0, fmt.Errorf("%w: limit %s", ErrTooManyChanges, name)
	}
	r, _, err := writeEntry(name, list)
	if err != nil {
		return 0, err
	}
	if _, err := g.merge(now, r); err != nil {
		return 0, err
	}
	return s.At, nil
}

// widest is the width of the widest window in which clients of a limit are counted.
func (g *Registry) widest(name string) int64 {
	if l := g.Get(name); l != nil {
		return l.Widest()
	}
	return int64(limit.MaxWidth)
}

// ProposePending proposes what is pending. What it cannot propose now stays pending: call it
// about once a second.
func (g *Registry) ProposePending(now int64) {
	g.mu.Lock()
	pending := maps.Clone(g.pending)
	g.mu.Unlock()
	for _, name := range slices.Sorted(maps.Keys(pending)) {
		both := pending[name]
		_, err := g.propose(now, name, func(last statement) (statement, bool) { return last.joined(&both) })
		if err == nil {
			g.mu.Lock()
			if g.pending[name] == both { // another may have come in meanwhile
				delete(g.pending, name)
			}
			g.mu.Unlock()
		}
	}
}

// Configure replaces the node's configured limits, and proposes each difference to all
// nodes. The limits are valid. at is the instant from which the last difference holds. It
// is 0 if there are none, or if all have to wait their turn.
func (g *Registry) Configure(now int64, configured map[string]limit.Policy) (at int64, err error) {
	g.mu.Lock()
	was := g.base
	g.base, g.baseAt = maps.Clone(configured), now
	g.configured(configured)
	g.mu.Unlock()
	names := maps.Clone(was)
	maps.Copy(names, configured)
	var faults []error
	for _, name := range slices.Sorted(maps.Keys(names)) {
		old, had := was[name]
		p, has := configured[name]
		if had == has && samePolicy(&old, p, has) {
			continue
		}
		var stated statement
		from, err := g.propose(now, name, func(last statement) (statement, bool) {
			stated = last.configured(p, has, max(now, last.BaseAt+1))
			return stated, stated.Own || last.BaseAt == 0 || last.Own || !samePolicy(last.Base, p, has)
		})
		if errors.Is(err, ErrTooManyChanges) {
			g.mu.Lock()
			g.pending[name], err = stated, nil // its turn comes within a second
			g.mu.Unlock()
		}
		at = max(at, from)
		faults = append(faults, err)
	}
	return at, errors.Join(faults...)
}
