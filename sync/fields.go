package sync

import (
	"math"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
)

// fields is the wire's table: a message is a map from these keys to values, in this
// order, without the fields that are zero. docs/sync.md, section 3, lists the same.
//
// Each field is described once. Writing, reading, its smallest size and the cap on
// its elements all follow from that description.
//
// Within a major version a key never gets another meaning or type, and is never used
// again. Field 5 is a list of groups of rows; columns.go describes one.
var fields = [...]field{
	1:  always(text("Node", func(m *Message) *string { return &m.Node })),
	2:  always(number("Replica", func(m *Message) *uint64 { return (*uint64)(&m.Replica) })),
	3:  always(signed("Sent", -crdt.End, crdt.End, func(m *Message) *int64 { return &m.Sent })),
	4:  number("Seq", func(m *Message) *uint64 { return &m.Seq }),
	5:  columnar("Deltas", func(m *Message) *[]crdt.Delta { return &m.Deltas }),
	6:  truth("Joining", func(m *Message) *bool { return &m.Joining }),
	7:  records("Heard", maxHeard, func(m *Message) *[]Heard { return &m.Heard }, heardRecord),
	8:  records("Roots", maxRoots, func(m *Message) *[]Root { return &m.Roots }, rootRecord),
	9:  number("Limits", func(m *Message) *uint64 { return (*uint64)(&m.Limits) }),
	10: array("Regs", maxRegisters, func(m *Message) *[]Register { return &m.Regs }, registerValues),
	11: array("Resets", maxResets, func(m *Message) *[]ClientReset { return &m.Resets }, resetValues),
	12: number("Request", func(m *Message) *uint64 { return &m.Request }),
	13: number("Of", func(m *Message) *uint64 { return (*uint64)(&m.Of) }),
	14: number("Since", func(m *Message) *uint64 { return &m.Since }),
	15: records("Have", maxWindows, func(m *Message) *[]Partitioned { return &m.Have }, partitionedRecord),
	16: cursor("Cursor", func(m *Message) *Cursor { return &m.Cursor }),
	17: cursor("Next", func(m *Message) *Cursor { return &m.Next }),
	18: truth("Last", func(m *Message) *bool { return &m.Last }),
	19: truth("Done", func(m *Message) *bool { return &m.Done }),
	20: number("Page", func(m *Message) *uint64 { return &m.Page }),
	21: records("Origins", maxRoots, func(m *Message) *[]OriginRoot { return &m.Origins }, originRecord),
	22: number("Base", func(m *Message) *uint64 { return (*uint64)(&m.Base) }),
	23: records("Settlements", maxSettlements, func(m *Message) *[]Settlement { return &m.Settlements }, settlementRecord),
	24: records("Settled", maxSettlements, func(m *Message) *[]Settled { return &m.Settled }, settledRecord),
	25: records("Known", maxKnown, func(m *Message) *[]Known { return &m.Known }, knownRecord),
	26: records("Beyond", maxSettlements, func(m *Message) *[]Beyond { return &m.Beyond }, beyondRecord),
	27: records("Missing", maxMissing, func(m *Message) *[]Missing { return &m.Missing }, missingRecord),
	28: records("Refunds", maxRefunds, func(m *Message) *[]Refund { return &m.Refunds }, refundRecord),
	29: signed("Founded", 0, crdt.End, func(m *Message) *int64 { return &m.Founded }),
	30: signed("Before", 0, crdt.End, func(m *Message) *int64 { return &m.Before }),
	31: number("Beat", func(m *Message) *uint64 { return &m.Beat }),
	32: records("Held", maxHeld, func(m *Message) *[]Held { return &m.Held }, heldRecord),
	33: number("Members", func(m *Message) *uint64 { return &m.Members }),
	34: truth("Unsure", func(m *Message) *bool { return &m.Unsure }),
	35: records("Wants", maxWants, func(m *Message) *[]Want { return &m.Wants }, wantRecord),
	36: number("Low", func(m *Message) *uint64 { return &m.Low }),
	37: records("Lent", maxWants, func(m *Message) *[]Lent { return &m.Lent }, lentRecord),
	38: number("HeardFrom", func(m *Message) *uint64 { return (*uint64)(&m.HeardFrom) }),
	39: number("HeardTo", func(m *Message) *uint64 { return (*uint64)(&m.HeardTo) }),
	40: number("Circle", func(m *Message) *uint64 { return (*uint64)(&m.Circle) }),
	41: number("Roll", func(m *Message) *uint64 { return (*uint64)(&m.Roll) }),
	42: truth("Opened", func(m *Message) *bool { return &m.Opened }),
	43: array("Enrolled", maxEnrolled, func(m *Message) *[]Enrolled { return &m.Enrolled }, enrolledValues),
}

