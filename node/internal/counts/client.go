package counts

import (
	"encoding/binary"
	"slices"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
)

// Rule names a rule that clients were counted by.
type Rule struct {
	Limit    string
	Revision crdt.Stamp
	Index    uint16
	Width    int64
	// Counting tells rules apart that count in different ways under one name.
	Counting uint64
	// Start is a window's of this rule, near which those of the page's clients begin.
	Start int64
}

// Client is what a node held of one client under one limit.
type Client struct {
	Key   crdt.Key
	Reset crdt.Stamp // zero if never
	Lives []Life     // the one that decides first, then the earlier ones by revision; at least one
}

// Life is what was counted in one life.
type Life struct {
	Rule  int // among the page's rules
	Slots []Slot
}

// Slot is one state of a life.
type Slot struct {
	Number uint8
	Start  int64    // of the current window
	Origin [2]int64 // of the current and the previous window; crdt.Never for none
	Cells  []Cell
}

// Cell is one replica's counters of the current and the previous window.
type Cell struct {
	Replica crdt.Replica
	Count   [2]crdt.Count
}

const (
	// mostName is the longest name of a limit, in bytes: that of one that came with a request. A
	// byte holds its length.
	mostName = 64
	// mostRules and mostReplicas are of one page. Raising them takes longer to find one among
	// them; lowering them makes more pages.
	mostRules    = 256
	mostReplicas = 1024
	// mostLives and mostSlots are what a client can have. Raising them lets a bad file take more
	// memory; lowering them leaves out clients that nodes do hold.
	mostLives = 8
	mostSlots = 64
	// mostOffset is how far an origin may lie from its window's start, in nanoseconds, so that
	// sums of both stay within an int64.
	mostOffset = 1 << 61
)

// Page is clients as bytes. The zero Page is empty. Not safe for concurrent use.
type Page struct {
	Rules    []Rule
	replicas []crdt.Replica
	body     []byte
	clients  uint64
	left     uint64 // that did not fit into any page
	rest     cursor // of a page that is being read
	// What was read last.
	client Client
	lives  []Life
	slots  []Slot
	cells  []Cell
}

// The kinds of a page's records.
const (
	recordRule = iota + 1
	recordReplica
	recordClient
)

// Reset empties the page and keeps its memory.
func (p *Page) Reset() {
	p.Rules, p.replicas, p.body, p.clients, p.left = p.Rules[:0], p.replicas[:0], p.body[:0], 0, 0
}

// Full reports whether the page takes no more clients.
func (p *Page) Full() bool {
	return len(p.body) >= fullPage || len(p.Rules) > mostRules-mostLives
}

// Rule adds a rule to a page that is not full, and returns its number.
func (p *Page) Rule(r *Rule) int {
	p.begin()
	p.Rules = append(p.Rules, *r)
	b := p.body
	b = append(b, recordRule, byte(len(r.Limit)))
	b = append(b, r.Limit...)
	b = appendStamp(b, r.Revision)
	b = binary.AppendUvarint(b, uint64(r.Index))
	b = binary.AppendVarint(b, r.Width)
	b = binary.LittleEndian.AppendUint64(b, r.Counting)
	p.body = binary.AppendVarint(b, r.Start)
	return len(p.Rules) - 1
}

func (p *Page) begin() {
	if len(p.body) == 0 {
		p.body = append(p.body, pageClients)
	}
}

// replica is the number of a replica in this page, -1 if there is no room for it.
func (p *Page) replica(r crdt.Replica) int {
	if i := slices.Index(p.replicas, r); i >= 0 {
		return i
	}
	if len(p.replicas) == mostReplicas {
		return -1
	}
	p.replicas = append(p.replicas, r)
	p.body = binary.LittleEndian.AppendUint64(append(p.body, recordReplica), uint64(r))
	return len(p.replicas) - 1
}

