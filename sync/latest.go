package sync

import (
	"encoding/binary"
	"slices"
	"sync"

	"github.com/vmihailenco/msgpack/v5/msgpcode"
)

// mostOfAnInstant is how many messages of one sending time are told apart: those of one step.
// Raising it takes memory for each member. Lowering it below a flush, an answer and all limits
// lets messages of a busy step wait with those of strangers.
const mostOfAnInstant = 512

// latest is what came last of a member, so that recordings are told from news before they wait.
// NATS keeps the order of a publisher, so what has an earlier sending time was overtaken, or is
// a recording. The zero value has heard nothing. Safe for concurrent use.
type latest struct {
	node string // the member's name, which never changes

	mu   sync.Mutex
	sent int64
	tags []uint64 // of the messages of that time
	// forged paces looks at signatures in the member's name.
	forged bucket
}

// news reports whether a message is later than all before, or was sent together with the latest.
// repeated says that it is one of these. What would be news has to pass verify first: ok says
// that it did, an error that it is forged. So a recording costs no look at its signature, and what is
// forged leaves nothing behind.
func (l *latest) news(data []byte, verify func() (ok bool, err error)) (news, repeated bool, err error) {
	sent, ok := sentOf(data)
	if !ok {
		return false, false, nil
	}
	tag := binary.LittleEndian.Uint64(data[len(data)-tagSize:])
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case sent < l.sent:
		return false, false, nil
	case sent > l.sent:
	case slices.Contains(l.tags, tag):
		return false, true, nil
	case len(l.tags) == mostOfAnInstant:
		return false, false, nil
	}
	if ok, err := verify(); !ok {
		return false, false, err
	}
	if sent > l.sent {
		l.sent, l.tags = sent, l.tags[:0]
	}
	l.tags = append(l.tags, tag)
	return true, false, nil
}

// unmask takes that the engine holds sent for the latest time: a much later one was false.
func (l *latest) unmask(sent int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.sent > sent+echoWithin {
		l.sent = 0
	}
}

// sentOf reads the sending time of a message whose tag is right, without decoding it: name,
// incarnation and time come first in every message. ok is false if they do not.
func sentOf(data []byte) (sent int64, ok bool) {
	c := peek{rest: data}
	c.skip(2) // version and kind
	switch b := c.next(); {
	case b == msgpcode.Map16:
		c.skip(2)
	case b&^msgpcode.FixedMapMask != msgpcode.FixedMapLow:
		return 0, false
	}
	name := c.next() // its key
	switch b := c.next(); {
	case b == msgpcode.Str8:
		c.skip(int(c.next()))
	case b&^msgpcode.FixedStrMask == msgpcode.FixedStrLow:
		c.skip(int(b & msgpcode.FixedStrMask))
	default:
		return 0, false
	}
	incarnation := c.next()
	c.integer()
	at := c.next()
	sent = c.integer()
	return sent, name == 1 && incarnation == 2 && at == 3 && !c.bad
}

// peek walks over the beginning of a message.
type peek struct {
	rest []byte
	bad  bool // sticky: too short, or no integer where one has to be
}

func (c *peek) skip(n int) []byte {
	if n > len(c.rest) {
		c.bad, n = true, len(c.rest)
	}
	b := c.rest[:n]
	c.rest = c.rest[n:]
	return b
}

func (c *peek) next() byte {
	if b := c.skip(1); len(b) == 1 {
		return b[0]
	}
	return 0
}

// integer reads an integer of any size, as 64 bits.
func (c *peek) integer() int64 {
	b := c.next()
	if msgpcode.IsFixedNum(b) {
		return int64(int8(b)) //nolint:gosec // its sign is the lowest byte's
	}
	if b < msgpcode.Uint8 || b > msgpcode.Int64 {
		c.bad = true
		return 0
	}
	size := 1 << ((b - msgpcode.Uint8) % 4)
	var v uint64
	for _, d := range c.skip(size) {
		v = v<<8 | uint64(d)
	}
	if b >= msgpcode.Int8 { // it has a sign
		shift := 64 - 8*size
		return int64(v<<shift) >> shift //nolint:gosec // all bits are kept
	}
	return int64(v) //nolint:gosec // all bits are kept
}
