package sync

import "github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"

// Store is the replicated state that the protocol carries, by role. The owner of each thing
// in the node implements its role. The engine calls all roles from one goroutine at a time,
// while decisions go on in others, so an owner locks what they share. No method may block
// for longer than the owner holds such a lock. Set every role.
type Store struct {
	Rows
	Summaries
	Registry
	Configured
	Resetter
	Settler
	Viewer
	// Lender and Roller are nil in a node without bounded limits.
	Lender
	Roller
}

// Rows are the counters of the clients, as they travel.
type Rows interface {
	// Collect adds changed rows of this replica to b, until b is full or none is left, and
	// notes that message seq carries them. more says that b was full first. With urgent,
	// only partitions that reached their quantum are due.
	Collect(now int64, seq uint64, urgent bool, b *Batch) (more bool)
	// Merge takes the maximum of the state and a delta. d.Replica is set. The owner drops
	// and counts rows beyond its tolerance. alike says that d.Replica is known to be
	// configured with the same limits: it agrees with the owner on RegistersDigest and on
	// BaseDigest. All that d.Replica had counted by heard, by our clock, was merged before;
	// heard is math.MinInt64 for one that is not known. known is false if d is of a newer revision of
	// its limit than the owner knows: the engine then asks for the delta again.
	Merge(now int64, d *crdt.Delta, alike bool, heard int64) (known bool)
	// Export adds the rows of q to b, from q.Cursor on, until b is full or none is left.
	// done says that none is left; next is where to go on.
	Export(now int64, q *Query, b *Batch) (next Cursor, done bool)
}

// Summaries tell two replicas' rows apart without sending them.
type Summaries interface {
	// Windows lists the windows that are live at now, over all limits.
	Windows(now int64) []Window
	// Digests sets out to the digests of one replica's counters in one window, as far as
	// messages have carried them.
	Digests(r crdt.Replica, w Window, out *[crdt.Partitions]crdt.Digest)
	// Roots lists, for all replicas whose counters are held in the windows that are live at
	// now, the digests over all partitions, in their order, without those of nothing.
	Roots(now int64) []Root
	// Origins is a digest of what the clients of one partition carry over in origins alone:
	// out of w if it is closed at now, without clients that have drained by its end, and what
	// a change of a limit brought into w. It is 0 if they carry nothing.
	Origins(now int64, w Window, partition int) crdt.Digest
	// Clients is about the number of clients that a pass over all partitions visits.
	Clients() int
}

// Registry is the limits register.
type Registry interface {
	// Registers lists every entry.
	Registers() []Register
	// RegistersDigest tells two registers apart cheaply.
	RegistersDigest() crdt.Digest
	// MergeRegisters takes the entries whose stamps are higher than the owner's.
	MergeRegisters(now int64, regs []Register)
	// ChangedRegisters lists the entries that changed here since the last call.
	ChangedRegisters() []Register
}

// Configured tells two nodes with different configured limits apart.
type Configured interface {
	BaseDigest() crdt.Digest
}

// Resetter keeps the clients' resets.
type Resetter interface {
	// Resets lists the resets to repeat. With onlyFresh, it lists nothing unless one of
	// them is new.
	Resets(now int64, onlyFresh bool) []ClientReset
	MergeResets(now int64, resets []ClientReset)
}

// Settler settles reservations, and refunds clients.
type Settler interface {
	// Settle settles what this replica charged. Asked again it gives the same answer, for as
	// long as the other side repeats its request: answers get lost.
	Settle(now int64, s Settlement) Settled
	// Settlements lists the settlements of what other replicas charged that are due to be
	// sent at now, at most most, and notes that they were sent. The owner decides how often
	// it repeats one and when it gives one up. The engine asks at every step, and owns the
	// slice.
	Settlements(now int64, most int) []Settlement
	// SettlementAnswered takes an answer of replica of, whether it was asked for or not.
	SettlementAnswered(now int64, of crdt.Replica, s Settled)
}

// Lender lends and borrows what bounded limits let nodes admit.
type Lender interface {
	// Place is a node's place in the roster, below 64; -1 if it has none.
	Place(node string) int
	// Wanting reports whether Wants has something. The engine asks at every step.
	Wanting() bool
	// Wants lists at most most questions that are due, each with at least one of the lenders
	// whose places are in present or with something to give back, and when that was. It notes that
	// they were asked.
	Wants(now int64, present uint64, most int) ([]Want, Asked)
	// Lend lends to a replica, under a number above those of all its earlier questions. The
	// answers are in the order of the questions. low is as in Message.
	Lend(now int64, to crdt.Replica, number, low uint64, wants []Want) []Lent
	// Lent takes what a replica lends for questions that were asked at that time.
	Lent(now int64, by crdt.Replica, when Asked, wants []Want, lent []Lent)
}

// Viewer hears of every change of the cluster's view.
type Viewer interface {
	// View takes the view. It reports whether the owner tells from now on what it had kept back
	// until Joined, without what had drained by now.
	View(v View) (told bool)
}

// Query says which rows a request wants.
type Query struct {
	Of     crdt.Replica           // whose; 0 is everybody's
	Since  uint64                 // own rows only: those that a message after this one carried
	Differ *[crdt.Partitions]bool // partitions wanted; nil is all
	Cursor Cursor
	// At is the asker's time. If a window began there already that has not begun here, the rows
	// are of that window, as far as the tolerance goes: of the ones before, an asker that knows
	// nothing yet would leave out what has been folded at that time.
	At int64
}

// View is what decisions need to know of the cluster.
type View struct {
	Peers int   // other incarnations that can admit: alive or suspect
	Delay int64 // largest estimated one-way delay to one of them, nanoseconds
	// Joined says that this node knows of its peers all that joining brings, or stops. The
	// owner may keep back what it counts until then.
	Joined bool
	// Members is how many nodes there are with this one, counting silent ones until
	// they say bye; Visible how many of them hear each other, and Isolated whether
	// that is not all.
	Members, Visible int
	Isolated         bool
}