// The records. A word that holds a time is an int64's bits.

func heardRecord(w *words, h *Heard) {
	w.uint((*uint64)(&h.Replica))
	w.flagged(&h.Beat, &h.Member)
	w.int(&h.Lag, -maxOffset, maxOffset) // sums of two lags fit into an int64
}

// words passes over a window without judging it: a receiver compares windows with its own,
// and one that no limit has is equal to none.
func (v *Window) words(w *words) {
	w.int(&v.Width, math.MinInt64, math.MaxInt64)
	w.int(&v.Start, math.MinInt64, math.MaxInt64)
}

func rootRecord(w *words, r *Root) {
	w.uint((*uint64)(&r.Replica))
	r.words(w)
	w.uint((*uint64)(&r.Digest))
}

func partitionedRecord(w *words, p *Partitioned) {
	p.words(w)
	for i := range p.Digests {
		w.uint((*uint64)(&p.Digests[i]))
	}
}

func originRecord(w *words, o *OriginRoot) {
	o.words(w)
	w.halves(&o.From, &o.Count)
	w.uint((*uint64)(&o.Digest))
}

func knownRecord(w *words, k *Known) {
	w.uint((*uint64)(&k.Replica))
	w.uint(&k.Merged)
	w.uint(&k.Bye)
}

func settlementRecord(w *words, s *Settlement) { // Of is the message's
	w.uint(&s.ID)
	w.int(&s.Actual, 0, crdt.MaxTotal)
}

func refundRecord(w *words, r *Refund) {
	w.uint(&r.ID)
	w.uint(&r.Key.Hi)
	w.uint(&r.Key.Lo)
	stampWords(w, &r.Revision)
	stampWords(w, &r.Reset)
}

// settledRecord has the reason of a known settlement in one word with Known, since an unknown
// one has none.
func settledRecord(w *words, s *Settled) {
	w.uint(&s.ID)
	w.int(&s.Back, -crdt.MaxTotal, crdt.MaxTotal)
	known := int64(0)
	if s.Known {
		known = 1 + int64(s.Short)
	}
	w.int(&known, 0, int64(shortfallEnd))
	s.Known, s.Short = known > 0, Shortfall(max(known-1, 0)) //nolint:gosec // below shortfallEnd
}

func beyondRecord(w *words, b *Beyond) {
	w.uint(&b.ID)
	w.int(&b.Units, 0, crdt.MaxTotal)
}

func missingRecord(w *words, m *Missing) {
	w.uint((*uint64)(&m.Of))
	w.int(&m.Began, 0, crdt.End)
	w.int(&m.Ended, 0, crdt.End)
	kind := int64(m.Kind)
	w.int(&kind, 0, int64(SpanKinds)-1)
	m.Kind = SpanKind(kind) //nolint:gosec // within the range
}

func heldRecord(w *words, h *Held) {
	w.uint(&h.Name)
	stampWords(w, &h.Stamp)
	w.uint(&h.Value)
}

func stampWords(w *words, s *crdt.Stamp) {
	w.int(&s.At, math.MinInt64, math.MaxInt64)
	w.uint((*uint64)(&s.By))
}

func registerValues(c codec, r *Register) {
	c.text(&r.Name)
	c.signed(&r.Stamp.At, math.MinInt64, math.MaxInt64)
	c.number((*uint64)(&r.Stamp.By))
	c.blob(&r.Value)
}

// enrolledSize is an upper bound of a name's bytes in a roster.
const enrolledSize = maxName + 3

func enrolledValues(c codec, r *Enrolled) {
	c.text(&r.Name)
	c.truth(&r.Gone)
}

// resetSize is an upper bound of a reset's bytes: a long name's header takes one more.
var resetSize = measure(resetValues).least + 1 + maxName

func resetValues(c codec, r *ClientReset) {
	c.text(&r.Limit)
	w := c.open()
	w.uint(&r.Key.Hi)
	w.uint(&r.Key.Lo)
	stampWords(w, &r.Stamp)
	c.close()
}
