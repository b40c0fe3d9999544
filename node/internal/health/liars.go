package health

import (
	"log/slog"
	"strconv"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
	deltasync "github.com/distributed-rate-limiter/distributed-rate-limiter/sync"
)

// Liars says which peer states more than one node can have admitted. The zero value is ready. It is
// for one goroutine.
type Liars struct{ rows Growing }

// Tell names the last such peer in the log, if rows of such peers were refused since the last call.
// An operator has to look at that node: nobody else can know what it really admitted.
func (l *Liars) Tell(log *slog.Logger, rows uint64, liar crdt.Replica, peers []deltasync.Peer) {
	if !l.rows.Grew(rows) {
		return
	}
	name := ""
	for i := range peers {
		if peers[i].Replica == liar {
			name = peers[i].Node
		}
	}
	log.Warn("a peer states more than one node can have admitted; its rows are refused", "peer", name,
		"incarnation", strconv.FormatUint(uint64(liar), 36), "rows", rows)
}
