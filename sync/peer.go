package sync

import "github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"

// PeerState is how lately a peer was heard.
type PeerState uint8

// The states, in the order in which silence leads through them.
const (
	PeerAlive   PeerState = iota // heard within SuspectAfter
	PeerSuspect                  // silent, may still admit
	PeerGone                     // silent for GoneAfter, or said bye: no part of the quantum
)

// String is the state's name in logs and in the status.
func (s PeerState) String() string {
	return [...]string{"alive", "suspect", "gone"}[s]
}

// peer is what this node knows of one other incarnation. Numbers like S3 refer to the
// invariants in docs/sync.md, section 12.
type peer struct {
	// node and replica identify the peer and never change. replica is not our own.
	node    string
	replica crdt.Replica

	// state follows silence (S3); a bye makes it gone at once.
	state PeerState
	// left: it said bye. Then state is gone, until it speaks again (S2).
	left bool
	// byeSeq is the number of its last delta plus 1, as its bye said it; 0 unless left (S2).
	byeSeq uint64
	// foundedAt is when what it knows of began, by our clock, as it last said; 0 before.
	foundedAt int64
	// served: it asked us for a snapshot, so what it knows of is what we do.
	served bool
	// joining: it said last that it has not merged a snapshot, so it gives none.
	joining bool
	// confirmed: a message of its echoed a young beat of ours. It stays true. A peer that is not
	// confirmed is a stranger, and may be a recording: no member, and nobody answers it.
	confirmed bool
	// sent is the latest time at which a message of its was sent, by its clock. It never goes
	// back, unless an echo shows that it was false. beat is the number of its latest beat, and
	// asked that of its latest question.
	sent        int64
	beat, asked uint64
	// heardAt is when its last message came, by our clock. It never goes back. metAt is when
	// the first one came.
	heardAt, metAt int64
	// replacedAt is when a later incarnation of its node was heard first, or an operator
	// struck its node off, by our clock; 0 while it may be there.
	replacedAt int64
	// from is when it can have begun to admit, by our clock: when we began to listen, since
	// a snapshot says what was before, or when it came.
	from int64
	// goneAt is since when state is gone, by our clock; it means nothing otherwise.
	goneAt int64

	// received is how far its deltas were seen.
	received
	// sure: its digests agreed with ours once, so nothing that it sent before we
	// listened is missing. It stays true (S5).
	sure bool
	// freshAt: all that it had sent by then, by its clock, is merged here. It means
	// nothing before sure, and never goes back (S5).
	freshAt int64
	// freshHere is freshAt by our clock, at the earliest that the error of measurement
	// allows. It means nothing before sure, and never goes back.
	freshHere int64

	// differs: its digests are not ours, and no repair has answered since (S6).
	differs bool
	// unproven: a repair answered a difference, and no digests were compared since.
	unproven bool
	// mismatch paces repairs of its own counters. No failures mean no difference (S6).
	mismatch backoff
	// silent paces repairs of counters of replicas that neither of us hears.
	silent backoff
	// silentHad is what we held of the replica that the last such repair was about: an
	// answer that changes it has helped.
	silentHad crdt.Digest
	// silentNext is what its last beat told otherwise of further silent replicas.
	silentNext []Root
	// origins paces repairs of origins.
	origins backoff
	// request is the question under way, at most one at a time (S7).
	request request

	// lag holds how late its messages come: received by our clock - sent by its clock.
	lag lagWindow
	// late: its last message came much later than its least lag, so its link is full.
	late bool
	// bearing is the measure of its clock.
	bearing bearing
	// theirLag is how late our messages reach it; it means nothing unless hearsUs.
	theirLag int64
	// hears is the members that it hears, sorted, and strange the strangers, for all that its
	// beats named; nobody changes the lists. hearsUs says that we are on one of them (S8).
	hears, strange []crdt.Replica
	hearsUs        bool
	// circle is the digest that its last beat stated, or that follows from whom it named; 0
	// before one. See circle.
	circle crdt.Digest
	// toldLag is how late its messages came when a beat of ours named it last.
	toldLag int64
	// deafAt is since when its beats do not name us, by our clock; it means nothing
	// while hearsUs.
	deafAt int64
	// deafLogged: the log has this spell of not hearing us.
	deafLogged bool

	// members is how many nodes there are for all that it knows by itself, 0 before it said
	// so; unsure, that there may be more. told: it has said since we came that there are more
	// than we know.
	members      int
	unsure, told bool

	// limits is the digest of its limits register in its last beat, and base that of its
	// configured limits; 0 before one, and beaten is false.
	limits, base crdt.Digest
	beaten       bool
	// pages is how many messages of rows it may have now, and pulls how many answers to its questions
	// for entries of the register. looks is how many of its beats are compared, settles how many of
	// its settlements are looked at, and loans how many bytes of answers to its wants it may have.
	pages, pulls, looks, settles, loans bucket
	// pull is the number of the question under way for newer entries, 0 for none, and pulling
	// paces such questions.
	pull    uint64
	pulling backoff
	// wanted are the questions whose loans may still come.
	wanted questions
	// otherLimits: it decides by other limits than we, since its configuration differs.
	otherLimits bool
	// roll is the roster that its last beat stated, 0 for none.
	roll crdt.Digest
}

