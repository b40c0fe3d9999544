package natskv

import (
	"errors"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/spec"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/limit"
)

// mostAtOnce is how many limits one watcher writes before it looks again. So watchers share
// a large change, such as the first start. Lower takes more rounds; higher makes one node
// write nearly all.
const mostAtOnce = 100

// view is the node's limits, in force and to come.
type view struct {
	newest  map[string]standing
	inForce map[string]node.Policy
}

// standing is the policy under a name: in force, or in force in a moment.
type standing struct {
	policy  node.Policy
	pending bool
}

func (w *Watcher) look() *view {
	v := &view{newest: map[string]standing{}, inForce: w.cfg.Node.Limits()}
	for name, p := range v.inForce {
		v.newest[name] = standing{policy: p}
	}
	for _, c := range w.cfg.Node.Changes() {
		if delete(v.newest, c.Name); exists(&c.Policy) {
			v.newest[c.Name] = standing{policy: c.Policy, pending: true}
		}
	}
	return v
}

// exists: a change to the zero policy is that there is none any more.
func exists(p *node.Policy) bool { return p.Limit != 0 || p.Access != node.Limited }

// compare returns the limits that are not what the bucket says, and can be: with the
// policy, or nil where the limit is to be deleted.
func (w *Watcher) compare(v *view) map[string]*node.Policy {
	differ := map[string]*node.Policy{}
	r := w.contents.resolver(v.inForce)
	for name, e := range w.contents.entries {
		held, there := v.newest[name]
		if e.gone {
			switch {
			case w.takesBack(e, name, &held, there):
				differ[name] = nil
			case !held.pending:
				w.contents.forget(name)
			}
			continue
		}
		l := r.limit(name)
		w.tell(name, e, r.faults[name])
		if l == nil || e.refused {
			continue
		}
		p := l.Policy()
		e.last = &p
		if there && held.policy.Same(p) {
			e.told = ""
			continue
		}
		differ[name] = &p
	}
	return differ
}

// apply writes what differs, unless another watcher did so meanwhile, and reports whether
// there is more to write.
func (w *Watcher) apply() (more bool) {
	differ := w.compare(w.look())
	v, written := w.look(), 0     // to compare takes a while
	for name, p := range differ { // in an order of its own
		e := w.contents.entries[name]
		held, there := v.newest[name]
		switch {
		case p == nil && w.takesBack(e, name, &held, there):
			w.delete(name, e)
		case p != nil && (!there || !held.policy.Same(*p)):
			w.set(name, e, *p)
		default:
			continue
		}
		if written++; written == mostAtOnce {
			return true
		}
	}
	return false
}

// takesBack reports whether a deleted key ends the limit that the node holds. A limit that
// was set after the deletion is somebody else's, unless it equals the key's last value.
// Time alone cannot decide that: the clocks of nodes and servers differ, and a change takes
// effect after somebody makes it.
func (w *Watcher) takesBack(e *entry, name string, held *standing, there bool) bool {
	if !there {
		return false
	}
	said := e.last != nil && held.policy.Same(*e.last)
	if held.pending {
		return said
	}
	for _, l := range w.cfg.Node.Stats().Limits {
		if l.Name == name {
			return l.Set && (said || l.Revision.Before(e.at))
		}
	}
	return false
}

func (w *Watcher) set(name string, e *entry, p node.Policy) {
	var was *node.Policy
	if held, there := w.cfg.Node.Limits()[name]; there {
		was = &held
	}
	_, err := w.cfg.Node.SetLimit(name, p)
	if err == nil {
		w.count(func(s *Stats) { s.Set++ })
		before, after := limit.Change(was, &p)
		w.log.Info("limit set as the NATS bucket says", "limit", name, "old", before, "new", after, "door", "nats_kv_bucket", "bucket", w.cfg.Bucket, "revision", e.revision)
		for _, doubt := range p.Doubts() {
			w.log.Warn("a limit has a selector that can hardly mean what it says", "limit", name, "selector", doubt.Field, "why", doubt.Reason)
		}
	}
	e.refused = errors.As(err, new(*node.FieldError))
	w.tell(name, e, err)
}

func (w *Watcher) delete(name string, e *entry) {
	var was, is *node.Policy
	for _, l := range w.cfg.Node.Stats().Limits {
		if l.Name == name {
			was, is = &l.Policy, l.Configured
		}
	}
	_, err := w.cfg.Node.DeleteLimit(name)
	switch {
	case err == nil:
		w.count(func(s *Stats) { s.Deleted++ })
		before, after := limit.Change(was, is)
		w.log.Info("limit deleted as in the NATS bucket", "limit", name, "old", before, "new", after, "door", "nats_kv_bucket", "bucket", w.cfg.Bucket, "revision", e.revision)
	case !errors.Is(err, node.ErrUnknownLimit):
		w.tell(name, e, err)
	}
}

// tell logs what is wrong with a value, once.
func (w *Watcher) tell(name string, e *entry, err error) {
	if err == nil || e.told == spec.OneLine(err) {
		return
	}
	e.told = spec.OneLine(err)
	w.count(func(s *Stats) { s.Refused++ })
	w.log.Warn("a value in the NATS bucket was refused: the limit stays as it is", "key", prefix+name, "revision", e.revision, "error", e.told)
}