// Add adds a client, and reports whether there was room. If not, write the page and add it to the
// next one. A client that an empty page has no room for is left out, and counted.
func (p *Page) Add(c *Client) bool {
	p.begin()
	before := len(p.body)
	for i := range c.Lives {
		for j := range c.Lives[i].Slots {
			for _, cell := range c.Lives[i].Slots[j].Cells {
				if p.replica(cell.Replica) < 0 {
					return p.leave(before)
				}
			}
		}
	}
	b := p.body
	b = append(b, recordClient)
	b = binary.LittleEndian.AppendUint64(b, c.Key.Hi)
	b = binary.LittleEndian.AppendUint64(b, c.Key.Lo)
	flags := byte(len(c.Lives) << 1)
	if c.Reset != (crdt.Stamp{}) {
		flags |= 1
	}
	if b = append(b, flags); flags&1 != 0 {
		b = appendStamp(b, c.Reset)
	}
	for i := range c.Lives {
		b = p.life(b, &c.Lives[i])
	}
	if len(b) > mostPage {
		return p.leave(before)
	}
	p.body = b
	p.clients++
	return true
}

// leave takes back what was added of a client that does not fit. Replicas that it brought stay.
func (p *Page) leave(before int) bool {
	if p.clients > 0 {
		return false
	}
	p.body, p.replicas = p.body[:before], p.replicas[:0]
	p.left++
	return true
}

func (p *Page) life(b []byte, l *Life) []byte {
	base := p.Rules[l.Rule].Start
	b = binary.AppendUvarint(b, uint64(l.Rule)) //nolint:gosec // an index
	b = append(b, byte(len(l.Slots)))
	for i := range l.Slots {
		s := &l.Slots[i]
		b = append(b, s.Number)
		b = binary.AppendVarint(b, s.Start-base)
		there := byte(0)
		for w, o := range s.Origin {
			if o > crdt.Never {
				there |= 1 << w
			}
		}
		b = append(b, there)
		for _, o := range s.Origin {
			if o > crdt.Never {
				b = binary.AppendVarint(b, min(max(o-s.Start, -mostOffset), mostOffset))
			}
		}
		b = binary.AppendUvarint(b, uint64(len(s.Cells)))
		for _, c := range s.Cells {
			b = binary.AppendUvarint(b, uint64(slices.Index(p.replicas, c.Replica))) //nolint:gosec // it is there
			for _, count := range c.Count {
				b = binary.AppendUvarint(b, count.P)
				b = binary.AppendUvarint(b, count.N)
			}
		}
	}
	return b
}

func appendStamp(b []byte, s crdt.Stamp) []byte {
	return binary.LittleEndian.AppendUint64(binary.AppendVarint(b, s.At), uint64(s.By))
}

// read takes a page's body, from which Next reads.
func (p *Page) read(body []byte) {
	p.Reset()
	p.rest = cursor{b: body[1:]}
}

// whole reports whether all of a page was read, and could be.
func (p *Page) whole() bool { return len(p.rest.b) == 0 && !p.rest.bad }

// Next is the next client of a page that a Reader brought, nil after the last one and where the page
// is damaged. It is valid until the next call. Rules that it names are in Rules by then.
func (p *Page) Next() *Client {
	r := &p.rest
	for len(r.b) > 0 && !r.bad {
		switch r.byte() {
		case recordRule:
			p.readRule(r)
		case recordReplica:
			if p.replicas = append(p.replicas, crdt.Replica(r.word())); len(p.replicas) > mostReplicas {
				r.bad = true
			}
		case recordClient:
			if c := p.readClient(r); !r.bad {
				p.clients++
				return c
			}
		default:
			r.bad = true
		}
	}
	return nil
}

// Skip passes over the rest of a page that a Reader brought: whether it is damaged, the Reader says.
func (p *Page) Skip() {
	more := true
	for more {
		more = p.Next() != nil
	}
}

func (p *Page) readRule(r *cursor) {
	rule := Rule{Limit: string(r.take(int(r.byte())))}
	rule.Revision = r.stamp()
	index := r.uint()
	rule.Index, rule.Width, rule.Counting, rule.Start = uint16(index), r.int(), r.word(), r.int() //nolint:gosec // judged below
	if len(rule.Limit) > mostName || index > 1<<16-1 || rule.Width <= 0 || rule.Width > crdt.End || !within(rule.Start) || len(p.Rules) == mostRules {
		r.bad = true
	}
	p.Rules = append(p.Rules, rule)
}

