package sync

import (
	"bytes"
	"fmt"

	"github.com/vmihailenco/msgpack/v5"
	"github.com/vmihailenco/msgpack/v5/msgpcode"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
)

// reader decodes messages. It never trusts a length: it checks each against what is left
// of the message, so that decoding allocates at most 4 times the message plus 4 KiB (N9).
// Not safe for concurrent use.
type reader struct {
	seals seals
	data  []byte           // the message being read, without its tag
	src   bytes.Reader     // over data: what is left of it
	dec   *msgpack.Decoder // over src; it never reads ahead
	err   error            // the first one; nothing is read after it
	rows  []crdt.Row       // of the message read last; room for as many as fit into one
	words words            // of the record being read
}

// newReader makes a reader of broadcasts, and of what is addressed to self.
func newReader(s Secret, self crdt.Replica) *reader {
	// A row takes 64 bytes in memory and at least 16 on the wire.
	r := &reader{seals: newSeals(s, self), rows: make([]crdt.Row, 0, MaxMessage/16)}
	r.dec = msgpack.NewDecoder(&r.src)
	return r
}

// takeRows makes room for n more rows of this message; nil if no message has so many.
func (r *reader) takeRows(n int) []crdt.Row {
	from := len(r.rows)
	if n > cap(r.rows)-from {
		return nil
	}
	r.rows = r.rows[:from+n]
	return r.rows[from : from+n : from+n]
}

// fail keeps the first error: later ones follow from it.
func (r *reader) fail(what string) {
	if r.err == nil {
		r.err = fmt.Errorf("%w: %s", ErrMalformed, what)
	}
}

// check turns the library's error into ours, whose text never quotes the message.
func (r *reader) check(err error, what string) bool {
	if err != nil {
		r.fail(what)
	}
	return r.err == nil
}

// code is the next value's type, which stays to be read; false if there is none.
func (r *reader) code() (byte, bool) {
	if r.err != nil || r.src.Len() == 0 {
		r.fail("short")
		return 0, false
	}
	return r.data[len(r.data)-r.src.Len()], true
}

// uint reads an unsigned integer. The library would also convert floats and signed
// integers, and so turn a field of another meaning into a number.
func (r *reader) uint() uint64 {
	c, ok := r.code()
	if !ok {
		return 0
	}
	if c > msgpcode.PosFixedNumHigh && (c < msgpcode.Uint8 || c > msgpcode.Uint64) {
		r.fail("not an unsigned integer")
		return 0
	}
	v, err := r.dec.DecodeUint64()
	r.check(err, "integer")
	return v
}

// int reads an integer of either sign, in any of the integers' encodings.
func (r *reader) int() int64 {
	c, ok := r.code()
	if !ok {
		return 0
	}
	if !msgpcode.IsFixedNum(c) && (c < msgpcode.Uint8 || c > msgpcode.Int64) {
		r.fail("not an integer")
		return 0
	}
	v, err := r.dec.DecodeInt64()
	r.check(err, "integer")
	return v
}

// bool reads a truth value. Nil is false, as the library has it.
func (r *reader) bool() bool {
	if _, ok := r.code(); !ok {
		return false
	}
	v, err := r.dec.DecodeBool()
	r.check(err, "bool")
	return v
}

// bytes reads a byte string and returns a view into the message.
func (r *reader) bytes() []byte {
	if _, ok := r.code(); !ok {
		return nil
	}
	n, err := r.dec.DecodeBytesLen()
	if !r.check(err, "bytes") {
		return nil
	}
	return r.take(n)
}

// take returns the next n bytes, a view into the message.
func (r *reader) take(n int) []byte {
	if n <= 0 {
		return nil
	}
	if n > r.src.Len() {
		r.fail("length")
		return nil
	}
	at := len(r.data) - r.src.Len()
	_, _ = r.src.Seek(int64(at+n), 0)
	return r.data[at : at+n]
}

// name reads a node's or a limit's name.
func (r *reader) name() string {
	b := r.bytes()
	if len(b) > maxName {
		r.fail("name")
		return ""
	}
	return string(b)
}

// arrayLen reads an array's header: at most most elements, each of at least least bytes.
func (r *reader) arrayLen(most, least int) int {
	if _, ok := r.code(); !ok {
		return 0
	}
	n, err := r.dec.DecodeArrayLen()
	if !r.check(err, "array") {
		return 0
	}
	if n < 0 || n > most || n*least > r.src.Len() {
		r.fail("array length")
		return 0
	}
	return n
}

// mapLen reads a map's header.
func (r *reader) mapLen() int {
	// mostFields leaves room for fields of newer versions. Raising it lets a message of
	// unknown fields cost more time; lowering it would refuse newer versions' messages.
	const mostFields = 64
	if _, ok := r.code(); !ok {
		return 0
	}
	n, err := r.dec.DecodeMapLen()
	if !r.check(err, "map") {
		return 0
	}
	if n < 0 || n > mostFields || n*2 > r.src.Len() {
		r.fail("map length")
		return 0
	}
	return n
}

// skip passes over one value of a field that a newer version added.
func (r *reader) skip(depth int) {
	// deepest bounds the recursion. Raising it lets a short message take more stack;
	// lowering it would refuse newer versions' fields.
	const deepest = 4
	c, ok := r.code()
	switch {
	case !ok:
	case depth > deepest:
		r.fail("nesting")
	case msgpcode.IsFixedNum(c):
		r.take(1)
	case c == msgpcode.Nil, c == msgpcode.True, c == msgpcode.False:
		r.take(1)
	case msgpcode.IsString(c), msgpcode.IsBin(c):
		r.bytes()
	case msgpcode.IsFixedArray(c), c == msgpcode.Array16, c == msgpcode.Array32:
		for range r.arrayLen(MaxMessage, 1) {
			r.skip(depth + 1)
			if r.err != nil {
				return
			}
		}
	case msgpcode.IsFixedMap(c), c == msgpcode.Map16, c == msgpcode.Map32:
		for range 2 * r.mapLen() {
			r.skip(depth + 1)
			if r.err != nil {
				return
			}
		}
	case c == msgpcode.Uint8, c == msgpcode.Int8:
		r.take(2)
	case c == msgpcode.Uint16, c == msgpcode.Int16:
		r.take(3)
	case c == msgpcode.Uint32, c == msgpcode.Int32, c == msgpcode.Float:
		r.take(5)
	case c == msgpcode.Uint64, c == msgpcode.Int64, c == msgpcode.Double:
		r.take(9)
	default:
		r.fail("unknown value")
	}
}
