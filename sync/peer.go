package sync

import (
	"math"
	"slices"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
)

// MaxPeers caps how many other incarnations are known at once. Messages from more
// are merged no longer, and counted.
const MaxPeers = crdt.MaxCells - 1

// PeerState is how lately a peer was heard.
type PeerState uint8

// The states, in the order in which silence leads through them.
const (
	PeerAlive   PeerState = iota // heard within SuspectAfter
	PeerSuspect                  // silent, may still admit
	PeerGone                     // silent for GoneAfter, or said bye: counts no more
)

func (s PeerState) String() string {
	return [...]string{"alive", "suspect", "gone"}[s]
}

// peer is what is known of one other incarnation.
type peer struct {
	node    string
	replica crdt.Replica
	state   PeerState
	joining bool
	left    bool // said bye

	heardAt int64 // own clock: last message
	freshAt int64 // its clock: everything that it sent by then is merged, if sure
	sure    bool  // its digests were equal to ours once: nothing from before is missing
	since0  int64 // own clock: when we began to listen
	goneAt  int64

	// Delta messages: the last one seen, and whether some before it are missing:
	// everything up to since is merged, gapTo is the last one missing.
	seq   uint64
	known bool // seq means something
	gap   bool
	since uint64
	gapTo uint64
	// What no gap shows: its digests differ from ours. A repair of that is due at
	// lookAt; misses are those in a row that did not help. The same for what it can
	// tell of peers that nobody hears any more, and for origins.
	differs      bool
	misses       int
	lookAt       int64
	silentMisses int
	silentHad    crdt.Digest // what was held of whom was asked for last
	unproven     bool        // differed, was repaired, and not compared since
	silentAfter  int64
	originMisses int
	originsAfter int64
	request      request

	lag       lagWindow // received - sent, by own clock
	theirLag  int64     // the same as it reported of us
	hearsUs   bool
	deafAt    int64 // since when its beats do not list us, if they do not
	deafTold  bool
	hears     []crdt.Replica // sorted
	limits    crdt.Digest
	otherwise bool // configured with other limits
}

// request is a question under way to a peer.
type request struct {
	id       uint64 // 0: none
	kind     Kind
	of       crdt.Replica
	since    uint64
	start    Cursor // where the answer's rows begin
	page     uint64 // of the answer, the next one expected
	from     Cursor // where that page's rows begin
	unknown  bool   // some rows could not be read yet
	deadline int64
	// The answer accounts for the messages up to seq, its peer's last one when it
	// began: what left since can lie before the place where the answer goes on.
	begun bool
	seq   uint64
	sent  int64 // when it began, the peer's clock
	notBefore,
	backoff int64
}

// behind reports whether something that the peer sent is missing here.
func (p *peer) behind() bool { return p.gap || p.differs || p.unproven }

// lagWindow keeps the least lag of the last one to two minutes.
type lagWindow struct {
	now, before int64
	turn        int64
	some        bool
}

const lagSpan = 60e9

func (l *lagWindow) add(now, lag int64) {
	switch {
	case !l.some:
		*l = lagWindow{now: lag, before: math.MaxInt64, turn: now, some: true}
	case now-l.turn >= lagSpan:
		l.before, l.now, l.turn = l.now, lag, now
	default:
		l.now = min(l.now, lag)
	}
}

func (l *lagWindow) least() int64 { return min(l.now, l.before) }

// offset estimates the peer's clock minus ours and the one-way delay, NTP's way:
// half the difference and half the sum of the least lags in both directions. Until
// the peer reported its side, the delay is taken as 0 and all lag as offset.
func (p *peer) offset() (skew, delay int64) {
	if !p.lag.some {
		return 0, 0
	}
	ours := p.lag.least()
	if !p.hearsUs {
		return -ours, 0
	}
	return (p.theirLag - ours) / 2, max(0, (p.theirLag+ours)/2)
}

// staleness is the age, by our clock, of the moment up to which everything that
// the peer admitted and sent is merged here; of our own start, as long as we are not
// sure of that.
func (p *peer) staleness(now int64) int64 {
	if !p.sure {
		return max(0, now-p.since0)
	}
	skew, _ := p.offset()
	return max(0, now-(p.freshAt-skew))
}

// peers is the membership, in the order of the incarnations' numbers, so that
// equal runs walk it equally.
type peers struct {
	list []*peer
}

func (ps *peers) find(r crdt.Replica) *peer {
	i, ok := ps.search(r)
	if !ok {
		return nil
	}
	return ps.list[i]
}

func (ps *peers) search(r crdt.Replica) (int, bool) {
	return slices.BinarySearchFunc(ps.list, r, func(p *peer, r crdt.Replica) int {
		switch {
		case p.replica < r:
			return -1
		case p.replica > r:
			return 1
		}
		return 0
	})
}

// add makes a peer, or returns nil if there are too many. One that is gone makes room:
// the one that has been silent longest.
func (ps *peers) add(node string, r crdt.Replica) *peer {
	if len(ps.list) >= MaxPeers {
		oldest := -1
		for i, p := range ps.list {
			if p.state == PeerGone && (oldest < 0 || p.heardAt < ps.list[oldest].heardAt) {
				oldest = i
			}
		}
		if oldest < 0 {
			return nil
		}
		ps.list = slices.Delete(ps.list, oldest, oldest+1)
	}
	p := &peer{node: node, replica: r}
	i, _ := ps.search(r)
	ps.list = slices.Insert(ps.list, i, p)
	return p
}

func (ps *peers) count(state PeerState) int {
	n := 0
	for _, p := range ps.list {
		if p.state == state {
			n++
		}
	}
	return n
}
