package sync

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/vmihailenco/msgpack/v5"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
)

// Version is the wire format's major version. A message of another one is refused
// and counted; within one, unknown fields are skipped.
const Version = 1

// Why a message's bytes were refused; the node counts drops by these.
var (
	ErrTag       = errors.New("sync: tag does not match: corrupted, foreign, or another cluster key")
	ErrVersion   = errors.New("sync: unknown wire version")
	ErrMalformed = errors.New("sync: malformed message")
	ErrOversize  = errors.New("sync: message over its size cap")
)

// The message's fields on the wire: a map from these to values.
const (
	fieldNode = iota + 1
	fieldReplica
	fieldSent
	fieldSeq
	fieldDeltas
	fieldJoining
	fieldHeard
	fieldRoots
	fieldLimits
	fieldRegs
	fieldResets
	fieldRequest
	fieldOf
	fieldSince
	fieldHave
	fieldCursor
	fieldNext
	fieldLast
	fieldDone
	fieldPage
	fieldOrigins
	fieldBase
	fieldSettlements
	fieldSettled
	fieldEnd
)

// writer encodes messages into one reused buffer. Not safe for concurrent use.
type writer struct {
	secret Secret
	buf    bytes.Buffer
	enc    *msgpack.Encoder
	col    []byte
}

func newWriter(s Secret) *writer {
	w := &writer{secret: s}
	w.enc = msgpack.NewEncoder(&w.buf)
	return w
}

// encode returns the sealed bytes of m, with the rows of b instead of m.Deltas if b
// is not nil. The result is the caller's.
func (w *writer) encode(m *Message, b *Batch) []byte {
	w.buf.Reset()
	e := w.enc
	// Writing to a bytes.Buffer cannot fail, so errors are not looked at here.
	_ = e.EncodeUint(Version)
	_ = e.EncodeUint(uint64(m.Kind))
	if b == nil && len(m.Deltas) > 0 {
		b = &Batch{}
		for i := range m.Deltas {
			b.AddDelta(&m.Deltas[i])
		}
	}
	fields := w.fields(m, b)
	_ = e.EncodeMapLen(len(fields))
	for _, f := range fields {
		_ = e.EncodeUint(uint64(f))
		w.field(m, b, f)
	}
	out := make([]byte, 0, w.buf.Len()+tagSize)
	return w.secret.seal(append(out, w.buf.Bytes()...))
}

// fields lists what of m is worth sending.
func (w *writer) fields(m *Message, b *Batch) []int {
	out := make([]int, 0, fieldEnd)
	add := func(there bool, field int) {
		if there {
			out = append(out, field)
		}
	}
	add(true, fieldNode)
	add(true, fieldReplica)
	add(true, fieldSent)
	add(m.Seq != 0, fieldSeq)
	add(b != nil && !b.Empty(), fieldDeltas)
	add(m.Joining, fieldJoining)
	add(len(m.Heard) > 0, fieldHeard)
	add(len(m.Roots) > 0, fieldRoots)
	add(m.Limits != 0, fieldLimits)
	add(len(m.Regs) > 0, fieldRegs)
	add(len(m.Resets) > 0, fieldResets)
	add(m.Request != 0, fieldRequest)
	add(m.Of != 0, fieldOf)
	add(m.Since != 0, fieldSince)
	add(len(m.Have) > 0, fieldHave)
	add(m.Cursor != Cursor{}, fieldCursor)
	add(m.Next != Cursor{}, fieldNext)
	add(m.Last, fieldLast)
	add(m.Done, fieldDone)
	add(m.Page != 0, fieldPage)
	add(len(m.Origins) > 0, fieldOrigins)
	add(m.Base != 0, fieldBase)
	add(len(m.Settlements) > 0, fieldSettlements)
	add(len(m.Settled) > 0, fieldSettled)
	return out
}

