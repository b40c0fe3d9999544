package sync

import (
	"encoding/binary"
	"slices"

	"github.com/vmihailenco/msgpack/v5"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
)

// Batch collects rows for one message, in groups that share everything but the client.
// Each group is columns: the rows' keys, a mask of two bits a row (has a current part, has
// a previous part), then P, N and origin of each part. An empty part costs its bit; a
// client costs about 23 bytes for one window and 30 for two. The zero value is an empty
// batch. Not safe for concurrent use.
type Batch struct {
	groups []group
	used   int // groups in use; the rest keeps its buffers
	size   int // upper bound of the encoded bytes
}

type group struct {
	head    crdt.Delta // without rows
	n       int        // rows
	nparts  int        // parts of all rows
	keys    []byte     // 16 bytes a row
	mask    []byte     // 2 bits a row
	p, n2   []byte     // a varint a part; n2 stays empty while every N is 0
	origins []byte     // a varint a part
}

// Bounds on times that keep sums of them within an int64: a window's width (36 years), and
// how far an origin may lie from its window's start (73 years). Raising them lets sums
// overflow; lowering them refuses rows of older releases.
const (
	maxWidth  = 1 << 60
	maxOffset = 1 << 61
)

const (
	// batchBudget is a message's bytes for rows. Raising it leaves too little room for the
	// message's other fields; lowering it takes more messages.
	batchBudget = MaxMessage - 4<<10
	groupSize   = 160                                // upper bound of a group's fixed part
	rowSize     = 16 + 1 + 2*3*binary.MaxVarintLen64 // upper bound of a row
)

// Reset empties the batch and keeps its buffers.
func (b *Batch) Reset() { b.used, b.size = 0, 0 }

// Empty reports whether the batch has no rows.
func (b *Batch) Empty() bool { return b.used == 0 }

// Len is the number of rows.
func (b *Batch) Len() int {
	n := 0
	for i := range b.groups[:b.used] {
		n += b.groups[i].n
	}
	return n
}

// Add appends a row to the group that head names (its Rows are not read), and reports
// whether there was room. If there was none, the batch is unchanged.
func (b *Batch) Add(head *crdt.Delta, row crdt.Row) bool {
	g := b.group(head)
	if g == nil || b.size+rowSize+g.backfill(row) > batchBudget {
		return false
	}
	before := g.bytes()
	g.add(row)
	b.size += g.bytes() - before
	return true
}

// group finds the group of head, or begins it; nil if there is no room for a group.
func (b *Batch) group(head *crdt.Delta) *group {
	// The last group first: rows of one limit come together.
	for i := b.used - 1; i >= 0; i-- {
		if g := &b.groups[i]; sameGroup(&g.head, head) {
			return g
		}
	}
	if b.used == maxGroups || b.size+groupSize+rowSize > batchBudget {
		return nil
	}
	if b.used == len(b.groups) {
		b.groups = append(b.groups, group{})
	}
	g := &b.groups[b.used]
	b.used++
	b.size += groupSize
	*g = group{
		head: *head, keys: g.keys[:0], mask: g.mask[:0],
		p: g.p[:0], n2: g.n2[:0], origins: g.origins[:0],
	}
	g.head.Rows = nil
	return g
}

// sameGroup compares all of two heads but their rows. A field that is added to crdt.Delta
// belongs here, or rows of different heads end up in one group.
func sameGroup(a, b *crdt.Delta) bool {
	return a.Limit == b.Limit && a.Start == b.Start && a.Replica == b.Replica &&
		a.Revision == b.Revision && a.Reset == b.Reset && a.Width == b.Width &&
		a.Rule == b.Rule && a.Slot == b.Slot
}

// backfill is how many bytes the column of Ns takes for the parts before row: some only if
// row has the group's first N that is not 0.
func (g *group) backfill(row crdt.Row) int {
	if len(g.n2) > 0 || row.Cur.Count.N == 0 && row.Prev.Count.N == 0 {
		return 0
	}
	return g.nparts
}

// bytes is what the group's columns hold; its fixed part was counted when it began.
func (g *group) bytes() int {
	return len(g.keys) + len(g.mask) + len(g.p) + len(g.n2) + len(g.origins)
}

// add appends a row. The caller has made sure that there is room.
func (g *group) add(row crdt.Row) {
	g.keys = binary.LittleEndian.AppendUint64(g.keys, row.Key.Hi)
	g.keys = binary.LittleEndian.AppendUint64(g.keys, row.Key.Lo)
	if g.n%4 == 0 {
		g.mask = append(g.mask, 0)
	}
	bits := byte(0)
	if !row.Cur.Empty() {
		bits |= 1
		g.part(row.Cur, g.head.Start)
	}
	if !row.Prev.Empty() {
		bits |= 2
		g.part(row.Prev, g.head.Start-g.head.Width)
	}
	g.mask[g.n/4] |= bits << (g.n % 4 * 2)
	g.n++
}

// part appends one part. The column of Ns begins with the first N that is not 0, and then
// gets a 0 for each part before it.
func (g *group) part(p crdt.Part, start int64) {
	g.p = binary.AppendUvarint(g.p, p.Count.P)
	if p.Count.N > 0 && len(g.n2) == 0 {
		g.n2 = append(g.n2, make([]byte, g.nparts)...)
	}
	if p.Count.N > 0 || len(g.n2) > 0 {
		g.n2 = binary.AppendUvarint(g.n2, p.Count.N)
	}
	// Origins lie in their window or near it: a small signed offset.
	g.origins = binary.AppendVarint(g.origins, min(max(p.Origin-start, -maxOffset), maxOffset))
	g.nparts++
}

