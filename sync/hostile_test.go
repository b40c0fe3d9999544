package sync

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/vmihailenco/msgpack/v5"
	"github.com/vmihailenco/msgpack/v5/msgpcode"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
)

// allocated is what f allocates, size classes included: the least of a few runs,
// since the runtime allocates beside it at times.
func allocated(f func()) uint64 {
	least := ^uint64(0)
	for range 3 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		f()
		runtime.ReadMemStats(&after)
		least = min(least, after.TotalAlloc-before.TotalAlloc)
	}
	return least
}

// most is the promise that package and reader make.
func most(n int) uint64 { return 4*uint64(n) + 4<<10 }

// packed writes values the way msgpack does; []byte is taken as it is.
func packed(values ...any) []byte {
	var buf bytes.Buffer
	e := msgpack.NewEncoder(&buf)
	for _, v := range values {
		switch v := v.(type) {
		case int:
			_ = e.EncodeInt(int64(v))
		case int64:
			_ = e.EncodeInt(v)
		case string:
			_ = e.EncodeString(v)
		case []byte:
			buf.Write(v)
		default:
			panic(fmt.Sprintf("%T", v))
		}
	}
	return buf.Bytes()
}

// with is the body of a message with one field of the bytes value.
func with(field int, value []byte) []byte {
	return packed(Version, int(KindRows), []byte{msgpcode.FixedMapLow | 3},
		keyOf("Node"), "n1", keyOf("Replica"), 5, field, value)
}

// header is a msgpack header of the given code that claims n elements or bytes.
func header(code byte, n uint32) []byte { return binary.BigEndian.AppendUint32([]byte{code}, n) }

