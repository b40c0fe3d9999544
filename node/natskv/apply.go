package natskv

import (
	"errors"
	"reflect"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
)

// standing is what holds under a name: in force, or known to be in a moment.
type standing struct {
	policy  node.Policy
	pending bool
	set     bool      // by somebody, and not configured; not known while it is pending
	at      time.Time // since when, zero for what was configured at the start
}

// standings are all of them, and the policies that are in force by now.
func (w *Watcher) standings(s *node.Stats) (newest map[string]standing, inForce map[string]node.Policy) {
	newest, inForce = map[string]standing{}, map[string]node.Policy{}
	for _, l := range s.Limits {
		if l.Name == node.CalledLimit {
			continue // those that came with requests
		}
		newest[l.Name] = standing{policy: l.Policy, set: l.Set, at: l.Revision}
		inForce[l.Name] = l.Policy
	}
	for _, c := range w.cfg.Node.Changes() {
		if delete(newest, c.Name); exists(&c.Policy) {
			newest[c.Name] = standing{policy: c.Policy, pending: true, at: c.At}
		}
	}
	return newest, inForce
}

// exists: a change to the zero policy is that there is none any more.
func exists(p *node.Policy) bool { return p.Limit != 0 || p.Access != node.Limited }

// apply compares what holds with what the bucket says, and writes what differs if it is
// told to. It reports whether something differed that can be written.
func (w *Watcher) apply(s *node.Stats, write bool) (differs bool) {
	newest, inForce := w.standings(s)
	v := w.book.resolver(inForce)
	for _, name := range w.book.names() {
		e := w.book.entries[name]
		held, there := newest[name]
		if e.gone {
			switch {
			case e.takesBack(&held, there):
				differs = true
				if write {
					w.delete(name, e)
				}
			case !held.pending:
				w.book.forget(name)
			}
			continue
		}
		l := v.limit(name)
		w.tell(name, e, v.faults[name])
		if l == nil || e.refused {
			continue
		}
		p := l.Policy()
		e.last = &p
		if there && same(held.policy, p) {
			e.told = ""
			continue
		}
		differs = true
		if write {
			w.set(name, e, p)
		}
	}
	return differs
}

// takesBack reports whether a deleted key ends what holds. What was set after the key was
// deleted is somebody else's, unless it is what the key had said: the clocks of nodes
// and servers differ, and a change holds a little later than it was made.
func (e *entry) takesBack(held *standing, there bool) bool {
	switch {
	case !there:
		return false
	case held.pending:
		return e.last != nil && same(held.policy, *e.last)
	case !held.set:
		return false
	default:
		return held.at.Before(e.at) || e.last != nil && same(held.policy, *e.last)
	}
}

func (w *Watcher) set(name string, e *entry, p node.Policy) {
	err := w.cfg.Node.SetLimit(name, p)
	if err == nil {
		w.count(func(s *Stats) { s.Set++ })
		w.log.Info("limit set as the NATS bucket says", "limit", name, "revision", e.revision)
	}
	e.refused = errors.As(err, new(*node.FieldError))
	w.tell(name, e, err)
}

func (w *Watcher) delete(name string, e *entry) {
	err := w.cfg.Node.DeleteLimit(name)
	switch {
	case err == nil:
		w.count(func(s *Stats) { s.Deleted++ })
		w.log.Info("limit deleted as in the NATS bucket", "limit", name, "revision", e.revision)
	case !errors.Is(err, node.ErrUnknownLimit):
		w.tell(name, e, err)
	}
}

// tell logs what is wrong with a value, once.
func (w *Watcher) tell(name string, e *entry, err error) {
	if err == nil || e.told == oneLine(err) {
		return
	}
	e.told = oneLine(err)
	w.count(func(s *Stats) { s.Refused++ })
	w.log.Warn("a value in the NATS bucket was refused: the limit stays as it is", "key", prefix+name, "revision", e.revision, "error", e.told)
}

// same compares policies as they decide.
func same(a, b node.Policy) bool { return reflect.DeepEqual(complete(a), complete(b)) }

// complete is a policy with its defaults, as a node shows it.
func complete(p node.Policy) node.Policy {
	if p.Burst == 0 {
		p.Burst = p.Limit
	}
	if p.MaxOvershoot == 0 {
		p.MaxOvershoot = node.DefaultMaxOvershoot
	}
	if p.Calendar != 0 {
		p.Window = 0 // a node shows the longest that it can be
	}
	if len(p.Overrides) == 0 {
		p.Overrides = nil
	}
	return p
}
