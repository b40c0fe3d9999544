package saved

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

// Restoration brings back what an earlier run saved. The nil one has nothing to bring.
type Restoration struct {
	keeper *Keeper
	from   io.ReadSeeker
	header *counts.Header
}

// Open reads the header of a file that an earlier run wrote. It is nil if from is. The keeper tells why
// it cannot be used.
func (k *Keeper) Open(from io.ReadSeeker) *Restoration {
	if from == nil {
		return nil
	}
	h, err := k.open(from)
	if err != nil {
		k.tell(Restored{}, err)
		return nil
	}
	k.restoring.Store(true)
	return &Restoration{k, from, h}
}

// open reads a header, and says why the file cannot be used.
func (k *Keeper) open(from io.ReadSeeker) (*counts.Header, error) {
	_, h, err := counts.NewReader(from)
	if err != nil {
		return nil, err
	}
	switch ahead := time.Duration(h.At - k.Now()); {
	case h.Cluster != k.Cluster:
		return nil, fmt.Errorf("it is of the cluster %.80q, and this is %q", h.Cluster, k.Cluster)
	case h.Node != k.Node:
		return nil, fmt.Errorf("it is of the node %.80q, and this is %q", h.Node, k.Node)
	case h.Key != k.key():
		return nil, errors.New("it was saved under another cluster key")
	case h.At <= 0 || h.Replica == 0 || h.Replica == k.Replica:
		return nil, counts.ErrDamaged
	case ahead > k.Tolerance:
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
	return h, nil
}

// Saved is what the protocol has to know of the file; nil if there is none.
func (x *Restoration) Saved() *deltasync.Saved {
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
func (x *Restoration) due(status *deltasync.Status) (read, unused bool) {
	if x.keeper.Now()-x.header.At < freshFor || status.Waiting {
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
func (x *Restoration) read(stop <-chan struct{}) (Restored, error) {
	began := x.keeper.Now()
	out := Restored{SavedAt: time.Unix(0, x.header.At)}
	end, err := x.pass(stop, (*counts.Page).Skip)
	if err != nil {
		return out, err
	}
	into := x.keeper.Table.Restore(x.header.Replica)
	_, err = x.pass(stop, func(p *counts.Page) {
		into.Page()
		for c := p.Next(); c != nil; c = p.Next() {
			into.Client(x.keeper.Now(), p, c)
		}
	})
	out.Clients, out.Lost, out.Took = end.Clients+end.Left, into.Lost+end.Left, time.Duration(x.keeper.Now()-began)
	return out, err
}

// pass reads the file from its beginning to its end, page by page. take reads all clients of each.
func (x *Restoration) pass(stop <-chan struct{}, take func(*counts.Page)) (end counts.Trailer, err error) {
	if _, err := x.from.Seek(0, io.SeekStart); err != nil {
		return end, err
	}
	file, _, err := counts.NewReader(x.from)
	if err != nil {
		return end, err
	}
	for page := (counts.Page{}); ; {
		select {
		case <-stop:
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

// Look is how often a node looks whether an older file is needed. Raising it delays the start
// of a whole cluster that was away for minutes; lowering it takes time from the protocol's steps.
const Look = 20 * time.Millisecond

// Run waits until the file is due, brings it back, and tells who wants to know. It looks at each tick.
// It reports whether all of it came, and ended is false if stop was closed before.
func (x *Restoration) Run(look func() deltasync.Status, ticks <-chan time.Time, stop <-chan struct{}) (whole, ended bool) {
	for {
		status := look()
		if done, whole := x.Step(&status, stop); done {
			return whole, true
		}
		select {
		case <-stop:
			return false, false
		case <-ticks:
		}
	}
}

// Step brings the file back if it is due, and tells who wants to know. It reports whether that is
// done, and whether all of it came.
func (x *Restoration) Step(status *deltasync.Status, stop <-chan struct{}) (done, whole bool) {
	read, unused := x.due(status)
	if !read && !unused {
		return false, false
	}
	out, err := Restored{SavedAt: time.Unix(0, x.header.At), Unused: unused}, error(nil)
	if read {
		out, err = x.read(stop)
	}
	if errors.Is(err, errStopped) {
		return false, false // the file still knows more than the node, and must not be replaced
	}
	x.keeper.restoring.Store(false)
	x.keeper.tell(out, err)
	return true, read && err == nil && out.Lost == 0
}

// tell tells what became of the file.
func (k *Keeper) tell(r Restored, err error) {
	if k.Tell != nil {
		k.Tell(r, err)
	}
}