func (w *writer) field(m *Message, b *Batch, field int) {
	e := w.enc
	switch field {
	case fieldNode:
		_ = e.EncodeString(m.Node)
	case fieldReplica:
		_ = e.EncodeUint(uint64(m.Replica))
	case fieldSent:
		_ = e.EncodeInt(m.Sent)
	case fieldSeq:
		_ = e.EncodeUint(m.Seq)
	case fieldDeltas:
		b.encode(e)
	case fieldJoining, fieldLast, fieldDone:
		_ = e.EncodeBool(true)
	case fieldHeard:
		w.col = w.col[:0]
		for _, h := range m.Heard {
			w.put(uint64(h.Replica), h.Seq, uint64(h.Lag))
		}
		_ = e.EncodeBytes(w.col)
	case fieldRoots:
		w.col = w.col[:0]
		for _, r := range m.Roots {
			w.put(uint64(r.Replica), uint64(r.Width), uint64(r.Start), uint64(r.Digest))
		}
		_ = e.EncodeBytes(w.col)
	case fieldLimits:
		_ = e.EncodeUint(uint64(m.Limits))
	case fieldBase:
		_ = e.EncodeUint(uint64(m.Base))
	case fieldRegs:
		_ = e.EncodeArrayLen(len(m.Regs) * registerFields)
		for _, r := range m.Regs {
			_ = e.EncodeString(r.Name)
			_ = e.EncodeInt(r.Stamp.At)
			_ = e.EncodeUint(uint64(r.Stamp.By))
			_ = e.EncodeBytes(r.Value)
		}
	case fieldResets:
		_ = e.EncodeArrayLen(len(m.Resets) * resetFields)
		for _, r := range m.Resets {
			_ = e.EncodeString(r.Limit)
			w.col = w.col[:0]
			w.put(r.Key.Hi, r.Key.Lo, uint64(r.Stamp.At), uint64(r.Stamp.By))
			_ = e.EncodeBytes(w.col)
		}
	case fieldRequest:
		_ = e.EncodeUint(m.Request)
	case fieldOf:
		_ = e.EncodeUint(uint64(m.Of))
	case fieldSince:
		_ = e.EncodeUint(m.Since)
	case fieldHave:
		w.col = w.col[:0]
		for i := range m.Have {
			h := &m.Have[i]
			w.put(uint64(h.Width), uint64(h.Start))
			for _, d := range &h.Digests {
				w.put(uint64(d))
			}
		}
		_ = e.EncodeBytes(w.col)
	case fieldCursor:
		_ = e.EncodeUint(m.Cursor.pack())
	case fieldNext:
		_ = e.EncodeUint(m.Next.pack())
	case fieldPage:
		_ = e.EncodeUint(m.Page)
	case fieldOrigins:
		w.col = w.col[:0]
		for _, o := range m.Origins {
			w.put(uint64(o.Width), uint64(o.Start), uint64(o.From)<<32|uint64(o.Count), uint64(o.Digest))
		}
		_ = e.EncodeBytes(w.col)
	case fieldSettlements:
		w.col = w.col[:0]
		for _, s := range m.Settlements {
			w.put(s.ID, uint64(min(max(s.Actual, 0), crdt.MaxTotal)))
		}
		_ = e.EncodeBytes(w.col)
	case fieldSettled:
		w.col = w.col[:0]
		for _, s := range m.Settled {
			known := uint64(0)
			if s.Known {
				known = 1
			}
			w.put(s.ID, uint64(min(max(s.Back, -crdt.MaxTotal), crdt.MaxTotal)), known)
		}
		_ = e.EncodeBytes(w.col)
	}
}

func (w *writer) put(values ...uint64) {
	for _, v := range values {
		w.col = binary.LittleEndian.AppendUint64(w.col, v)
	}
}

func (c Cursor) pack() uint64 {
	return uint64(c.Partition)<<48 | uint64(c.Row)<<32 | uint64(c.Index)
}

func unpack(v uint64) Cursor {
	return Cursor{Partition: uint16(v >> 48), Row: uint16(v >> 32), Index: uint32(v)}
}

// Fixed-size records, in 8-byte words.
const (
	heardWords      = 3
	rootWords       = 4
	haveWords       = 2 + crdt.Partitions
	registerFields  = 4
	resetFields     = 2
	resetWords      = 4
	settlementWords = 2
	settledWords    = 3
)

// decode checks the tag and parses data. The message shares no memory with data; its
// deltas' rows are valid until the next call.
func (r *reader) decode(data []byte) (*Message, error) {
	if len(data) > MaxMessage {
		return nil, ErrOversize
	}
	body, ok := r.secret.open(data)
	if !ok {
		return nil, ErrTag
	}
	return r.parse(body)
}

func (r *reader) parse(body []byte) (*Message, error) {
	r.data, r.err, r.rows = body, nil, r.rows[:0]
	r.src.Reset(body)
	r.dec.ResetReader(&r.src)
	if v := r.uint(); r.err == nil && v != Version {
		return nil, fmt.Errorf("%w %d, this is %d", ErrVersion, v, Version)
	}
	m := &Message{}
	kind := r.uint()
	if kind == 0 || kind >= uint64(kindEnd) {
		r.fail("kind")
	}
	m.Kind = Kind(kind)
	for range r.mapLen() {
		r.field(m, r.uint())
		if r.err != nil {
			break
		}
	}
	switch {
	case r.err != nil:
	case r.src.Len() > 0:
		r.fail("trailing bytes")
	case !ValidName(m.Node) || m.Replica == 0:
		r.fail("no sender") // its name goes into subjects
	}
	r.data = nil
	if r.err != nil {
		return nil, r.err
	}
	return m, nil
}

