package sync

import "github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"

// Kind is what a message is for: one token of its subject, and a byte in it.
type Kind uint8

// The kinds. Delta, Beat, Limits, Reset and Bye are broadcast on the sender's own
// subject; Repair, Snapshot and Settle are requests on the subject of the replica
// asked; Rows answers the first two and Settled the third, on the requester's inbox.
const (
	KindDelta Kind = iota + 1
	KindBeat
	KindRepair
	KindSnapshot
	KindRows
	KindLimits
	KindReset
	KindBye
	KindSettle
	KindSettled
	kindEnd
)

var kindTokens = [kindEnd]string{
	KindDelta: "delta", KindBeat: "beat", KindRepair: "repair", KindSnapshot: "snapshot",
	KindRows: "rows", KindLimits: "limits", KindReset: "reset", KindBye: "bye",
	KindSettle: "settle", KindSettled: "settled",
}

// String is the kind's token in subjects and metrics.
func (k Kind) String() string {
	if k > 0 && k < kindEnd {
		return kindTokens[k]
	}
	return "unknown"
}

// asks reports whether k is a request, on the subject of the replica asked.
func (k Kind) asks() bool { return k == KindRepair || k == KindSnapshot || k == KindSettle }

// answers reports whether k answers a request, on the requester's inbox.
func (k Kind) answers() bool { return k == KindRows || k == KindSettled }

// Caps on what one message may carry. A sender splits what would be more, a
// receiver refuses it.
const (
	MaxMessage     = 48 << 10 // bytes, tag included
	maxGroups      = 64       // deltas
	maxRegisters   = 32
	maxResets      = 1 << 10 // clients
	maxHeard       = MaxPeers
	maxRoots       = 512
	maxWindows     = 16 // partition digests
	maxName        = 64 // bytes of a node's or a limit's name
	maxSettlements = 1 << 10
)

// Message is everything that one message can say; its Kind tells which fields
// count. The zero value of a field is not sent.
type Message struct {
	Kind    Kind
	Node    string       // sender's name
	Replica crdt.Replica // sender's incarnation
	Sent    int64        // sender's clock, unix nanoseconds

	// Seq numbers the sender's delta messages from 1. In a beat it is the last one
	// sent before; in rows, the last one that the rows account for.
	Seq    uint64
	Deltas []crdt.Delta // delta, rows

	// Joining is set in beats and rows until the sender has merged a snapshot.
	Joining bool
	Heard   []Heard       // beat: the peers that the sender hears
	Roots   []Root        // beat: digests of the sender's own cells, and of silent peers'
	Origins []OriginRoot  // beat: digests of origins, over some of the partitions
	Limits  crdt.Digest   // beat: digest of the limits register
	Base    crdt.Digest   // beat: digest of the limits as configured, 0 if not told
	Regs    []Register    // limits, rows: entries of the limits register
	Resets  []ClientReset // reset, beat

	// A request for rows: whose (0 is everybody's), those that left its sender after
	// Since, or else in partitions whose digests differ from Have (of origins, where
	// everybody's are asked for; none: all partitions), from Cursor on. Request is
	// chosen by the requester and echoed in rows.
	Request uint64
	Of      crdt.Replica
	Since   uint64
	Have    []Partitioned
	Cursor  Cursor
	// An answer is messages numbered by Page from 0. Next is where the rows after
	// this message's begin, Last marks the last one, and Done says that there are no
	// more rows.
	Page uint64
	Next Cursor
	Last bool
	Done bool

	// To settle is to ask the replica Of, whose reservations they are.
	Settlements []Settlement // settle
	Settled     []Settled    // settled
}

// Heard is what a beat says of one peer: that it is heard, up to which delta
// message, and how far its clock and its messages lag behind the sender's clock.
type Heard struct {
	Replica crdt.Replica
	Seq     uint64
	Lag     int64 // least of (received - sent) lately, nanoseconds; holds delay minus skew
}

// Root is the digest of one replica's counters in one window over all partitions.
type Root struct {
	Replica crdt.Replica
	Window
	Digest crdt.Digest
}

// OriginRoot is the digest of what a closed window's origins hold, over all
// replicas, in Count partitions from From on, wrapping around.
type OriginRoot struct {
	Window
	From, Count uint32
	Digest      crdt.Digest
}

// Window names a time window across limits.
type Window struct {
	Width int64 // nanoseconds
	Start int64 // unix nanoseconds
}

// Partitioned is the digest of one replica's counters in one window by partition.
type Partitioned struct {
	Window
	Digests [crdt.Partitions]crdt.Digest
}

// Register is one entry of the limits register: a last-writer-wins value by name.
// What the value means is the node's business; an empty one is a deletion.
type Register struct {
	Name  string
	Stamp crdt.Stamp
	Value []byte
}

// ClientReset says that a client of a limit was reset.
type ClientReset struct {
	Limit string
	Key   crdt.Key
	Stamp crdt.Stamp
}

// Cursor is a place in a store's rows: a client's place in its partition, and the
// number of its rows, one a replica, that were passed already. The zero Cursor is
// the beginning.
type Cursor struct {
	Partition uint16
	Row       uint16
	Index     uint32
}
