package sync

import (
	"bytes"
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"

	"github.com/vmihailenco/msgpack/v5"
	"pgregory.net/rapid"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
)

var testSecret = NewSecret([]byte("key of the tests"), "message tag")

// testSelf is whom messages of the tests are addressed to.
const testSelf = crdt.Replica(77)

// sealed is a body with the tag that the receiver of the tests expects.
func sealed(b []byte) []byte {
	secret := testSecret
	if len(b) > 1 && Kind(b[1]).addressed() {
		secret = secret.to(testSelf)
	}
	return secret.seal(bytes.Clone(b))
}

// fullMessage has something in every field.
func fullMessage() *Message {
	part := crdt.Part{Origin: 61e9, Count: crdt.Count{P: 300, N: 7}}
	return &Message{
		Kind: KindDelta, Node: "api-1", Replica: 0xfeed, Sent: 1_700_000_000_123_456_789, Seq: 42,
		Deltas: []crdt.Delta{{
			Limit: "login", Revision: crdt.Stamp{At: 5, By: 6}, Reset: crdt.Stamp{At: 7, By: 8},
			Rule: 512, Slot: 37, Replica: 9, Width: 60e9, Start: 60e9,
			Rows: []crdt.Row{
				{Key: crdt.Key{Hi: 1, Lo: 2}, Cur: part, Prev: crdt.Part{Origin: crdt.Never}},
				{Key: crdt.Key{Hi: 3, Lo: 4}, Cur: crdt.Part{Origin: 60e9, Count: crdt.Count{P: 1}}, Prev: crdt.Part{Origin: 5}},
			},
		}},
		Joining: true,
		Heard:   []Heard{{Replica: 10, Beat: 11, Member: true, Lag: -12}},
		Beat:    48, HeardFrom: 65, HeardTo: 66, Circle: 67,
		Held:    []Held{{Name: 49, Stamp: crdt.Stamp{At: 50, By: 51}, Value: 57}},
		Roots:   []Root{{Replica: 13, Window: Window{Width: 60e9, Start: 120e9}, Digest: math.MaxUint64}},
		Limits:  14,
		Regs:    []Register{{Name: "login", Stamp: crdt.Stamp{At: 15, By: 16}, Value: []byte("five a minute")}},
		Resets:  []ClientReset{{Limit: "login", Key: crdt.Key{Hi: 17, Lo: 18}, Stamp: crdt.Stamp{At: 19, By: 20}}},
		Request: 21, Of: 22, Since: 23,
		Have:   []Partitioned{{Window: Window{Width: 1, Start: 2}, Digests: [crdt.Partitions]crdt.Digest{0: 1, 255: 2}}},
		Cursor: Cursor{Partition: 24, Row: 33, Index: 25}, Next: Cursor{Partition: 26, Row: 34, Index: 27}, Page: 28, Base: 36,
		Origins: []OriginRoot{{Window: Window{Width: 29, Start: 30}, From: 31, Count: 35, Digest: 32}},
		Last:    true, Done: true,
		Known:       []Known{{Replica: 42, Merged: 43, Bye: 44}},
		Settlements: []Settlement{{ID: 38, Actual: 39}}, Settled: []Settled{{ID: 40, Back: -41, Known: true, Short: ShortDrained}}, Beyond: []Beyond{{ID: 46, Units: 47}},
		Refunds: []Refund{{ID: 38, Life: Life{Key: crdt.Key{Hi: 48, Lo: 49}, Life: crdt.Life{Revision: crdt.Stamp{At: 50, By: 51}, Reset: crdt.Stamp{At: 54, By: 55}}}}},
		Missing: []Missing{{Of: 45, Span: Span{Began: 47, Ended: 46, Kind: SpanHealed}}},
		Founded: 52, Before: 53, Members: 56, Unsure: true,
		Wants: []Want{{Key: crdt.Key{Hi: 58, Lo: 59}, Terms: 60, Wanted: 61, Held: 62, Back: 66, BackOf: 67}}, Low: 63, Lent: []Lent{{Amount: 64, Of: 68}},
		Roll: 65, Opened: true, Enrolled: []Enrolled{{Name: "api-2", Gone: true}},
	}
}

// body is the message's bytes without the tag.
func body(m *Message) []byte {
	b := newWriter(testSecret).encode(m, nil)
	return b[:len(b)-tagSize]
}

