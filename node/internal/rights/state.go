package rights

import (
	"fmt"
	"strings"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
)

// State writes the account down as seen from t, for whoever compares states: times and amounts in steps
// of grain nanoseconds, and incarnations by their names.
func (a *Account) State(t Time, grain int64, name func(crdt.Replica) string) string {
	var text strings.Builder
	fmt.Fprintf(&text, "share %t of %d own %d opens %d", a.Share, a.Terms.Parts, a.Own(t)/grain, max(0, a.Opens-t.Own)/grain)
	r := a.Record
	if r == nil {
		return text.String()
	}
	fmt.Fprintf(&text, " lent %d %d in %d to %s, epoch over in %d, lots", r.lent[0]/grain, r.lent[1]/grain, t.Own/a.Terms.Epoch-r.epoch, name(r.to), (a.Terms.Epoch-t.Own%a.Terms.Epoch)/grain)
	for _, l := range r.lots {
		fmt.Fprintf(&text, " %d of %s for %d", l.tokens/grain, name(l.from), max(0, l.mono-t.Mono)/grain)
	}
	k := &r.Asks
	fmt.Fprintf(&text, " asks %d short %d found %t pauses %d listed %t used %t", k.open, k.short/grain, k.found, max(0, k.until-t.Mono)/grain, k.Listed, t.Mono-k.used > idleAfter)
	return text.String()
}
