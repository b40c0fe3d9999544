package sync

import (
	"cmp"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
)

// Kind is what a message is for: one token of its subject, and one byte of its envelope.
type Kind uint8

// The kinds. All messages go out on the sender's own subject. Requests and answers are
// addressed to one replica; the others are broadcasts.
const (
	KindDelta    Kind = iota + 1 // broadcast: rows of the sender's that changed
	KindBeat                     // broadcast: a sign of life, with digests
	KindRepair                   // request for rows that are missing
	KindSnapshot                 // request for all rows
	KindRows                     // answers KindRepair and KindSnapshot
	KindLimits                   // broadcast: entries of the limits register
	KindReset                    // broadcast: clients that were reset
	KindBye                      // broadcast: the sender stops
	KindSettle                   // request to settle reservations, and to refund
	KindSettled                  // answers KindSettle
	KindPull                     // request for entries of the limits register that are newer
	KindPulled                   // answers KindPull
	KindWant                     // request to lend what a bounded limit lets the receiver admit
	KindLoan                     // answers KindWant
	kindEnd
)

var kindTokens = [kindEnd]string{
	KindDelta: "delta", KindBeat: "beat", KindRepair: "repair", KindSnapshot: "snapshot",
	KindRows: "rows", KindLimits: "limits", KindReset: "reset", KindBye: "bye",
	KindSettle: "settle", KindSettled: "settled", KindPull: "pull", KindPulled: "pulled",
	KindWant: "want", KindLoan: "loan",
}

// String is the kind's token in subjects and metrics.
func (k Kind) String() string {
	if k > 0 && k < kindEnd {
		return kindTokens[k]
	}
	return "unknown"
}

// asks reports whether k is a request.
func (k Kind) asks() bool {
	return k == KindRepair || k == KindSnapshot || k == KindSettle || k == KindPull || k == KindWant
}

// answers reports whether k answers a request.
func (k Kind) answers() bool {
	return k == KindRows || k == KindSettled || k == KindPulled || k == KindLoan
}

// addressed reports whether messages of kind k are for one replica.
func (k Kind) addressed() bool { return k.asks() || k.answers() }

// Caps on one message. A sender splits what would be more; a receiver refuses the message.
// They belong to the wire: raising one makes receivers of older releases refuse messages,
// lowering one refuses messages of older releases.
const (
	// MaxMessage is in bytes, tag included. More would take larger steps and queues, less
	// would leave no room for a beat that names MaxPeers.
	MaxMessage = 48 << 10
	// maxGroups is of groups of rows. More would make finding a row's group slower, less
	// would take more messages where there are many limits.
	maxGroups = 64
	// maxRegisters is of entries. More would make a receiver merge more limits in one step,
	// less would take more messages.
	maxRegisters = 32
	// maxResets is as many clients as a node remembers as reset.
	maxResets = 1 << 10
	// maxHeard is every peer that a beat can name.
	maxHeard = MaxPeers
	// maxRoots is of digests, of counters and of origins. More would not fit beside
	// maxHeard peers, less would compare silent replicas of many windows more slowly.
	maxRoots = 512
	// maxKnown is of silent replicas. More would not fit beside maxRoots digests, less would
	// close their gaps more slowly.
	maxKnown = 512
	// maxWindows is of windows with 256 digests each, 2 KiB. More would not fit a message.
	maxWindows = 16
	// maxHeld is every limit that a node can have. More would not fit into a message.
	maxHeld = 1 << 10
	// maxName is in bytes of a node's or a limit's name. Longer ones would take room in
	// each subject, or in each group of rows.
	maxName = 64
	// maxSettlements is of requests or of answers, and of one step.
	maxSettlements = 1 << 10
	// maxEnrolled is of names in a roster and of those struck off it. More would not fit beside the
	// rest of a beat, less would take more beats until nodes agree.
	maxEnrolled = 48
	// maxRefunds is of refunds among the settlements. More would not fit beside them, less
	// would take more steps for many refunds at once.
	maxRefunds = 512
)

