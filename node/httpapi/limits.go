package httpapi

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/spec"
)

// A change takes effect on all nodes at one instant, shortly after somebody made it. The
// answer to the writer waits for that instant, but not for ever.
const (
	inForceWithin = time.Second
	inForcePoll   = 10 * time.Millisecond
)

func (a *api) listLimits(w http.ResponseWriter, _ *http.Request) {
	limits := map[string]spec.Limit{}
	for name, p := range a.node.Limits() {
		limits[name] = spec.LimitOf(p)
	}
	ok(w, map[string]any{"limits": limits})
}

func (a *api) getLimit(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	p, found := a.node.Limits()[name]
	if !found {
		unknownLimit("name", name).write(w)
		return
	}
	ok(w, spec.LimitOf(p))
}

func (a *api) putLimit(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	policy, p := readLimit(w, r, a.node.Limits())
	if p != nil {
		p.write(w)
		return
	}
	if p := a.change(r, name, "limit set", func() error { return a.node.SetLimit(name, policy) }); p != nil {
		p.write(w)
		return
	}
	if inForce, found := a.node.Limits()[name]; found {
		policy = inForce
	}
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
	if p := a.change(r, name, "limit deleted", func() error { return a.node.DeleteLimit(name) }); p != nil {
		p.write(w)
		return
	}
	if p, configured := a.node.Limits()[name]; configured {
		ok(w, spec.LimitOf(p))
		return
	}
	ok(w, map[string]any{"deleted": true, "name": name})
}

// change makes a change and waits until it is in force.
func (a *api) change(r *http.Request, name, what string, do func() error) *problem {
	before := a.revision(name)
	if err := do(); err != nil {
		return problemOf(err, "name")
	}
	a.log.Info(what, "limit", name)
	a.awaitRevision(r.Context(), name, before)
	return nil
}

func (a *api) awaitRevision(ctx context.Context, name string, before time.Time) {
	ctx, cancel := context.WithTimeout(ctx, inForceWithin)
	defer cancel()
	tick := time.NewTicker(inForcePoll)
	defer tick.Stop()
	for a.revision(name).Equal(before) {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// revision is the time from which the limit's policy holds, zero if there is none.
func (a *api) revision(name string) time.Time {
	for _, l := range a.node.Stats().Limits {
		if l.Name == name {
			return l.Revision
		}
	}
	return time.Time{}
}

// reset gives a client its whole burst back.
func (a *api) reset(w http.ResponseWriter, r *http.Request) {
	q := newRequest()
	if p := readInput(w, r, q.fields()[:2], nil); p != nil {
		p.write(w)
		return
	}
	if q.limit == "" {
		q.limit = node.DefaultLimit
	}
	switch err := a.node.Reset(q.limit, q.client); {
	case errors.Is(err, node.ErrUnknownLimit):
		unknownLimit("limit", q.limit).write(w)
		return
	case err != nil:
		problemOf(err, "limit").write(w)
		return
	}
	a.log.Info("client reset", "limit", q.limit)
	ok(w, map[string]any{"reset": true, "limit": q.limit})
}
