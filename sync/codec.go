package sync

import (
	"bytes"
	"encoding/binary"
)

// codec passes over values of a message in one of three directions: a writer appends
// each value, a reader fills it in, a gauge adds up the least that it takes. One
// description of a field so serves all three.
type codec interface {
	number(*uint64)
	// signed is a number from least to most: written clamped, refused outside.
	signed(v *int64, least, most int64)
	truth(*bool)
	// text is a name, at most maxName bytes.
	text(*string)
	// blob is bytes, which a reader copies.
	blob(*[]byte)
	// open begins a byte string of words, close ends it.
	open() *words
	close()
}

func (w *writer) number(v *uint64) { _ = w.enc.EncodeUint(*v) }
func (w *writer) truth(v *bool)    { _ = w.enc.EncodeBool(*v) }
func (w *writer) text(v *string)   { _ = w.enc.EncodeString(*v) }
func (w *writer) blob(v *[]byte)   { _ = w.enc.EncodeBytes(*v) }

func (w *writer) signed(v *int64, least, most int64) {
	_ = w.enc.EncodeInt(min(max(*v, least), most))
}

// open begins a record in the scratch buffer: its header needs its length, which is known
// at the end.
func (w *writer) open() *words {
	w.words = words{mode: writing, bytes: w.words.bytes[:0]}
	return &w.words
}

func (w *writer) close() { _ = w.enc.EncodeBytes(w.words.bytes) }

func (r *reader) number(v *uint64) { *v = r.uint() }
func (r *reader) truth(v *bool)    { *v = r.bool() }
func (r *reader) text(v *string)   { *v = r.name() }
func (r *reader) blob(v *[]byte)   { *v = bytes.Clone(r.bytes()) }

func (r *reader) signed(v *int64, least, most int64) {
	if *v = r.int(); *v < least || *v > most {
		r.fail("number out of range")
	}
}

func (r *reader) open() *words {
	r.words = words{mode: reading, bytes: r.bytes()}
	return &r.words
}

// close refuses a record that was shorter or longer than its description.
func (r *reader) close() {
	if r.words.bad || len(r.words.bytes) > 0 {
		r.fail("record")
	}
	r.words.bytes = nil // a view into the caller's packet
}

// gauge counts an element's values and the least bytes that they take together.
type gauge struct {
	values, least int
	words         words
}

func (g *gauge) add(least int)               { g.values, g.least = g.values+1, g.least+least }
func (g *gauge) number(*uint64)              { g.add(1) }
func (g *gauge) signed(*int64, int64, int64) { g.add(1) }
func (g *gauge) truth(*bool)                 { g.add(1) }
func (g *gauge) text(*string)                { g.add(1) }
func (g *gauge) blob(*[]byte)                { g.add(1) }
func (g *gauge) open() *words                { g.words = words{}; return &g.words }
func (g *gauge) close()                      { g.add(binHeader + g.words.count*wordSize) }

// measure is the gauge of an element that pass describes.
func measure[T any](pass func(codec, *T)) gauge {
	var g gauge
	pass(&g, new(T))
	return g
}

const (
	wordSize  = 8
	binHeader = 2 // of a byte string up to 255 bytes, the shortest there is
)

var _ = [...]codec{(*writer)(nil), (*reader)(nil), (*gauge)(nil)}

// words passes over a record of little-endian 64-bit words, in the direction that its
// mode says. The zero value counts words.
type words struct {
	mode  wordMode
	bytes []byte // written so far, or still to be read
	count int    // passed
	bad   bool   // sticky: too short, or a value out of its range
}

type wordMode uint8

const (
	counting wordMode = iota
	writing
	reading
)

// uint passes over one word. A description calls it without looking for errors: a record
// that is too short leaves the rest of its values as they are, and counts as bad.
func (w *words) uint(v *uint64) {
	w.count++
	switch {
	case w.mode == writing:
		w.bytes = binary.LittleEndian.AppendUint64(w.bytes, *v)
	case w.mode == counting:
	case len(w.bytes) < wordSize:
		w.bad = true
	default:
		*v = binary.LittleEndian.Uint64(w.bytes)
		w.bytes = w.bytes[wordSize:]
	}
}

// int is a number from least to most: written clamped, refused outside.
func (w *words) int(v *int64, least, most int64) {
	word := uint64(min(max(*v, least), most)) //nolint:gosec // all bits are kept
	w.uint(&word)
	if w.mode == reading {
		*v = int64(word) //nolint:gosec // as above
		w.bad = w.bad || *v < least || *v > most
	}
}

// flagged is a number below 2^63 and a flag in one word, the flag lowest.
func (w *words) flagged(number *uint64, flag *bool) {
	word := *number << 1
	if *flag {
		word |= 1
	}
	w.uint(&word)
	*number, *flag = word>>1, word&1 != 0
}

// halves is two numbers in one word, upper first.
func (w *words) halves(upper, lower *uint32) {
	word := uint64(*upper)<<32 | uint64(*lower)
	w.uint(&word)
	*upper, *lower = uint32(word>>32), uint32(word) //nolint:gosec // halves
}

// recordSize is the bytes of a record that pass describes.
func recordSize[T any](pass func(*words, *T)) int {
	var w words
	pass(&w, new(T))
	return w.count * wordSize
}
