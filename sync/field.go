package sync

import "github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"

// field is one row of the wire's table. The functions below make one from a description,
// so that writing and reading cannot disagree.
type field struct {
	name string // the field of Message
	// there reports whether the message has a value worth sending.
	there func(*writer, *Message) bool
	// put appends the value. It is called only if there is one.
	put func(*writer, *Message)
	// take reads the value. It replaces what an earlier value of the same key has left.
	take func(*reader, *Message)
}

// scalar is a field of one value. The zero value is not sent.
func scalar[T comparable](name string, at func(*Message) *T, pass func(codec, *T)) field {
	return field{
		name:  name,
		there: func(_ *writer, m *Message) bool { var zero T; return *at(m) != zero },
		put:   func(w *writer, m *Message) { pass(w, at(m)) },
		take:  func(r *reader, m *Message) { pass(r, at(m)) },
	}
}

// number, truth and text are one value each. An identifier of a type of its own is passed
// as a pointer to its number.
func number(name string, at func(*Message) *uint64) field { return scalar(name, at, codec.number) }
func truth(name string, at func(*Message) *bool) field    { return scalar(name, at, codec.truth) }
func text(name string, at func(*Message) *string) field   { return scalar(name, at, codec.text) }

// signed is a number from least to most: a sender clamps it, a receiver refuses what
// lies outside.
func signed(name string, least, most int64, at func(*Message) *int64) field {
	return scalar(name, at, func(c codec, v *int64) { c.signed(v, least, most) })
}

// cursor packs a place into one number, so that the beginning is 0 and is not sent.
func cursor(name string, at func(*Message) *Cursor) field {
	return scalar(name, at, func(c codec, v *Cursor) {
		packed := v.pack()
		c.number(&packed)
		*v = unpack(packed)
	})
}

// always makes f a field that every message has.
func always(f field) field {
	f.there = func(*writer, *Message) bool { return true }
	return f
}

// records is a list of records of equally many words, at most most, packed into one byte
// string. Its length bounds what a reader allocates: a record takes at most twice as much
// in memory as on the wire.
func records[T any](name string, most int, at func(*Message) *[]T, pass func(*words, *T)) field {
	size := recordSize(pass)
	return field{
		name:  name,
		there: func(_ *writer, m *Message) bool { return len(*at(m)) > 0 },
		put: func(w *writer, m *Message) {
			packed, list := w.open(), *at(m)
			for i := range list {
				pass(packed, &list[i])
			}
			w.close()
		},
		take: func(r *reader, m *Message) {
			*at(m) = nil
			packed := r.open()
			n := len(packed.bytes) / size
			if len(packed.bytes)%size != 0 || n > most {
				r.fail(name + ": records")
			}
			if n == 0 || r.err != nil {
				return
			}
			list := make([]T, n)
			for i := range list {
				pass(packed, &list[i])
			}
			r.close()
			*at(m) = list
		},
	}
}

// array is a list of elements of several values each, at most most, as one flat array. The
// least size of an element bounds what a reader allocates for the length that it is told.
func array[T any](name string, most int, at func(*Message) *[]T, pass func(codec, *T)) field {
	element := measure(pass)
	return field{
		name:  name,
		there: func(_ *writer, m *Message) bool { return len(*at(m)) > 0 },
		put: func(w *writer, m *Message) {
			list := *at(m)
			_ = w.enc.EncodeArrayLen(len(list) * element.values)
			for i := range list {
				pass(w, &list[i])
			}
		},
		take: func(r *reader, m *Message) {
			*at(m) = nil
			values := r.arrayLen(most*element.values, 1)
			n := values / element.values
			if values%element.values != 0 || n*element.least > r.src.Len() {
				r.fail(name + ": length")
			}
			if n == 0 || r.err != nil {
				return
			}
			list := make([]T, n)
			for i := range list {
				if pass(r, &list[i]); r.err != nil {
					return
				}
			}
			*at(m) = list
		},
	}
}

// columnar is the rows: a writer takes them from its batch.
func columnar(name string, at func(*Message) *[]crdt.Delta) field {
	return field{
		name:  name,
		there: func(w *writer, _ *Message) bool { return w.batch != nil && !w.batch.Empty() },
		put:   func(w *writer, _ *Message) { w.batch.encode(w.enc) },
		take:  func(r *reader, m *Message) { *at(m) = r.deltas() },
	}
}

func (c Cursor) pack() uint64 {
	return uint64(c.Partition)<<48 | uint64(c.Row)<<32 | uint64(c.Index)
}

func unpack(v uint64) Cursor {
	return Cursor{Partition: uint16(v >> 48), Row: uint16(v >> 32), Index: uint32(v)}
}