// nasty is inputs that make a trusting decoder allocate, recurse or spin. All of
// them have to be refused.
func nasty() map[string][]byte {
	out := map[string][]byte{}
	fields := map[string]int{
		"node": keyOf("Node"), "deltas": keyOf("Deltas"), "heard": keyOf("Heard"), "roots": keyOf("Roots"), "registers": keyOf("Regs"),
		"resets": keyOf("Resets"), "have": keyOf("Have"), "settlements": keyOf("Settlements"), "settled": keyOf("Settled"), "unknown": len(fields) + 1,
	}
	for name, field := range fields {
		// Five bytes that claim megabytes: vmihailenco/msgpack's own slices believe them.
		for _, n := range []uint32{10_000_000, 64 << 20, 1<<32 - 1} {
			out[fmt.Sprintf("%s: array32 of %d", name, n)] = with(field, header(msgpcode.Array32, n))
			out[fmt.Sprintf("%s: bin32 of %d", name, n)] = with(field, header(msgpcode.Bin32, n))
			out[fmt.Sprintf("%s: str32 of %d", name, n)] = with(field, header(msgpcode.Str32, n))
			out[fmt.Sprintf("%s: map32 of %d", name, n)] = with(field, header(msgpcode.Map32, n))
			out[fmt.Sprintf("%s: ext32 of %d", name, n)] = with(field, append(header(msgpcode.Ext32, n), 1))
		}
		out[name+": nested without end"] = with(field, bytes.Repeat([]byte{0x91}, 40_000))
		out[name+": maps without end"] = with(field, bytes.Repeat([]byte{0x81}, 40_000))
	}
	for _, code := range []byte{msgpcode.Map32, msgpcode.Array32} {
		out[fmt.Sprintf("the message as %#x of 4 billion", code)] = packed(Version, int(KindBeat), header(code, 1<<32-1))
	}
	out["a map behind an extension header"] = packed(Version, int(KindBeat), header(msgpcode.Ext32, 1<<31), []byte{1, 0x80})
	out["more fields than there can be"] = packed(Version, int(KindBeat), header(msgpcode.Map32, 1000), bytes.Repeat([]byte{byte(len(fields)), 1}, 1000))
	out["no fields"] = packed(Version, int(KindBeat), []byte{0x80})
	out["nothing"] = nil
	out["an unknown kind"] = packed(Version, int(kindEnd), []byte{0x82}, keyOf("Node"), "n1", keyOf("Replica"), 5)
	out["a kind that a byte cannot hold"] = packed(Version, 256+int(KindBeat), []byte{0x82}, keyOf("Node"), "n1", keyOf("Replica"), 5)
	for what, node := range map[string]string{
		"no name": "", "two tokens": "a.b", "a wildcard": "*", "all wildcards": ">", "a space": "a b",
		"a line": "a\r\nPUB x 0\r\n", "a long name": strings.Repeat("a", maxName+1),
	} {
		out["sender with "+what] = packed(Version, int(KindBeat), []byte{0x82}, keyOf("Node"), node, keyOf("Replica"), 5)
	}
	out["sender without an incarnation"] = packed(Version, int(KindBeat), []byte{0x81}, keyOf("Node"), "n1")
	out["a time beyond all times"] = packed(Version, int(KindBeat), []byte{0x83}, keyOf("Node"), "n1", keyOf("Replica"), 5, keyOf("Sent"), int64(1<<63-1))
	lag := binary.LittleEndian.AppendUint64(make([]byte, 16), 1<<63)
	out["a lag that makes sums overflow"] = with(keyOf("Heard"), append([]byte{msgpcode.Bin8, 24}, lag...))
	out["half a record"] = with(keyOf("Roots"), append([]byte{msgpcode.Bin8, 40}, make([]byte, 40)...))
	out["more peers than there can be"] = with(keyOf("Heard"), append([]byte{msgpcode.Bin16, 0x60, 0x00}, make([]byte, 1024*24)...))
	out["three quarters of a register"] = with(keyOf("Regs"), packed([]byte{0x93}, "a", 1, 1))
	out["a reset with a short key"] = with(keyOf("Resets"), packed([]byte{0x92}, "a", []byte{msgpcode.Bin8, 8}, make([]byte, 60)))
	record := func(values ...uint64) []byte {
		b := []byte{msgpcode.Bin8, byte(8 * len(values))}
		for _, v := range values {
			b = binary.LittleEndian.AppendUint64(b, v)
		}
		return b
	}
	out["a charge above the debt cap that is below 0"] = with(keyOf("Beyond"), record(1, 1<<63))
	out["a settlement without a cost"] = with(keyOf("Settlements"), record(1))
	out["a settlement at a negative cost"] = with(keyOf("Settlements"), record(1, 1<<64-1))
	out["a settlement at a cost above all totals"] = with(keyOf("Settlements"), record(1, crdt.MaxTotal+1))
	out["a bad settlement after a good one"] = with(keyOf("Settlements"), record(1, 5, 2, 1<<63))
	out["more settlements than there can be"] = with(keyOf("Settlements"), append([]byte{msgpcode.Bin16, 0x40, 0x10}, make([]byte, (maxSettlements+1)*16)...))
	out["a settled reservation without an end"] = with(keyOf("Settled"), record(1, 2))
	out["a settled reservation that gave back more than all totals"] = with(keyOf("Settled"), record(1, crdt.MaxTotal+1, 1))
	out["a settled reservation that charged more than all totals"] = with(keyOf("Settled"), record(1, 1<<63, 1))
	out["a settled reservation with a shortfall that there is not"] = with(keyOf("Settled"), record(1, 2, uint64(shortfallEnd)+1))
	out["a refund without a stamp"] = with(keyOf("Refunds"), record(1, 2, 3))
	out["more refunds than there can be"] = with(keyOf("Refunds"), append([]byte{msgpcode.Bin16, 0x50, 0x28}, make([]byte, (maxRefunds+1)*40)...))
	out["more settled reservations than there can be"] = with(keyOf("Settled"), append([]byte{msgpcode.Bin16, 0x60, 0x18}, make([]byte, (maxSettlements+1)*24)...))
	for what, g := range hostileGroups() {
		out["group: "+what] = with(keyOf("Deltas"), append([]byte{0x91}, g...))
	}
	return out
}