func TestEveryMessageComesBackAsItWas(t *testing.T) {
	w, r := newWriter(testSecret), newReader(testSecret, testSelf)
	rapid.Check(t, func(t *rapid.T) {
		m := genMessage(t)
		data := w.encode(m, nil)
		got, err := r.decode(data)
		if err != nil {
			t.Fatalf("%v\n%+v", err, m)
		}
		if !reflect.DeepEqual(got, m) {
			t.Fatalf("sent\n%+v\ngot\n%+v", m, got)
		}
	})
}

// A field that someone adds to Message and forgets in the writer or the reader
// shows here.
func TestEveryFieldIsOnTheWire(t *testing.T) {
	full := reflect.ValueOf(fullMessage()).Elem()
	got, err := newReader(testSecret, testSelf).decode(newWriter(testSecret).encode(fullMessage(), nil))
	if err != nil {
		t.Fatal(err)
	}
	back := reflect.ValueOf(got).Elem()
	for i := range full.NumField() {
		name := full.Type().Field(i).Name
		if name == "To" { // the tag says it
			continue
		}
		if full.Field(i).IsZero() {
			t.Errorf("%s: this test has to give it a value", name)
		}
		if !reflect.DeepEqual(full.Field(i).Interface(), back.Field(i).Interface()) {
			t.Errorf("%s: sent %v, got %v", name, full.Field(i), back.Field(i))
		}
	}
}

func TestDecodedMessageSharesNoMemoryWithItsBytes(t *testing.T) {
	data := newWriter(testSecret).encode(fullMessage(), nil)
	got, err := newReader(testSecret, testSelf).decode(data)
	if err != nil {
		t.Fatal(err)
	}
	for i := range data {
		data[i] = 0xee
	}
	if !reflect.DeepEqual(got, fullMessage()) {
		t.Error("the message changed with the buffer it came from")
	}
}

func TestEncodedBytesAreTheCallers(t *testing.T) {
	w := newWriter(testSecret)
	first := w.encode(fullMessage(), nil)
	was := bytes.Clone(first)
	w.encode(&Message{Kind: KindBye, Node: "other", Replica: 1}, nil)
	if !bytes.Equal(first, was) {
		t.Error("a later message overwrote an earlier one")
	}
}

