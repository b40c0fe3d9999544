package saved

import (
	"errors"
	"io"
	"sync/atomic"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/counts"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/table"
	deltasync "github.com/distributed-rate-limiter/distributed-rate-limiter/sync"
)

// ErrRestoring is SaveCounts's answer while the node still takes over what an earlier run saved.
var ErrRestoring = errors.New("node: what an earlier run saved is not all here yet")

// Keeper keeps what a node counted over a restart. It writes the table, and brings back what an
// earlier run wrote. The fields stay as they are once the node runs. Its methods are safe for
// concurrent use.
type Keeper struct {
	Cluster, Node string
	Hash          deltasync.Secret
	Replica       crdt.Replica
	Began         int64        // when this run did, by Now
	Now           func() int64 // unix time in nanoseconds
	Table         *table.Table
	Tolerance     time.Duration // by how much a file's clock may be ahead
	// Tell, if not nil, hears once what came back, or why nothing did.
	Tell func(Restored, error)

	restoring atomic.Bool // counts of an earlier run are to come
}

// Restoring reports whether counts of an earlier run are still to come.
func (k *Keeper) Restoring() bool { return k.restoring.Load() }

// Write writes what the node has counted of all clients. It walks over them in small pieces, and
// writes between them. last says that the node takes nothing any more. The errors are those of w, and
// what was written is good only if there is none.
func (k *Keeper) Write(w io.Writer, status *deltasync.Status, last bool) error {
	file, err := counts.NewWriter(w, k.header(status, last))
	if err != nil {
		return err
	}
	var page counts.Page
	for at, done := (deltasync.Cursor{}), false; !done; {
		at, done = k.Table.Save(at, &page)
		if err := file.Clients(&page); err != nil {
			return err
		}
	}
	_, err = file.Close()
	return err
}

// header says what a file that is written now is of, and what it lacks.
func (k *Keeper) header(status *deltasync.Status, last bool) *counts.Header {
	now := status.Now
	h := &counts.Header{
		Cluster: k.Cluster, Node: k.Node, Key: k.key(), Replica: k.Replica, At: now, Whole: last,
		Founded: max(1, status.FoundedAgo),
	}
	switch {
	case status.FoundedAgo >= now, status.FoundedAgo <= 0: // it has not joined: nobody was there
		h.Founded = max(1, now-k.Began)
	case status.Partial:
		h.Before = h.Founded + 1
	}
	if status.Dropped {
		h.Founded = max(1, status.DroppedAgo)
		h.Before = h.Founded + 1
	}
	for _, u := range status.Unknown {
		for _, s := range u.Spans {
			h.Missing = append(h.Missing, counts.Span{Of: u.Replica, Began: min(s.Began, now), Ended: s.Ended, Kind: uint8(s.Kind)})
		}
	}
	return h
}

// key tells cluster keys apart: under another key, no client of a file would be found.
func (k *Keeper) key() uint64 {
	hi, _ := k.Hash.Hash128([]byte("a file of counts"))
	return hi
}
