package lending

import (
	"fmt"
	"strings"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/limits"
)

// State writes down what this node has of a client under a bounded limit and of the roster, for whoever
// compares states: see rights.Account.State.
func (h *Holdings) State(l *limits.Limit, client string, grain int64, name func(crdt.Replica) string) string {
	now := h.Now()
	own := h.Own(now)
	h.mu.Lock()
	var text strings.Builder
	fmt.Fprintf(&text, "opened %t agreed %d waits for %d of %d, struck off", h.roll.opened, min(own-h.roll.agreed, h.hold())/grain, len(h.roll.waitsFor()), len(h.roll.names(false)))
	for _, since := range h.roll.until {
		fmt.Fprintf(&text, " %d", (own-since)/grain)
	}
	h.mu.Unlock()
	k := l.Key(client, nil)
	s := h.table.Shard(k)
	s.Lock()
	defer s.Unlock()
	if e := s.Find(k); e != nil && e.Rule().Bounded {
		a, t := s.Account(e, now)
		text.WriteString(" " + a.State(t, grain, name))
	}
	return text.String()
}
