package sync

import "github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"

// Store is the replicated state that the protocol carries: the node's clients and
// its limits register. The engine calls it from one goroutine at a time; decisions
// go on beside that, so a Store locks what they share.
type Store interface {
	// Collect adds rows of this replica's that changed since they were last
	// collected to b, until it is full or none is left (more is false then), and
	// notes that message seq carries them. With urgent, only rows of partitions
	// that reached their quantum are due.
	Collect(now int64, seq uint64, urgent bool, b *Batch) (more bool)
	// Merge takes over what a delta says. d.Replica is set. What d says beyond the
	// store's tolerance is dropped and counted there. known is false if d speaks of a
	// newer revision of its limit than the store has heard of: worth asking for again.
	Merge(now int64, d *crdt.Delta) (known bool)
	// Export adds the rows that q asks for to b, from q.Cursor on, until it is full
	// or none is left (done), and says where to go on.
	Export(now int64, q *Query, b *Batch) (next Cursor, done bool)
	// Windows lists the windows that are live at now, over all limits.
	Windows(now int64) []Window
	// Digests is what the store holds of one replica's counters in one window, as
	// far as messages have carried it.
	Digests(r crdt.Replica, w Window, out *[crdt.Partitions]crdt.Digest)
	// Origins is a digest of what one partition's clients carry over out of w, a
	// window that is closed at now: of those to whom it still matters, their origins.
	Origins(now int64, w Window, partition int) crdt.Digest
	// Clients is about how many clients a pass over all partitions visits.
	Clients() int

	// Registers is the limits register; RegistersDigest tells two apart cheaply.
	Registers() []Register
	RegistersDigest() crdt.Digest
	// BaseDigest tells whether two nodes were configured with the same limits.
	BaseDigest() crdt.Digest
	// MergeRegisters takes over the entries with higher stamps than its own.
	MergeRegisters(now int64, regs []Register)
	// ChangedRegisters is what was changed here since the last call.
	ChangedRegisters() []Register

	// Resets lists the clients' resets that are to be repeated; onlyFresh returns
	// nothing unless there is one that was not listed yet.
	Resets(now int64, onlyFresh bool) []ClientReset
	MergeResets(now int64, resets []ClientReset)

	// Settle settles a reservation of this replica's. Asked again it gives the same
	// answer, as long as the reservation could be settled: answers get lost.
	Settle(now int64, s Settlement) Settled
	// Settlements lists those of other replicas' reservations that are due to be sent
	// at now, also again, at most most, and notes that they were. How often they are
	// repeated is the store's to say, and when they are given up. It is asked at every
	// step, and the slice is the caller's.
	Settlements(now int64, most int) []Settlement
	// SettlementAnswered takes an answer of replica of, asked for or not.
	SettlementAnswered(of crdt.Replica, s Settled)

	// View tells the store what the cluster looks like, whenever that changes.
	View(View)
}

// Query says which rows are asked for.
type Query struct {
	Of     crdt.Replica           // whose; 0 is everybody's
	Since  uint64                 // own rows only: those that a message after this one carried
	Differ *[crdt.Partitions]bool // partitions wanted; nil is all
	Cursor Cursor
}

// View is what decisions need to know of the cluster.
type View struct {
	Peers int   // other incarnations that can admit: alive or suspect
	Delay int64 // largest estimated one-way delay to one of them, nanoseconds
	// Members is how many nodes there are with this one, counting silent ones until
	// they say bye; Visible how many of them hear each other, and Isolated whether
	// that is not all.
	Members, Visible int
	Isolated         bool
}