// hostileGroups are groups of rows that claim what is not there, or totals that no
// honest counter reaches.
func hostileGroups() map[string][]byte {
	type columns struct{ keys, mask, p, n, origins []byte }
	ok := columns{keys: make([]byte, 16), mask: []byte{1}, p: []byte{5}, origins: []byte{0}}
	bin := func(b []byte) []byte { return append([]byte{msgpcode.Bin8, byte(len(b))}, b...) }
	ruled := func(rule int, n, width, start int64, c columns) []byte {
		return packed([]byte{msgpcode.FixedArrayLow | groupFields}, "l", 1, 1, 0, 0, rule, 0, width, start, n,
			bin(c.keys), bin(c.mask), bin(c.p), bin(c.n), bin(c.origins))
	}
	group := func(n, width, start int64, c columns) []byte { return ruled(0, n, width, start, c) }
	uvarint := func(v uint64) []byte { return binary.AppendUvarint(nil, v) }
	varint := func(v int64) []byte { return binary.AppendVarint(nil, v) }
	change := func(f func(c *columns)) []byte {
		c := ok
		f(&c)
		return group(1, 60e9, 60e9, c)
	}
	return map[string][]byte{
		"no rows":                     group(0, 60e9, 60e9, columns{}),
		"more rows than keys":         group(2, 60e9, 60e9, ok),
		"rows whose size overflows":   group(1<<60+1, 60e9, 60e9, ok),
		"a negative number of rows":   group(-1, 60e9, 60e9, ok),
		"no width":                    group(1, 0, 60e9, ok),
		"a negative width":            group(1, -1, 60e9, ok),
		"a width beyond all":          group(1, maxWidth+1, 60e9, ok),
		"a start beyond all":          group(1, 60e9, crdt.End+1, ok),
		"a start before all":          group(1, 60e9, -crdt.End-1, ok),
		"no mask":                     change(func(c *columns) { c.mask = nil }),
		"a long mask":                 change(func(c *columns) { c.mask = []byte{1, 0} }),
		"no P":                        change(func(c *columns) { c.p = nil }),
		"too many P":                  change(func(c *columns) { c.p = []byte{5, 5} }),
		"a P above the most":          change(func(c *columns) { c.p = uvarint(crdt.MaxTotal + 1) }),
		"a P of eleven bytes":         change(func(c *columns) { c.p = bytes.Repeat([]byte{0xff}, 11) }),
		"a P without an end":          change(func(c *columns) { c.p = []byte{0x80} }),
		"more given back than taken":  change(func(c *columns) { c.n = []byte{6} }),
		"too many N":                  change(func(c *columns) { c.n = []byte{1, 1} }),
		"no origin":                   change(func(c *columns) { c.origins = nil }),
		"an origin far off":           change(func(c *columns) { c.origins = varint(maxOffset + 1) }),
		"an origin far off backwards": change(func(c *columns) { c.origins = varint(-maxOffset - 1) }),
		"an origin without an end":    change(func(c *columns) { c.origins = []byte{0xff, 0xff} }),
		"an origin beyond all times":  group(1, 60e9, crdt.End, columns{keys: ok.keys, mask: []byte{1}, p: ok.p, origins: varint(maxOffset)}),
		"an origin before all times":  group(1, 60e9, -crdt.End, columns{keys: ok.keys, mask: []byte{1}, p: ok.p, origins: varint(-maxOffset)}),
		"too few columns":             packed([]byte{msgpcode.FixedArrayLow | groupFields - 1}, "l", 1, 1, 0, 0, 0, 0, 60, 60, 1, bin(ok.keys), bin(ok.mask), bin(ok.p), bin(nil)),
		"no rule":                     packed([]byte{msgpcode.FixedArrayLow | groupFields - 1}, "l", 1, 1, 0, 0, 0, 60, 60, 1, bin(ok.keys), bin(ok.mask), bin(ok.p), bin(nil), bin(ok.origins)),
		"a rule beyond all":           ruled(1<<24, 1, 60e9, 60e9, ok),
		"a negative rule":             ruled(-1, 1, 60e9, 60e9, ok),
	}
}

func TestHostileBytesAreRefusedWholeAndCheaply(t *testing.T) {
	r := newReader(testSecret, testSelf)
	for name, b := range nasty() {
		m, err := r.parse(b)
		if !errors.Is(err, ErrMalformed) || m != nil {
			t.Errorf("%s: got %+v, %v", name, m, err)
		}
		whole := sealed(b)
		if m, err := r.decode(whole); len(whole) <= MaxMessage && !errors.Is(err, ErrMalformed) || m != nil {
			t.Errorf("%s, sealed: got %+v, %v", name, m, err)
		}
		if n := allocated(func() { _, _ = r.parse(b) }); n > most(len(b)) {
			t.Errorf("%s: %d bytes made the reader allocate %d, at most %d are promised", name, len(b), n, most(len(b)))
		}
	}
}

// The control for the corpus above: what it distorts is accepted undistorted.
func TestPlainHandmadeBytesAreAccepted(t *testing.T) {
	g := packed([]byte{msgpcode.FixedArrayLow | groupFields}, "l", 1, 1, 0, 0, 1<<24-1, 0, int64(60e9), int64(60e9), 1,
		append([]byte{msgpcode.Bin8, 16}, make([]byte, 16)...), []byte{msgpcode.Bin8, 1, 1}, []byte{msgpcode.Bin8, 1, 5},
		[]byte{msgpcode.Bin8, 0}, []byte{msgpcode.Bin8, 1, 0})
	m, err := newReader(testSecret, testSelf).parse(with(keyOf("Deltas"), append([]byte{0x91}, g...)))
	if err != nil || m.rowsOf() != 1 || m.Deltas[0].Rule != 1<<16-1 || m.Deltas[0].Slot != 1<<8-1 || m.Deltas[0].Rows[0].Cur != (crdt.Part{Origin: 60e9, Count: crdt.Count{P: 5}}) {
		t.Fatalf("%+v, %v", m, err)
	}
}