func (r *reader) field(m *Message, field uint64) {
	switch field {
	case fieldNode:
		m.Node = r.name()
	case fieldReplica:
		m.Replica = crdt.Replica(r.uint())
	case fieldSent:
		m.Sent = r.int()
		if m.Sent > crdt.End || m.Sent < -crdt.End {
			r.fail("sent time")
		}
	case fieldSeq:
		m.Seq = r.uint()
	case fieldDeltas:
		m.Deltas = r.deltas()
	case fieldJoining:
		m.Joining = r.bool()
	case fieldHeard:
		m.Heard = records(r, heardWords, maxHeard, func(w words) Heard {
			h := Heard{Replica: crdt.Replica(w.at(0)), Seq: w.at(1), Lag: int64(w.at(2))}
			if h.Lag < -maxOffset || h.Lag > maxOffset {
				r.fail("lag") // sums of lags have to fit
			}
			return h
		})
	case fieldRoots:
		m.Roots = records(r, rootWords, maxRoots, func(w words) Root {
			return Root{
				Replica: crdt.Replica(w.at(0)),
				Window:  Window{Width: int64(w.at(1)), Start: int64(w.at(2))},
				Digest:  crdt.Digest(w.at(3)),
			}
		})
	case fieldLimits:
		m.Limits = crdt.Digest(r.uint())
	case fieldBase:
		m.Base = crdt.Digest(r.uint())
	case fieldRegs:
		m.Regs = r.registers()
	case fieldResets:
		m.Resets = r.resets()
	case fieldRequest:
		m.Request = r.uint()
	case fieldOf:
		m.Of = crdt.Replica(r.uint())
	case fieldSince:
		m.Since = r.uint()
	case fieldHave:
		m.Have = records(r, haveWords, maxWindows, func(w words) Partitioned {
			p := Partitioned{Window: Window{Width: int64(w.at(0)), Start: int64(w.at(1))}}
			for i := range p.Digests {
				p.Digests[i] = crdt.Digest(w.at(2 + i))
			}
			return p
		})
	case fieldCursor:
		m.Cursor = unpack(r.uint())
	case fieldNext:
		m.Next = unpack(r.uint())
	case fieldLast:
		m.Last = r.bool()
	case fieldDone:
		m.Done = r.bool()
	case fieldPage:
		m.Page = r.uint()
	case fieldOrigins:
		m.Origins = records(r, rootWords, maxRoots, func(w words) OriginRoot {
			return OriginRoot{
				Window: Window{Width: int64(w.at(0)), Start: int64(w.at(1))},
				From:   uint32(w.at(2) >> 32), Count: uint32(w.at(2)), Digest: crdt.Digest(w.at(3)), //nolint:gosec // halves
			}
		})
	case fieldSettlements:
		m.Settlements = records(r, settlementWords, maxSettlements, func(w words) Settlement {
			s := Settlement{ID: w.at(0), Actual: int64(w.at(1))}
			if s.Actual < 0 || s.Actual > crdt.MaxTotal {
				r.fail("settlement")
			}
			return s
		})
	case fieldSettled:
		m.Settled = records(r, settledWords, maxSettlements, func(w words) Settled {
			s := Settled{ID: w.at(0), Back: int64(w.at(1)), Known: w.at(2) == 1}
			if s.Back < -crdt.MaxTotal || s.Back > crdt.MaxTotal || w.at(2) > 1 {
				r.fail("settled")
			}
			return s
		})
	default:
		r.skip(0)
	}
}

func (r *reader) registers() []Register {
	const least = 4 // a fixnum, an empty string or nil each
	n := r.arrayLen(maxRegisters*registerFields, 1)
	if n%registerFields != 0 || n/registerFields*least > r.src.Len() {
		r.fail("limits")
	}
	if n == 0 || r.err != nil {
		return nil
	}
	out := make([]Register, n/registerFields)
	for i := range out {
		out[i] = Register{Name: r.name(), Stamp: crdt.Stamp{At: r.int(), By: crdt.Replica(r.uint())}}
		out[i].Value = bytes.Clone(r.bytes())
		if r.err != nil {
			return nil
		}
	}
	return out
}

func (r *reader) resets() []ClientReset {
	const least = 1 + 2 + resetWords*8
	n := r.arrayLen(maxResets*resetFields, 1)
	if n%resetFields != 0 || n/resetFields*least > r.src.Len() {
		r.fail("resets")
	}
	if n == 0 || r.err != nil {
		return nil
	}
	out := make([]ClientReset, n/resetFields)
	for i := range out {
		out[i].Limit = r.name()
		w := words(r.bytes())
		if r.err != nil || len(w) != resetWords*8 {
			r.fail("reset")
			return nil
		}
		out[i].Key = crdt.Key{Hi: w.at(0), Lo: w.at(1)}
		out[i].Stamp = crdt.Stamp{At: int64(w.at(2)), By: crdt.Replica(w.at(3))}
	}
	return out
}
