package inside

import (
	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/table"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/limit"
)

// Own is what a node itself charged a client and gave back.
type Own struct {
	Life  crdt.Life // counters begin at 0 in each life
	Parts []OwnPart // of the live windows; a window that is not counted in parts has one
	Early uint64    // units that the node keeps apart, since it has not joined
}

// OwnPart is what is counted in one part of a replicated window.
type OwnPart struct {
	Window, Start int64 // where the window starts, and the part
	Count         crdt.Count
}

// Own implements View.
func (n Node) Own(limitName, client string) (own Own) {
	n.entry(limitName, client, func(s *table.Shard, e *table.Entry) {
		var look table.Entry
		look.Imitate(e, e.Key(), e.Rule(), n.Now())
		r := look.Rule()
		own.Life, own.Early = look.Life(), table.Early(s, e)
		for slot, st := range look.States().All {
			starts := [2]int64{st.Start(), r.Frame.Before(st.Start())}
			st.Rows(n.Self, func(of crdt.Replica, row crdt.Row) {
				for i, c := range []crdt.Count{row.Cur.Count, row.Prev.Count} {
					if of == n.Self && c != (crdt.Count{}) {
						from, _ := r.Span(starts[i], slot)
						own.Parts = append(own.Parts, OwnPart{starts[i], from, c})
					}
				}
			})
		}
	})
	return own
}

// entry calls see with the entry of a client under a limit, and its shard locked; if the node holds
// none, it does not.
func (n Node) entry(limitName, client string, see func(*table.Shard, *table.Entry)) {
	l := n.Limits.Get(limitName)
	var net limit.Buffer
	_, group := l.Newest().Rule(client, &net)
	k := l.Key(client, group)
	s := n.Table.Shard(k)
	s.Lock()
	defer s.Unlock()
	if e := s.Find(k); e != nil {
		see(s, e)
	}
}
