package table

import (
	"github.com/distributed-rate-limiter/distributed-rate-limiter/gcra"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/rights"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/limit"
)

// ample is how an account stands that has no record and enough tokens of its own: ahead is how far
// its Full is ahead of the clock.
type ample struct {
	terms *rights.Terms
	ahead int64
}

// spend takes c off the account of a glance's client, as Account, Spend and Keep do. It reports
// false, and does nothing, if there is more to do: the account has a record or should get one, it was
// not used before, or it does not cover c. Without a share it counts as not used: see rights.Account.Change.
func (x *accounts) spend(g *Glance, r *limit.Rule, now, c int64) bool {
	full := x.get(g.slot)
	if full == 0 || len(x.records) > 0 && x.records[g.slot] != nil {
		return false
	}
	t, _ := x.divisions.Terms(r.Shares, g.cell.key())
	own := x.rights.Own(now)
	full, ok := t.Spend(full, own, t.Opens(x.rights.Began()), c, x.divisions.Roster().Size() > 1)
	if ok {
		x.full[g.slot/chunkSize][g.slot%chunkSize] = full
		g.account = ample{t, full - own}
	}
	return ok
}

// Explain is what the client of a glance is told. Under a bounded rule, Decide admitted the request.
func (g *Glance) Explain(r *limit.Rule, now, cost int64, allowed bool) gcra.Decision {
	d := r.GCRA.Explain(g.Level, now, cost, allowed)
	if r.Bounded {
		t := g.account.terms
		d.Remaining = r.Lets(d.Remaining, t.Free(g.account.ahead), t.Overdraft)
	}
	return d
}
