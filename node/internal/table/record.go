package table

import (
	"math"
	"math/bits"
	"slices"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
)

// record is what does not fit into a cell: a pair of totals of the current and the previous
// window. The records of a client are a list that begins in its cell.
type record struct {
	next  uint32    // the client's next record, or the next free one; 0 for the last
	who   uint16    // recordOwn, recordSent, or firstReplica and the replica's number
	count [4]uint32 // P and N of the current window, P and N of the previous one
}

const (
	recordOwn    = iota // this node's counters, without P of the current window
	recordSent          // what of them was sent, without P of the current window
	firstReplica        // another replica's counters

	maxReplicas = math.MaxUint16 - firstReplica
	maxRecorded = math.MaxUint32 // the largest total that a record holds
	// recordChunk is how many records a chunk has, so that one is close to 4 KiB. Raising it keeps more
	// memory for a shard with few records; lowering it makes more objects for the collector.
	recordChunk = 170
)

// records are a shard's records, numbered from 1. Those with the lowest numbers are used first,
// so that whole chunks become free. The zero value is empty.
type records struct {
	// replicas are those that records in use name, each once for each such record.
	replicas numbers[crdt.Replica]
	chunks   []recordsChunk
	// roomy has a bit for each chunk that has free records.
	roomy []uint64
	used  int
}

// recordsChunk are recordChunk records.
type recordsChunk struct {
	of   *[recordChunk]record // nil until one is needed
	free uint32               // the first free record, 0 for none
	used uint8
}

func (r *records) at(i uint32) *record { return &r.chunks[(i-1)/recordChunk].of[(i-1)%recordChunk] }

// take is a record that nobody uses yet.
func (r *records) take() uint32 {
	n := 0
	for n < len(r.roomy) && r.roomy[n] == 0 {
		n++
	}
	if n == len(r.roomy) {
		if len(r.chunks)%64 == 0 {
			r.roomy = append(r.roomy, 0)
		} else {
			n--
		}
		r.roomy[n] |= 1 << (len(r.chunks) % 64)
		r.chunks = append(r.chunks, recordsChunk{})
	}
	n = n*64 + bits.TrailingZeros64(r.roomy[n])
	c := &r.chunks[n]
	if c.of == nil {
		c.of = new([recordChunk]record)
		from := uint32(n)*recordChunk + 1 //nolint:gosec // few
		for i := from + recordChunk - 1; i >= from; i-- {
			r.at(i).next, c.free = c.free, i
		}
	}
	i := c.free
	c.free = r.at(i).next
	r.at(i).next = 0
	c.used++
	r.used++
	if c.free == 0 {
		r.roomy[n/64] &^= 1 << (n % 64)
	}
	return i
}

// give takes a record back.
func (r *records) give(i uint32) {
	n := (i - 1) / recordChunk
	c := &r.chunks[n]
	r.at(i).next, c.free = c.free, i
	c.used--
	r.used--
	r.roomy[n/64] |= 1 << (n % 64)
}

// replica is whose counters a record holds that is another's than this node's.
func (r *records) replica(of *record) crdt.Replica {
	return r.replicas.at(uint32(of.who - firstReplica))
}

// dropReplica counts one use less of the replica that a record names, if it names one.
func (r *records) dropReplica(of *record) {
	if of.who >= firstReplica {
		r.replicas.drop(uint32(of.who - firstReplica))
	}
}

// drop gives a list of records back.
func (r *records) drop(i uint32) {
	for i != 0 {
		of := r.at(i)
		next := of.next
		r.dropReplica(of)
		r.give(i)
		i = next
	}
}

// trim gives back the chunks of which nothing is used, and lets go of replicas.
func (r *records) trim() {
	r.replicas.trim()
	last := 0
	for n := range r.chunks {
		if c := &r.chunks[n]; c.used > 0 {
			last = n + 1
		} else {
			*c = recordsChunk{}
		}
	}
	if 2*last < len(r.chunks) {
		r.chunks = slices.Clone(r.chunks[:last])
		r.roomy = slices.Clone(r.roomy[:(last+63)/64])
		if last%64 > 0 {
			r.roomy[last/64] &= 1<<(last%64) - 1
		}
	}
}

// recorded is a pair of counts as a record holds it, and whether it can.
func recorded(c [2]crdt.Count) (out [4]uint32, fits bool) {
	for i, x := range [4]uint64{c[0].P, c[0].N, c[1].P, c[1].N} {
		if x > maxRecorded {
			return out, false
		}
		out[i] = uint32(x)
	}
	return out, true
}

func (r *record) counts() [2]crdt.Count {
	return [2]crdt.Count{
		{P: uint64(r.count[0]), N: uint64(r.count[1])},
		{P: uint64(r.count[2]), N: uint64(r.count[3])},
	}
}

// writer writes a client's records over those that it had.
type writer struct {
	of *records
	at *uint32 // where the number of the next one is
}

// own writes one of this node's records. The counts fit.
func (w *writer) own(who uint16, count [2]crdt.Count) {
	r, had := w.next()
	if had {
		w.of.dropReplica(r)
	}
	r.who = who
	r.count, _ = recorded(count)
}

// cell writes another replica's record. The counts fit.
func (w *writer) cell(replica crdt.Replica, count [2]crdt.Count) {
	r, had := w.next()
	if !had || r.who < firstReplica || w.of.replica(r) != replica {
		if had {
			w.of.dropReplica(r)
		}
		r.who = firstReplica + uint16(w.of.replicas.use(replica)) //nolint:gosec // at most maxReplicas
	}
	r.count, _ = recorded(count)
}

// next is the record to write, and whether it was the client's before.
func (w *writer) next() (r *record, had bool) {
	if had = *w.at != 0; !had {
		*w.at = w.of.take()
	}
	r = w.of.at(*w.at)
	w.at = &r.next
	return r, had
}

// end gives the records back that were not written over.
func (w *writer) end() {
	i := *w.at
	*w.at = 0
	w.of.drop(i)
}