// lateAfter is by how much more than the least a peer's messages are late while its link
// holds them up. Raising it overlooks links that are full for a moment. Lowering it to what
// links vary by takes each variation for the end of trouble.
const lateAfter = requestTimeout / 2

// contact begins all pauses anew: what was in vain while the peer could not be reached, or
// could not answer in time, says nothing of what helps now.
func (p *peer) contact() {
	p.request.pace, p.silent, p.origins = backoff{}, backoff{}, backoff{}
	if p.mismatch.failures > 0 {
		p.mismatch = backoff{failures: 1} // it still differs (S6)
	}
}

// twin reports whether p may be there beside another incarnation of its node: it did not
// say bye, and it was heard since the other one came, or came later. A node that starts anew
// is not heard any more under its earlier incarnation.
func (p *peer) twin(other *peer) bool {
	return p != other && p.node == other.node && p.confirmed && !p.left && p.replacedAt == 0 &&
		(p.metAt > other.metAt || p.heardAt > other.metAt+lateAfter)
}

// behind reports whether something that the peer sent is missing here.
func (p *peer) behind() bool { return p.gap || p.differs || p.unproven }

// complete takes the word of another, who holds the same counters of the peer as we do, that
// all of its deltas up to seq are in them.
func (p *peer) complete(seq uint64) {
	p.received.complete(seq)
	p.differs, p.unproven, p.sure = false, false, true
	p.mismatch.helped()
}

// whole reports whether all that the peer ever sent is merged here: it said how much that is.
func (p *peer) whole() bool { return p.left && p.knows().Whole() }

// healedAfter is how long a peer's messages have to be missing until their coming is a
// healing: it is less than the narrowest window, so what came sooner is not too old to be
// merged. Raising it to that width hides what was. Lowering it keeps spans that mean nothing.
const healedAfter = int64(10e9)

// refresh notes that all that the peer had sent by at, its clock, is merged here, unless
// something is still missing (N4). If that had not been so for long, it says since when.
func (p *peer) refresh(now, at int64) (missed int64, healed bool) {
	if !p.sure || p.behind() || p.joining { // who joins keeps apart what it admits
		return 0, false
	}
	missed = p.freshHere
	if missed == 0 {
		missed = p.from
	}
	p.freshAt = max(p.freshAt, at)
	p.freshHere = max(p.freshHere, min(now, p.bearing.earliest(at)))
	return missed, p.freshHere-missed >= healedAfter
}

// unknown is since when it is not known that all that the peer admitted is merged here.
func (p *peer) unknown() int64 {
	if !p.sure || p.freshHere == 0 { // sure of one that is joining
		return p.from
	}
	return p.freshHere
}

// staleness is the age, by our clock, of the moment up to which all that the peer
// admitted and sent is merged here. Before we are sure of it, that moment is the one at
// which it can have begun to admit.
func (p *peer) staleness(now int64) int64 { return max(0, now-p.unknown()) }
