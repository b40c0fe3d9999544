package sync

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"fmt"

	"github.com/vmihailenco/msgpack/v5"
)

// Version is the wire format's major version. A receiver refuses and counts a message
// of another version. Within one version it skips fields that it does not know.
const Version = 1

// Why a receiver refuses a message's bytes. The engine counts drops by these.
var (
	ErrTag       = errors.New("sync: message tag does not match: corrupted, foreign, or made under another cluster key")
	ErrVersion   = errors.New("sync: unknown wire version")
	ErrMalformed = errors.New("sync: malformed message")
	ErrOversize  = errors.New("sync: message over its size cap")
	ErrSignature = errors.New("sync: message is not signed by a key that is listed for its sender")
)

// writer encodes messages into one reused buffer. Not safe for concurrent use.
type writer struct {
	secret Secret
	signer signer
	buf    bytes.Buffer
	enc    *msgpack.Encoder
	batch  *Batch // rows of the message being encoded; nil or empty: it has none
	words  words
}

func newWriter(s Secret) *writer {
	w := &writer{secret: s}
	w.enc = msgpack.NewEncoder(&w.buf)
	return w
}

// encode returns the sealed bytes of m, with the rows of b instead of m.Deltas if b
// is not nil. The result is the caller's, in one allocation of its exact size. Writing to a
// bytes.Buffer cannot fail, so nothing here looks at the encoder's errors.
func (w *writer) encode(m *Message, b *Batch) []byte {
	if b == nil && len(m.Deltas) > 0 {
		b = &Batch{}
		for i := range m.Deltas {
			b.AddDelta(&m.Deltas[i])
		}
	}
	w.batch = b
	w.buf.Reset()
	_ = w.enc.EncodeUint(Version)
	_ = w.enc.EncodeUint(uint64(m.Kind))
	n := 0
	for key := range fields {
		if w.has(m, key) {
			n++
		}
	}
	if len(w.signer.key) > 0 {
		n++
	}
	_ = w.enc.EncodeMapLen(n)
	for key := range fields {
		if w.has(m, key) {
			_ = w.enc.EncodeUint(uint64(key)) //nolint:gosec // an index
			fields[key].put(w, m)
		}
	}
	if len(w.signer.key) == 0 {
		out := make([]byte, 0, w.buf.Len()+tagSize)
		return w.secret.to(m.To).seal(append(out, w.buf.Bytes()...))
	}
	_, _ = w.buf.Write(signatureHead[:])
	out := make([]byte, 0, w.buf.Len()+ed25519.SignatureSize+tagSize)
	out = append(append(out, w.buf.Bytes()...), w.signer.sign(m.To, w.buf.Bytes())...)
	return w.secret.to(m.To).seal(out)
}

// has reports whether m has something to send under a key.
func (w *writer) has(m *Message, key int) bool {
	f := &fields[key]
	return f.there != nil && f.there(w, m)
}

// decode checks the tag and parses data. The message shares no memory with data; its
// deltas' rows are valid until the next call.
func (r *reader) decode(data []byte) (*Message, error) {
	if err := r.seals.check(data); err != nil {
		return nil, err
	}
	return r.parse(data[:len(data)-tagSize])
}

// parse reads a message without its tag. The version comes first, since nothing after it
// is known to look like this version's. Nothing of a bad message is returned (N9).
func (r *reader) parse(body []byte) (*Message, error) {
	r.data, r.err, r.rows = body, nil, r.rows[:0]
	r.src.Reset(body)
	r.dec.ResetReader(&r.src)
	if v := r.uint(); r.err == nil && v != Version {
		return nil, fmt.Errorf("%w %d, this node speaks %d", ErrVersion, v, Version)
	}
	m := &Message{}
	kind := r.uint()
	if kind == 0 || kind >= uint64(kindEnd) || r.err == nil && uint64(body[1]) != kind {
		r.fail("kind") // one byte, where the tag's check looks for it
	}
	if m.Kind = Kind(kind); m.Kind.addressed() {
		m.To = r.seals.self
	}
	for range r.mapLen() {
		if r.field(m, r.uint()); r.err != nil {
			break
		}
	}
	switch {
	case r.err != nil:
	case r.src.Len() > 0:
		r.fail("trailing bytes")
	case !ValidName(m.Node) || m.Replica == 0:
		r.fail("no sender") // the sender's name goes into subjects
	}
	r.data = nil
	if r.err != nil {
		return nil, r.err
	}
	return m, nil
}

// field reads one field's value, or skips it where a newer version added the field.
func (r *reader) field(m *Message, key uint64) {
	if key < uint64(len(fields)) && fields[key].take != nil {
		fields[key].take(r, m)
	} else {
		r.skip(0)
	}
}