// newer builds, by hand, a message of a later minor version: a full header with
// one more field, which put writes.
func newer(t *testing.T, field uint64, put func(e *msgpack.Encoder)) []byte {
	t.Helper()
	var buf bytes.Buffer
	e := msgpack.NewEncoder(&buf)
	for _, err := range []error{
		e.EncodeUint(Version), e.EncodeUint(uint64(KindBeat)), e.EncodeMapLen(4),
		e.EncodeUint(uint64(keyOf("Node"))), e.EncodeString("n1"),
		e.EncodeUint(field),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	put(e)
	for _, err := range []error{
		e.EncodeUint(uint64(keyOf("Replica"))), e.EncodeUint(5), e.EncodeUint(uint64(keyOf("Seq"))), e.EncodeUint(6),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return buf.Bytes()
}

func TestUnknownFieldsOfANewerMinorVersionAreSkipped(t *testing.T) {
	values := map[string]func(e *msgpack.Encoder){
		"nil":       func(e *msgpack.Encoder) { _ = e.EncodeNil() },
		"bool":      func(e *msgpack.Encoder) { _ = e.EncodeBool(false) },
		"fixnum":    func(e *msgpack.Encoder) { _ = e.EncodeInt(-3) },
		"uint8":     func(e *msgpack.Encoder) { _ = e.EncodeUint8(200) },
		"uint16":    func(e *msgpack.Encoder) { _ = e.EncodeUint16(60000) },
		"uint32":    func(e *msgpack.Encoder) { _ = e.EncodeUint32(1 << 31) },
		"uint64":    func(e *msgpack.Encoder) { _ = e.EncodeUint64(1 << 63) },
		"int8":      func(e *msgpack.Encoder) { _ = e.EncodeInt8(-100) },
		"int16":     func(e *msgpack.Encoder) { _ = e.EncodeInt16(-1000) },
		"int32":     func(e *msgpack.Encoder) { _ = e.EncodeInt32(-100000) },
		"int64":     func(e *msgpack.Encoder) { _ = e.EncodeInt64(math.MinInt64) },
		"float32":   func(e *msgpack.Encoder) { _ = e.EncodeFloat32(1.5) },
		"float64":   func(e *msgpack.Encoder) { _ = e.EncodeFloat64(1.5) },
		"fixstr":    func(e *msgpack.Encoder) { _ = e.EncodeString("x") },
		"str8":      func(e *msgpack.Encoder) { _ = e.EncodeString(strings.Repeat("x", 200)) },
		"str16":     func(e *msgpack.Encoder) { _ = e.EncodeString(strings.Repeat("x", 300)) },
		"empty bin": func(e *msgpack.Encoder) { _ = e.EncodeBytes([]byte{}) },
		"bin16":     func(e *msgpack.Encoder) { _ = e.EncodeBytes(make([]byte, 300)) },
		"array": func(e *msgpack.Encoder) {
			_ = e.EncodeArrayLen(20)
			for range 20 {
				_ = e.EncodeInt(1)
			}
		},
		"map of arrays": func(e *msgpack.Encoder) {
			_ = e.EncodeMapLen(20)
			for i := range 20 {
				_ = e.EncodeInt(int64(i))
				_ = e.EncodeArrayLen(1)
				_ = e.EncodeString("deep")
			}
		},
	}
	for name, put := range values {
		for _, field := range []uint64{uint64(len(fields)), 1 << 20, math.MaxUint64} {
			got, err := newReader(testSecret, testSelf).parse(newer(t, field, put))
			want := &Message{Kind: KindBeat, Node: "n1", Replica: 5, Seq: 6}
			if err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("field %d with %s: %+v, %v", field, name, got, err)
			}
		}
	}
}

func TestUnknownMajorVersionIsRefused(t *testing.T) {
	for _, v := range []byte{0, 2, 100} {
		b := body(fullMessage())
		b[0] = v
		if _, err := newReader(testSecret, testSelf).decode(testSecret.seal(b)); !errors.Is(err, ErrVersion) {
			t.Errorf("version %d: %v", v, err)
		}
	}
	// Whatever follows: a later major version may look like nothing we know.
	if _, err := newReader(testSecret, testSelf).decode(testSecret.seal([]byte{9, 0xc1})); !errors.Is(err, ErrVersion) {
		t.Errorf("unknown layout: %v", err)
	}
}

func TestAnotherKeyOrAFlippedBitIsATagMismatch(t *testing.T) {
	data := newWriter(testSecret).encode(fullMessage(), nil)
	other := newReader(NewSecret([]byte("another key"), "message tag"), testSelf)
	if _, err := other.decode(data); !errors.Is(err, ErrTag) {
		t.Errorf("another key: %v", err)
	}
	other = newReader(NewSecret([]byte("key of the tests"), "client"), testSelf)
	if _, err := other.decode(data); !errors.Is(err, ErrTag) {
		t.Errorf("another purpose: %v", err)
	}
	r := newReader(testSecret, testSelf)
	for i := range data {
		data[i] ^= 1 << (i % 8)
		if _, err := r.decode(data); !errors.Is(err, ErrTag) {
			t.Fatalf("byte %d flipped: %v", i, err)
		}
		data[i] ^= 1 << (i % 8)
	}
}

func TestOversizeIsRefusedBeforeTheTagIsLookedAt(t *testing.T) {
	r := newReader(testSecret, testSelf)
	if _, err := r.decode(make([]byte, MaxMessage+1)); !errors.Is(err, ErrOversize) {
		t.Errorf("one byte over: %v", err)
	}
	if _, err := r.decode(make([]byte, MaxMessage)); !errors.Is(err, ErrTag) {
		t.Errorf("the very size: %v", err)
	}
}

func TestTruncationAtEveryByteIsRefused(t *testing.T) {
	r := newReader(testSecret, testSelf)
	data := newWriter(testSecret).encode(fullMessage(), nil)
	for i := range data {
		if m, err := r.decode(data[:i]); !errors.Is(err, ErrTag) || m != nil {
			t.Fatalf("%d of %d bytes: %v, %v", i, len(data), m, err)
		}
	}
	whole := body(fullMessage())
	for i := range whole {
		if m, err := r.parse(whole[:i]); !errors.Is(err, ErrMalformed) || m != nil {
			t.Fatalf("%d of %d bytes under a good tag: %v, %v", i, len(whole), m, err)
		}
	}
	if _, err := r.parse(append(whole, 0)); !errors.Is(err, ErrMalformed) {
		t.Fatalf("a byte too many: %v", err)
	}
}
