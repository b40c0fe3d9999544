package node

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/counts"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/table"
	deltasync "github.com/distributed-rate-limiter/distributed-rate-limiter/sync"
)

// ErrRestoring is SaveCounts's answer while the node still takes over what an earlier run saved.
var ErrRestoring = errors.New("node: what an earlier run saved is not all here yet")

// SaveCounts writes what the node has counted of all clients, in a form for Config.SavedCounts.
// It walks over the clients in small pieces, and writes between them: no decision waits for w. last
// says that the node takes nothing any more, so that what is written is all that it admitted.
//
// A node that joins, or still restores what an earlier run saved, knows less than the file that it
// would replace: the error is ErrJoining or ErrRestoring then. It is ErrClockAhead while peers refuse what
// the node counts. Other errors are those of w. What was written is good only if there is none.
func (n *Node) SaveCounts(w io.Writer, last bool) error {
	status := n.protocol.Status()
	switch {
	case !status.Joined && !n.offline:
		return ErrJoining
	case n.restoring.Load():
		return ErrRestoring
	case n.lead.Beyond():
		return ErrClockAhead
	}
	file, err := counts.NewWriter(w, n.countsHeader(&status, last))
	if err != nil {
		return err
	}
	var page counts.Page
	for at, done := (deltasync.Cursor{}), false; !done; {
		at, done = n.table.Save(at, &page)
		if err := file.Clients(&page); err != nil {
			return err
		}
	}
	_, err = file.Close()
	return err
}