// Accepted messages are bounded too: the worst are those whose rows say nothing,
// since a row takes 64 bytes in memory whatever it says.
func TestDecodingAllocatesAtMostFiveTimesTheMessage(t *testing.T) {
	w, r := newWriter(testSecret), newReader(testSecret, testSelf)
	nothing := crdt.Row{Cur: crdt.Part{Origin: crdt.Never}, Prev: crdt.Part{Origin: crdt.Never}}
	check := func(name string, m *Message) {
		t.Helper()
		data := w.encode(m, nil)
		if _, err := r.decode(data); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if n := allocated(func() { _, _ = r.decode(data) }); n > most(len(data)) {
			t.Errorf("%s: %d bytes made the reader allocate %d, at most %d are promised", name, len(data), n, most(len(data)))
		}
	}
	for _, rows := range []int{1, 2, 3, 5, 17, 100, 511, 513, 641, 700, 1025, 2500} {
		m := &Message{Kind: KindDelta, Node: "n", Replica: 1}
		for i := range min(maxGroups, 2500/rows) {
			m.Deltas = append(m.Deltas, crdt.Delta{
				Replica: crdt.Replica(i), Width: 1, Rows: slices.Repeat([]crdt.Row{nothing}, rows),
			})
		}
		check(fmt.Sprintf("groups of %d rows", rows), m)
	}
	m := &Message{Kind: KindReset, Node: "n", Replica: 1, Resets: make([]ClientReset, maxResets)}
	for i := range m.Resets {
		m.Resets[i].Limit = "ab"
	}
	check("resets", m)
	check("refunds", &Message{
		Kind: KindSettle, To: testSelf, Node: "n", Replica: 1, Settlements: make([]Settlement, maxSettlements), Refunds: make([]Refund, maxRefunds),
	})
	check("settlements", &Message{
		Kind: KindSettle, To: testSelf, Node: "n", Replica: 1, Settlements: make([]Settlement, maxSettlements), Settled: make([]Settled, maxSettlements),
	})
	check("short registers", &Message{Kind: KindLimits, Node: "n", Replica: 1, Regs: make([]Register, maxRegisters)})
	check("everything", fullMessage())
}

// A field may hold its own type and what msgpack reads as that; everything else is
// refused, and nothing panics.
func TestWrongTypesAreRefused(t *testing.T) {
	values := map[string][]byte{
		"nil": {msgpcode.Nil}, "bool": {msgpcode.True}, "uint": {7}, "negative": {0xff}, "int64": append([]byte{msgpcode.Int64}, bytes.Repeat([]byte{0xff}, 8)...),
		"float": append([]byte{msgpcode.Float}, 1, 2, 3, 4), "double": append([]byte{msgpcode.Double}, make([]byte, 8)...),
		"str": packed("wrong"), "bin": {msgpcode.Bin8, 3, 1, 2, 3}, "array": {0x92, 1, 2}, "map": {0x81, 1, 2},
		"ext": {msgpcode.FixExt1, 1, 1}, "time": {msgpcode.FixExt4, 0xff, 0, 0, 0, 1}, "reserved": {0xc1},
	}
	const (
		number  = "uint"
		integer = "uint negative int64"
		text    = "str" // a name in bytes is one as well, but the corpus' is not a name
		truth   = "bool nil"
		records = "nil"
	)
	accepts := map[string]string{
		"Node": text, "Replica": number, "Sent": integer, "Seq": number, "Deltas": "", "Joining": truth,
		"Heard": records, "Roots": records, "Limits": number, "Regs": "", "Resets": "", "Request": number,
		"Of": number, "Since": number, "Have": records, "Cursor": number, "Next": number,
		"Last": truth, "Done": truth, "Page": number, "Origins": records, "Base": number,
		"Settlements": records, "Settled": records, "Known": records, "Beyond": records,
		"Missing": records, "Refunds": records, "Founded": number, "Before": number, "Beat": number, "Held": records, "Members": number, "Unsure": truth,
		"Wants": records, "Low": number, "Lent": records, "HeardFrom": number, "HeardTo": number, "Circle": number,
		"Roll": number, "Opened": truth, "Enrolled": "",
	}
	r := newReader(testSecret, testSelf)
	for field := 1; field < len(fields); field++ {
		ok, listed := accepts[fields[field].name]
		if !listed {
			t.Fatalf("field %d, %s: say here which types it accepts", field, fields[field].name)
		}
		for name, v := range values {
			_, err := r.parse(with(field, v))
			want := slices.Contains(strings.Fields(ok), name)
			if want && err != nil || !want && !errors.Is(err, ErrMalformed) {
				t.Errorf("field %d with %s: %v", field, name, err)
			}
		}
	}
}
