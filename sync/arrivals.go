package sync

import (
	"sync/atomic"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
)

const (
	// mostArrivals is how many packets of members wait for the engine; more are dropped and
	// counted, and repaired later. Raising it takes memory: full of the largest messages it
	// holds 96 MiB. Lowering it makes a pause of the node lose messages sooner.
	mostArrivals = 2048
	// mostStrangeArrivals is the same of everybody else's. Raising it lets strangers take more
	// memory. Lowering it below MaxPeers loses first messages when a large cluster starts.
	mostStrangeArrivals = 1024
	// strangeArrivalsPerSecond is how many packets of strangers the engine takes in a second.
	// Raising it lets strangers take more of its time. Lowering it below a few for each of
	// newcomersPerSecond makes a node meet others more slowly.
	strangeArrivalsPerSecond = 2000
)

// arrivals sorts packets before they wait for the engine, at the cost of one pass over each:
// bad ones are counted and thrown away, and members do not wait behind strangers, nor behind
// recordings of members. So whoever floods a node with what it does not understand, or with what
// it has heard, makes it deaf to nobody. The transport calls sort; everything is safe for
// concurrent use.
type arrivals struct {
	self     crdt.Replica
	seals    seals
	verifier verifier
	subjects subjects
	now      func() int64

	members   chan Packet
	strangers chan Packet
	// known is the incarnations that are members: immutable, replaced as a whole.
	known atomic.Pointer[map[crdt.Replica]*latest]
	// bad counts what was thrown away unread by the engine, and full what had no room.
	bad  [dropEnd]atomic.Uint64
	full atomic.Uint64
	// nextBad is when the next bad packet goes on to the engine, which logs one a second.
	nextBad atomic.Int64
	// strange paces strangers' packets; only take uses it.
	strange bucket
}

func newArrivals(e *Engine, now func() int64) *arrivals {
	a := &arrivals{
		self: e.cfg.Replica, seals: e.reader.seals, verifier: e.verifier, subjects: e.subjects, now: now,
		members: make(chan Packet, mostArrivals), strangers: make(chan Packet, mostStrangeArrivals),
	}
	a.known.Store(&map[crdt.Replica]*latest{})
	return a
}

// sort puts a packet into the queue where it belongs, or counts it as dropped. It never waits.
func (a *arrivals) sort(p Packet) {
	queue := a.strangers
	_, node, from, ours := a.subjects.parse(p.Subject)
	if ours && from == a.self {
		return // our own, as a server without echo suppression delivers it
	}
	if err := a.seals.check(p.Data); err != nil {
		if !a.refuse(err) {
			return
		}
	} else if member := (*a.known.Load())[from]; member != nil && member.node == node {
		switch news, repeated, err := member.news(p.Data, func() (bool, error) { return a.verify(member, &p) }); {
		case err != nil:
			if !a.refuse(err) {
				return
			}
		case repeated:
			a.bad[DropStale].Add(1)
			return
		case news:
			queue = a.members
		}
	}
	select {
	case queue <- p:
	default:
		a.full.Add(1)
	}
}

// refuse counts a bad packet. It reports true if the engine is to log it.
func (a *arrivals) refuse(err error) bool {
	now, next := a.now(), a.nextBad.Load()
	if now >= next && a.nextBad.CompareAndSwap(next, now+badLogPause) {
		return true
	}
	a.bad[dropOf(err)].Add(1)
	return false
}

// forgedRation is how many messages in a member's name may turn out to be somebody else's. Beyond
// that, all in its name wait with strangers', where they are looked at in turns. Raising it lets who
// forges take more of our time: at full rate about a hundredth of a core. Lowering it makes fewer
// forged messages keep a member's own from being heard.
var forgedRation = ration{perSecond: 200, most: 1000}

// verify looks at the signature of what is otherwise news of a member. Without a ration for it, ok is
// false and there is no error. The member's lock is held.
func (a *arrivals) verify(member *latest, p *Packet) (ok bool, err error) {
	if a.verifier.keys == nil {
		return true, nil
	}
	now := a.now()
	if member.forged.due(1, forgedRation) > now {
		return false, nil
	}
	to := crdt.Replica(0)
	if Kind(p.Data[1]).addressed() {
		to = a.self
	}
	if err := a.verifier.verify(member.node, to, p.Data); err != nil {
		member.forged.charge(now, 1, forgedRation)
		return false, err
	}
	p.verified = true
	return true, nil
}

// take reports whether the engine has time for one more packet of a stranger's.
func (a *arrivals) take() bool {
	if !a.strange.take(a.now(), 1, ration{strangeArrivalsPerSecond, mostStrangeArrivals}) {
		a.full.Add(1)
		return false
	}
	return true
}

// meet takes down who is a member.
func (a *arrivals) meet(ms *members) {
	was, known := *a.known.Load(), make(map[crdt.Replica]*latest, len(ms.peers))
	for _, p := range ms.peers {
		switch {
		case !p.confirmed:
		case was[p.replica] != nil:
			known[p.replica] = was[p.replica]
			known[p.replica].unmask(p.sent)
		default:
			known[p.replica] = &latest{node: p.node}
		}
	}
	a.known.Store(&known)
}

// addTo adds what was thrown away to the engine's counts.
func (a *arrivals) addTo(dropped map[Drop]uint64) {
	for why := range dropEnd {
		dropped[why] += a.bad[why].Load()
	}
	dropped[DropQueue] += a.full.Load()
}