// countsHeader says what a file that is written now is of, and what it lacks.
func (n *Node) countsHeader(status *deltasync.Status, last bool) *counts.Header {
	now := status.Now
	h := &counts.Header{
		Cluster: n.cfg.Cluster, Node: n.cfg.Name, Key: n.countsKey(), Replica: n.replica, At: now, Whole: last,
		Founded: max(1, status.FoundedAgo),
	}
	switch {
	case status.FoundedAgo >= now, status.FoundedAgo <= 0: // it has not joined: nobody was there
		h.Founded = max(1, now-n.began)
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

// countsKey tells cluster keys apart: under another key, no client of a file would be found.
func (n *Node) countsKey() uint64 {
	hi, _ := n.hash.Hash128([]byte("a file of counts"))
	return hi
}

// Restored says what came back of Config.SavedCounts.
type Restored struct {
	SavedAt time.Time
	Clients uint64 // in the file
	// Lost is how many of them could not be brought back: the table is full, their limit counts in
	// another way since, or their windows are of a clock that was ahead.
	Lost uint64
	Took time.Duration
	// Unused says that the node left the file alone: another node ran on meanwhile, and told all
	// that it knows.
	Unused bool
}

// restoration brings back what an earlier run saved.
type restoration struct {
	node   *Node
	from   io.ReadSeeker
	header *counts.Header
}

// openCounts reads the header of Config.SavedCounts. It is nil if there is none. The error says why
// the file cannot be used.
func (n *Node) openCounts() (*restoration, error) {
	if n.cfg.SavedCounts == nil {
		return nil, nil
	}
	_, h, err := counts.NewReader(n.cfg.SavedCounts)
	if err != nil {
		return nil, err
	}
	switch ahead := time.Duration(h.At - n.now()); {
	case h.Cluster != n.cfg.Cluster:
		return nil, fmt.Errorf("it is of the cluster %.80q, and this is %q", h.Cluster, n.cfg.Cluster)
	case h.Node != n.cfg.Name:
		return nil, fmt.Errorf("it is of the node %.80q, and this is %q", h.Node, n.cfg.Name)
	case h.Key != n.countsKey():
		return nil, errors.New("it was saved under another cluster key")
	case h.At <= 0 || h.Replica == 0 || h.Replica == n.replica:
		return nil, counts.ErrDamaged
	case ahead > n.cfg.ClockTolerance:
		return nil, fmt.Errorf("a clock saved it that was ahead: it is of %v, in %v", time.Unix(0, h.At).UTC().Format(time.RFC3339), ahead.Round(time.Second))
	}
	for _, s := range h.Missing {
		if s.Began < 0 || s.Ended < 0 || s.Ended > s.Began || s.Began > crdt.End || int(s.Kind) >= int(deltasync.SpanKinds) {
			return nil, counts.ErrDamaged
		}
	}
	if h.Founded < 0 || h.Before < 0 || max(h.Founded, h.Before) > crdt.End {
		return nil, counts.ErrDamaged
	}
	return &restoration{node: n, from: n.cfg.SavedCounts, header: h}, nil
}

// saved is what the protocol has to know of the file; nil if there is none.
func (x *restoration) saved() *deltasync.Saved {
	if x == nil {
		return nil
	}
	h := x.header
	s := &deltasync.Saved{Replica: h.Replica, At: h.At, Whole: h.Whole, Founded: h.Founded, Before: h.Before}
	for _, m := range h.Missing {
		s.Missing = append(s.Missing, deltasync.Missing{Of: m.Of, Span: deltasync.Span{Began: m.Began, Ended: m.Ended, Kind: deltasync.SpanKind(m.Kind)}})
	}
	return s
}

// freshFor is for how long after it was saved a file can be read whoever else is there: what was reset
// since, every node still remembers. Raising it towards table.ResetRepeated could bring back what was
// used before a reset. Lowering it leaves out what this node alone knew when it stopped.
const freshFor = table.ResetRepeated - int64(10*time.Second)

// due reports whether the file is to be read now, or is not needed at all. An older one has to wait
// until it is clear who else is there: a node that ran on since has told this one all, and may have
// forgotten that a client was reset.
func (x *restoration) due(status *deltasync.Status) (read, unused bool) {
	if x.node.now()-x.header.At < freshFor || status.Waiting {
		return true, false
	}
	if !status.Ready {
		return false, false
	}
	for i := range status.Peers {
		if p := &status.Peers[i]; p.State == deltasync.PeerAlive && int64(p.Beats) >= freshFor/int64(deltasync.DefaultBeatInterval) { //nolint:gosec // beats are counted
			return false, true
		}
	}
	return true, false
}

// errStopped ends a restoration because the node stops.
var errStopped = errors.New("node: closed while it restored counts")

// read brings the file's clients back, once all of the file was found to be whole: nothing of a
// damaged one is used. It holds locks for a client at a time.
func (x *restoration) read() (Restored, error) {
	began := time.Now()
	out := Restored{SavedAt: time.Unix(0, x.header.At)}
	end, err := x.pass((*counts.Page).Skip)
	if err != nil {
		return out, err
	}
	into := x.node.table.Restore(x.header.Replica)
	_, err = x.pass(func(p *counts.Page) {
		into.Page()
		for c := p.Next(); c != nil; c = p.Next() {
			into.Client(x.node.now(), p, c)
		}
	})
	out.Clients, out.Lost, out.Took = end.Clients+end.Left, into.Lost+end.Left, time.Since(began)
	return out, err
}

// pass reads the file from its beginning to its end, page by page. take reads all clients of each.
func (x *restoration) pass(take func(*counts.Page)) (end counts.Trailer, err error) {
	if _, err := x.from.Seek(0, io.SeekStart); err != nil {
		return end, err
	}
	file, _, err := counts.NewReader(x.from)
	if err != nil {
		return end, err
	}
	for page := (counts.Page{}); ; {
		select {
		case <-x.node.stop:
			return end, errStopped
		default:
		}
		more, err := file.Next(&page)
		if err != nil {
			return end, err
		}
		if !more {
			return file.Trailer(), nil
		}
		take(&page)
	}
}

// restoreLook is how often a node looks whether an older file is needed. Raising it delays the start
// of a whole cluster that was away for minutes; lowering it takes time from the protocol's steps.
const restoreLook = 20 * time.Millisecond

// run waits until the file is due, brings it back, and tells who wants to know.
func (x *restoration) run() {
	n := x.node
	defer n.housekeeping.Done()
	var read, unused bool
	for ; !read && !unused; time.Sleep(restoreLook) {
		select {
		case <-n.stop:
			n.tellRestored(Restored{}, errStopped)
			return
		default:
		}
		status := n.protocol.Status()
		if read, unused = x.due(&status); read || unused {
			break
		}
	}
	out, err := Restored{SavedAt: time.Unix(0, x.header.At), Unused: unused}, error(nil)
	if read {
		out, err = x.read()
	}
	n.restoring.Store(false)
	n.protocol.Restored(read && err == nil && out.Lost == 0)
	n.tellRestored(out, err)
}

// tellRestored tells what became of the file.
func (n *Node) tellRestored(r Restored, err error) {
	if told := n.cfg.CountsRestored; told != nil && !errors.Is(err, errStopped) {
		told(r, err)
	}
}