// Message is everything that one message can say; its Kind tells which fields count. A
// field that is zero is not sent.
type Message struct {
	Kind    Kind
	Node    string       // sender's name
	Replica crdt.Replica // sender's incarnation
	To      crdt.Replica // receiver's incarnation, 0 in a broadcast; the tag covers it, and it is not sent
	Sent    int64        // sender's clock, unix nanoseconds, within crdt.End of 0
	// Beat numbers the sender's beats from 1. In a request or an answer it is the number of the
	// receiver's beat that the sender heard last, 0 for none: an echo, as in Heard.
	Beat uint64

	// Seq numbers the sender's delta messages from 1. In a beat and a bye it is the last
	// one sent before; in rows, the last one for which the rows account.
	Seq    uint64
	Deltas []crdt.Delta // delta, rows

	// Joining is true in beats and rows until the sender has merged a snapshot.
	Joining bool
	// Members is in beats: how many nodes there are for all that the sender knows by itself,
	// with itself. Unsure says that there may be more, or fewer.
	Members uint64
	Unsure  bool
	// Heard is in beats: peers that the sender hears. They are all of them if HeardFrom is
	// HeardTo. Otherwise they are all in the part from HeardFrom up to and without HeardTo, see
	// within, and perhaps more; Circle is then the sender's, see circle.
	Heard              []Heard
	HeardFrom, HeardTo crdt.Replica
	Circle             crdt.Digest
	Roots              []Root       // beat: digests of the sender's own counters, and of silent replicas'
	Known              []Known      // beat: what the sender knows of replicas that it does not hear
	Origins            []OriginRoot // beat: digests of origins, over some of the partitions
	Limits             crdt.Digest  // beat: digest of the limits register
	Missing            []Missing    // beat: what the sender may miss of others, and the receiver too if it came later
	// Founded is in the beats of a node that has joined: how long ago began what it knows of.
	// Before, if not 0, is how long ago something ran of which it knows nothing.
	Founded, Before int64
	Base            crdt.Digest   // beat: digest of the limits as configured
	Regs            []Register    // limits, rows: entries of the limits register
	Resets          []ClientReset // reset

	// Of is whose rows are asked for, 0
	// for everybody's. With Since, they are those that left their sender after that
	// message. Otherwise they are those in partitions whose digests differ from Have; of
	// everybody's rows, Have are digests of origins; without Have, all partitions count.
	// Cursor is where to begin.
	// Every request has a number, higher than those before it, and its answer the same one.
	Request uint64
	Of      crdt.Replica
	Since   uint64
	Have    []Partitioned
	Cursor  Cursor
	// An answer is messages numbered by Page from 0. Next is where the rows after this
	// message's begin. Last marks the answer's last message, Done that there are no more
	// rows.
	Page uint64
	Next Cursor
	Last bool
	Done bool

	Held []Held // pull: the entries that the requester holds

	// Settlements are of what the replica Of charged.
	Settlements []Settlement // settle
	Refunds     []Refund     // settle: of the settlements that are refunds
	Settled     []Settled    // settled
	Beyond      []Beyond     // settled: of those that left something uncharged

	// Roll is the digest of the roster of bounded limits as the sender has it, 0 for none, and
	// Enrolled names of it, if some peer may not know them. Opened says that the sender uses its
	// shares.
	Roll     crdt.Digest // beat
	Opened   bool        // beat
	Enrolled []Enrolled  // beat

	Wants []Want // want
	// Low is in a want: no loan of the receiver's under this number or a lower one is taken any
	// more.
	Low  uint64
	Lent []Lent // loan: one for each of the wants, in their order
}

// Heard is what a beat says of one peer that the sender hears.
type Heard struct {
	Replica crdt.Replica
	// Beat is the number of its beat that was heard last: who finds a late beat of its own here
	// knows that the sender hears it now, and that this message is no recording.
	Beat uint64
	// Member says that the peer did the same for the sender. Others are strangers: they may
	// be recordings.
	Member bool
	// Lag is the least of (received - sent) lately, each by its node's own clock, in
	// nanoseconds: the delay minus the peer's clock's lead.
	Lag int64
}

// Root is the digest of one replica's counters in one window over all partitions.
type Root struct {
	Replica crdt.Replica
	Window
	Digest crdt.Digest
}

// Compare orders roots by replica, then by window.
func (r Root) Compare(o Root) int {
	return cmp.Or(cmp.Compare(r.Replica, o.Replica), cmp.Compare(r.Width, o.Width), cmp.Compare(r.Start, o.Start))
}

// OriginRoot is the digest of what origins carry out of a window or into it, whoever counts
// the clients, in Count partitions from From on, wrapping around.
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

// Register is one entry of the limits register: of two values of one name, the one with
// the higher stamp wins. The store knows what a value means.
type Register struct {
	Name  string
	Stamp crdt.Stamp
	Value []byte
}

// Held names an entry of the register that a node holds.
type Held struct {
	Name  uint64 // hash of its name
	Stamp crdt.Stamp
	Value uint64 // hash of its value: two of one stamp may state different revisions
}

// ClientReset says that a client of a limit was reset.
type ClientReset struct {
	Limit string
	Key   crdt.Key
	Stamp crdt.Stamp // of the reset; states of lower stamps end
}

// Cursor is a place in a store's rows. The zero Cursor is the beginning.
type Cursor struct {
	Partition uint16
	Row       uint16 // rows of the client passed already, one a replica
	Index     uint32 // of the client in its partition
}