func within(t int64) bool { return t > crdt.Never && t < crdt.End }

// readClient reads a client. Its parts are in the page's scratch.
func (p *Page) readClient(r *cursor) *Client {
	p.lives, p.slots, p.cells = p.lives[:0], p.slots[:0], p.cells[:0]
	c := &p.client
	*c = Client{Key: crdt.Key{Hi: r.word(), Lo: r.word()}}
	flags := r.byte()
	if flags&1 != 0 {
		c.Reset = r.stamp()
	}
	n := int(flags >> 1)
	if n == 0 || n > mostLives {
		r.bad = true
	}
	for range n {
		if r.bad {
			return nil
		}
		p.readLife(r)
	}
	c.Lives = p.lives
	return c
}

func (p *Page) readLife(r *cursor) {
	rule, n := r.uint(), int(r.byte())
	if rule >= uint64(len(p.Rules)) || n == 0 || n > mostSlots {
		r.bad = true
		return
	}
	from := len(p.slots)
	for range n {
		if p.readSlot(r, p.Rules[rule].Start); r.bad {
			return
		}
	}
	p.lives = append(p.lives, Life{Rule: int(rule), Slots: p.slots[from:len(p.slots):len(p.slots)]}) //nolint:gosec // judged above
}

func (p *Page) readSlot(r *cursor, base int64) {
	s := Slot{Number: r.byte(), Origin: [2]int64{crdt.Never, crdt.Never}}
	if d := r.int(); d > -mostOffset && d < mostOffset {
		s.Start = base + d
	} else {
		r.bad = true
	}
	there := r.byte()
	r.bad = r.bad || there > 3 || !within(s.Start)
	for w := range s.Origin {
		if there>>w&1 == 0 || r.bad {
			continue
		}
		d := r.int()
		s.Origin[w] = s.Start + d
		r.bad = r.bad || d < -mostOffset || d > mostOffset || s.Origin[w] <= crdt.Never || s.Origin[w] > crdt.End
	}
	n, from := r.uint(), len(p.cells)
	if n > crdt.MaxCells+1 || n*5 > uint64(len(r.b)) {
		r.bad = true
		return
	}
	for range n {
		i := r.uint()
		c := Cell{Count: [2]crdt.Count{{P: r.uint(), N: r.uint()}, {P: r.uint(), N: r.uint()}}}
		if r.bad = r.bad || i >= uint64(len(p.replicas)) || !c.Count[0].Valid() || !c.Count[1].Valid(); r.bad {
			return
		}
		c.Replica = p.replicas[i]
		p.cells = append(p.cells, c)
	}
	s.Cells = p.cells[from:len(p.cells):len(p.cells)]
	p.slots = append(p.slots, s)
}

// cursor reads values off bytes. What is not there is zero, and makes it bad for good.
type cursor struct {
	b   []byte
	bad bool
}

func (r *cursor) take(n int) []byte {
	if n > len(r.b) {
		r.bad, r.b = true, nil
		return nil
	}
	out := r.b[:n]
	r.b = r.b[n:]
	return out
}

func (r *cursor) byte() byte {
	if b := r.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (r *cursor) word() uint64 {
	if b := r.take(8); b != nil {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}

func (r *cursor) stamp() crdt.Stamp { return crdt.Stamp{At: r.int(), By: crdt.Replica(r.word())} }

func (r *cursor) uint() uint64 {
	v, n := binary.Uvarint(r.b)
	r.take(r.length(n))
	return v
}

func (r *cursor) int() int64 {
	v, n := binary.Varint(r.b)
	r.take(r.length(n))
	return v
}

// length is that of a number of n bytes, as encoding/binary says it.
func (r *cursor) length(n int) int {
	if n <= 0 {
		r.bad = true
		return len(r.b)
	}
	return n
}
