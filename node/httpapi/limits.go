package httpapi

import (
	"cmp"
	"net/http"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/spec"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/limit"
)

// A change takes effect on all nodes at one instant, shortly after somebody made it. The
// answer to the writer waits for that instant, but not for ever.
const (
	// inForceWithin is the longest wait for a change to hold, a quarter of a second after it
	// was made. Raising it lets a wrong clock hold a request for longer. Lowering it below
	// that quarter answers with the policy from before.
	inForceWithin = time.Second
	// clockLag is how far the node's clock may be behind the one that timers go by: the wall
	// clock is slewed by at most 0.5 ms in the second between two comparisons. Raising it
	// slows every change down; lowering it may answer with the policy from before.
	clockLag = 5 * time.Millisecond
)

// listLimits answers with all limits in force, and one tag for all of them.
func (a *api) listLimits(w http.ResponseWriter, r *http.Request) {
	limits := map[string]spec.Limit{}
	for name, p := range a.node.Limits() {
		limits[name] = spec.LimitOf(p)
	}
	tagged(w, r, map[string]any{"limits": limits})
}

// getLimit answers with a limit in force and its tag, which a PUT may name in If-Match.
func (a *api) getLimit(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	p, found := a.node.Limits()[name]
	if !found {
		unknownLimit("name", name).write(w)
		return
	}
	tagged(w, r, spec.LimitOf(p))
}

// putLimit replaces a limit on all nodes, and answers with what is in force then. That can be another
// policy than the sender's, if somebody else set the limit at the same instant: the later stamp wins.
func (a *api) putLimit(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	policy, p := readLimit(w, r, a.node.Limits())
	if p != nil {
		p.write(w)
		return
	}
	if p := a.change(r, name, "limit set", &policy, func() (time.Time, error) { return a.node.SetLimit(name, policy) }); p != nil {
		p.write(w)
		return
	}
	for _, doubt := range policy.Doubts() {
		a.log.Warn("a limit has a selector that can hardly mean what it says", "limit", name, "selector", doubt.Field, "why", doubt.Reason) // its value may be a client's id
	}
	if inForce, found := a.node.Limits()[name]; found {
		policy = inForce
	}
	w.Header().Set("ETag", tagOf(spec.LimitOf(policy)))
	ok(w, spec.LimitOf(policy))
}

// deleteLimit undoes what was set. The configured limit is in force again; without one,
// the limit is gone.
func (a *api) deleteLimit(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	if _, found := a.node.Limits()[name]; !found {
		unknownLimit("name", name).write(w)
		return
	}
	if p := a.change(r, name, "limit deleted", nil, func() (time.Time, error) { return a.node.DeleteLimit(name) }); p != nil {
		p.write(w)
		return
	}
	if p, configured := a.node.Limits()[name]; configured {
		w.Header().Set("ETag", tagOf(spec.LimitOf(p)))
		ok(w, spec.LimitOf(p))
		return
	}
	ok(w, map[string]any{"deleted": true, "name": name})
}

// change makes a change and waits until it holds, so that the answer tells what is in force.
// is the policy that somebody sets, nil for a deletion.
func (a *api) change(r *http.Request, name, what string, is *node.Policy, do func() (from time.Time, err error)) *problem {
	stats, from, p := a.apply(r, name, do)
	if p != nil {
		return p
	}
	var was *node.Policy
	for i := range stats.Limits {
		if l := &stats.Limits[i]; l.Name == name {
			if was = &l.Policy; is == nil {
				is = l.Configured
			}
		}
	}
	before, after := limit.Change(was, is)
	a.log.Info(what, append([]any{"limit", name, "old", before, "new", after, "from", from.UTC()}, a.who(r)...)...)
	// A writer that goes away has made the change all the same.
	timer := time.NewTimer(min(time.Until(from)+clockLag, inForceWithin))
	defer timer.Stop()
	select {
	case <-r.Context().Done():
	case <-timer.C:
	}
	return nil
}

// apply makes a change if its conditions hold. stats are those from before, for the log. The lock covers
// this node's writers alone: two that ask two nodes at once are ordered by their stamps.
func (a *api) apply(r *http.Request, name string, do func() (from time.Time, err error)) (stats node.Stats, from time.Time, p *problem) {
	a.changing.Lock()
	defer a.changing.Unlock()
	if p := a.unmet(r, name); p != nil {
		return stats, from, p
	}
	stats = a.node.Stats()
	from, err := do()
	if err != nil {
		return stats, from, problemOf(err, "name")
	}
	return stats, from, nil
}

// reset gives a client its whole burst back on all nodes. What a client is called goes into no log.
func (a *api) reset(w http.ResponseWriter, r *http.Request) {
	q := newRequest()
	if p := readInput(w, r, q.fields()[:2], nil); p != nil {
		p.write(w)
		return
	}
	asked := q.limit
	q.limit = cmp.Or(q.limit, node.DefaultLimit)
	if err := a.node.Reset(q.limit, q.client); err != nil {
		a.failed(asked, q.limit, err).write(w)
		return
	}
	a.log.Info("client reset", append([]any{"limit", q.limit}, a.who(r)...)...)
	ok(w, map[string]any{"reset": true, "limit": q.limit})
}