// encode writes the groups in the order in which they began.
func (b *Batch) encode(e *msgpack.Encoder) {
	_ = e.EncodeArrayLen(b.used)
	for i := range b.groups[:b.used] {
		b.groups[i].encode(e)
	}
}

// groupFields is as many as fit into an array's one-byte header. Therefore rule and slot
// share a number: most rows have neither, and it takes one byte then.
const groupFields = 15

// encode cannot fail: it writes to a bytes.Buffer.
func (g *group) encode(e *msgpack.Encoder) {
	h := &g.head
	_ = e.EncodeArrayLen(groupFields)
	_ = e.EncodeString(h.Limit)
	_ = e.EncodeInt(h.Revision.At)
	_ = e.EncodeUint(uint64(h.Revision.By))
	_ = e.EncodeInt(h.Reset.At)
	_ = e.EncodeUint(uint64(h.Reset.By))
	_ = e.EncodeUint(uint64(h.Rule)<<8 | uint64(h.Slot))
	_ = e.EncodeUint(uint64(h.Replica))
	_ = e.EncodeInt(h.Width)
	_ = e.EncodeInt(h.Start)
	_ = e.EncodeUint(uint64(g.n))
	_ = e.EncodeBytes(g.keys)
	_ = e.EncodeBytes(g.mask)
	_ = e.EncodeBytes(g.p)
	_ = e.EncodeBytes(g.n2)
	_ = e.EncodeBytes(g.origins)
}

// minGroup is the least bytes of a group: fixnums, an empty name, one row that says
// nothing. It bounds what the decoder allocates for a claimed number of groups.
const minGroup = 35

// deltas reads all groups, or none.
func (r *reader) deltas() []crdt.Delta {
	n := r.arrayLen(maxGroups, minGroup)
	if n == 0 {
		return nil
	}
	out := make([]crdt.Delta, n)
	for i := range out {
		r.group(&out[i])
		if r.err != nil {
			return nil
		}
	}
	return out
}

// group reads one group. The columns have to hold exactly as many elements as the rows
// claim: a byte too many means that the sender counted otherwise.
func (r *reader) group(d *crdt.Delta) {
	if n := r.arrayLen(groupFields, 1); n != groupFields {
		r.fail("group")
		return
	}
	d.Limit = r.name()
	d.Revision = crdt.Stamp{At: r.int(), By: crdt.Replica(r.uint())}
	d.Reset = crdt.Stamp{At: r.int(), By: crdt.Replica(r.uint())}
	of := r.uint()
	if of >= 1<<24 {
		r.fail("rule")
		return
	}
	d.Rule, d.Slot = uint16(of>>8), uint8(of)
	d.Replica = crdt.Replica(r.uint())
	d.Width, d.Start = r.int(), r.int()
	n := r.uint()
	keys, mask, p, n2, origins := r.bytes(), r.bytes(), r.bytes(), r.bytes(), r.bytes()
	if r.err != nil {
		return
	}
	if n == 0 || uint64(len(keys)) != n*16 || n > MaxMessage || uint64(len(mask)) != (n+3)/4 ||
		d.Width <= 0 || d.Width > maxWidth || d.Start < -crdt.End || d.Start > crdt.End {
		r.fail("group size")
		return
	}
	c := columns{p: p, n: n2, origins: origins, sparse: len(n2) == 0}
	if d.Rows = r.takeRows(int(n)); d.Rows == nil { //nolint:gosec // at most MaxMessage
		r.fail("rows")
		return
	}
	for i := range d.Rows {
		row := &d.Rows[i]
		row.Key.Hi = binary.LittleEndian.Uint64(keys[i*16:])
		row.Key.Lo = binary.LittleEndian.Uint64(keys[i*16+8:])
		bits := mask[i/4] >> (i % 4 * 2) & 3
		row.Cur = c.part(bits&1 != 0, d.Start)
		row.Prev = c.part(bits&2 != 0, d.Start-d.Width)
	}
	if c.bad || len(c.p)+len(c.n)+len(c.origins) > 0 {
		d.Rows = nil
		r.fail("group columns")
	}
}

// columns reads parts off the three columns.
type columns struct {
	p, n, origins []byte // what is left of each
	sparse        bool   // the column of Ns was left out: all are 0
	bad           bool   // sticky: a column is too short, or a value out of its range
}

// part reads one part of a window that begins at start. Values that no honest counter
// reaches make the whole group bad.
func (c *columns) part(there bool, start int64) crdt.Part {
	part := crdt.Part{Origin: crdt.Never}
	if !there || c.bad {
		return part
	}
	var k int
	part.Count.P, k = binary.Uvarint(c.p)
	c.p = c.skip(c.p, k)
	if !c.sparse {
		part.Count.N, k = binary.Uvarint(c.n)
		c.n = c.skip(c.n, k)
	}
	offset, k := binary.Varint(c.origins)
	c.origins = c.skip(c.origins, k)
	if offset < -maxOffset || offset > maxOffset || !part.Count.Valid() {
		c.bad = true
		return part
	}
	part.Origin = start + offset
	if part.Origin <= crdt.Never || part.Origin > crdt.End {
		c.bad = true
	}
	return part
}

// skip drops the k bytes of a varint; k says as encoding/binary does that there was none.
func (c *columns) skip(b []byte, k int) []byte {
	if k <= 0 || k > len(b) {
		c.bad = true
		return nil
	}
	return b[k:]
}

// rowsOf is the rows of all deltas in m.
func (m *Message) rowsOf() int {
	n := 0
	for i := range m.Deltas {
		n += len(m.Deltas[i].Rows)
	}
	return n
}

// AddDelta puts a whole delta into the batch and reports whether all of it fitted.
func (b *Batch) AddDelta(d *crdt.Delta) bool {
	return !slices.ContainsFunc(d.Rows, func(row crdt.Row) bool { return !b.Add(d, row) })
}
