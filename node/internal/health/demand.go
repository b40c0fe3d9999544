package health

import (
	"sync"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/tally"
)

// Demand is what the heaviest client of each account asked of this node lately. The live bound
// uses it to say what to expect, beside what can happen at worst. The zero value is ready. Safe
// for concurrent use.
type Demand struct {
	mu sync.Mutex
	at int64 // of the last look, by the node's clock
	of map[*tally.Account]*asked
}

// asked is what each of the heaviest clients of an account asked by the last look, in units,
// and the most that one of them asked in a second before it.
type asked struct {
	units map[string]uint64
	heavy float64
}

// Look measures what was asked since the last look, which should be about a second ago. Shorter
// stretches make one burst look like a rate. Longer ones hide it. A clock that did not move on
// leaves the last figures as they are.
func (d *Demand) Look(now int64, accounts []*tally.Account) {
	d.mu.Lock()
	defer d.mu.Unlock()
	seconds := float64(now-d.at) / 1e9
	if d.at = now; seconds <= 0 {
		return
	}
	before := d.of
	d.of = make(map[*tally.Account]*asked, len(accounts))
	for _, account := range accounts {
		a := &asked{units: map[string]uint64{}}
		for _, c := range account.Top.List() {
			units := c.Allowed + c.Denied
			a.units[c.Name] = units
			// A client that was not on the list before has no rate yet: its first figure sums up
			// all that it ever asked, and would look like a flood.
			if was := before[account]; was != nil && units > was.units[c.Name] {
				a.heavy = max(a.heavy, float64(units-was.units[c.Name])/seconds)
			}
		}
		d.of[account] = a
	}
}

// Rate is what the account's heaviest client asked of this node between the last two looks, in
// units a second. It is 0 before the second look, and for an account that nobody asks.
func (d *Demand) Rate(account *tally.Account) float64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	if a := d.of[account]; a != nil {
		return a.heavy
	}
	return 0
}
