package sync

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
)

// largestEnvelope is a message whose other fields take as much room as they can
// beside a batch.
func largestEnvelope() *Message {
	return &Message{
		Kind: KindRows, To: testSelf, Beat: 1<<64 - 1, Node: strings.Repeat("n", maxName), Replica: 1<<64 - 1, Sent: crdt.End, Seq: 1<<64 - 1,
		Joining: true, Limits: 1<<64 - 1, Request: 1<<64 - 1, Of: 1<<64 - 1, Since: 1<<64 - 1,
		Cursor: unpack(1<<64 - 1), Next: unpack(1<<64 - 1), Last: true, Done: true,
	}
}

// fill adds rows until one is refused, checks that this changed nothing and that
// the message fits and comes back, and returns its bytes.
func fill(t interface {
	Helper()
	Fatalf(string, ...any)
}, next func(i int) (crdt.Delta, crdt.Row),
) []byte {
	t.Helper()
	var b Batch
	w, m := newWriter(testSecret), largestEnvelope()
	n := 0
	for ; ; n++ {
		head, row := next(n)
		if b.Add(&head, row) {
			continue
		}
		before := w.encode(m, &b)
		if b.Add(&head, row) {
			t.Fatalf("row %d was refused and then taken", n)
		}
		if after := w.encode(m, &b); !reflect.DeepEqual(before, after) || b.Len() != n {
			t.Fatalf("row %d was refused and changed the batch", n)
		}
		break
	}
	data := w.encode(m, &b)
	if len(data) > MaxMessage {
		t.Fatalf("%d rows make %d bytes, more than %d", n, len(data), MaxMessage)
	}
	got, err := newReader(testSecret, testSelf).decode(data)
	if err != nil {
		t.Fatalf("%d rows: %v", n, err)
	}
	if got.rowsOf() != n {
		t.Fatalf("%d rows of %d came back", got.rowsOf(), n)
	}
	return data
}

func TestBatchNeverExceedsAMessage(t *testing.T) {
	const start = int64(1_700_000_040e9)
	head := crdt.Delta{Limit: "x", Width: 60e9, Start: start}
	largest := crdt.Delta{
		Limit: strings.Repeat("l", maxName), Revision: crdt.Stamp{At: -1 << 62, By: 1<<64 - 1},
		Reset: crdt.Stamp{At: -1 << 62, By: 1<<64 - 1}, Rule: 1<<16 - 1, Slot: 1<<8 - 1, Replica: 1<<64 - 1, Width: maxWidth, Start: 1 << 61,
	}
	small := func(start, width int64) crdt.Row {
		return crdt.Row{
			Cur:  crdt.Part{Origin: start, Count: crdt.Count{P: 1}},
			Prev: crdt.Part{Origin: start - width, Count: crdt.Count{P: 1}},
		}
	}
	full := crdt.Count{P: crdt.MaxTotal, N: crdt.MaxTotal}
	cases := map[string]func(i int) (crdt.Delta, crdt.Row){
		"smallest rows": func(int) (crdt.Delta, crdt.Row) {
			return head, small(start, head.Width)
		},
		"rows that say nothing": func(int) (crdt.Delta, crdt.Row) {
			return head, crdt.Row{Cur: crdt.Part{Origin: crdt.Never}, Prev: crdt.Part{Origin: crdt.Never}}
		},
		"largest rows in largest groups": func(i int) (crdt.Delta, crdt.Row) {
			d := largest
			d.Replica -= crdt.Replica(i / 3)
			return d, crdt.Row{
				Cur:  crdt.Part{Origin: crdt.End, Count: full},
				Prev: crdt.Part{Origin: crdt.Never + 1, Count: full},
			}
		},
		"every row a group": func(i int) (crdt.Delta, crdt.Row) {
			d := largest
			d.Replica -= crdt.Replica(i)
			return d, small(d.Start, d.Width)
		},
	}
	// The first refund in a group writes a zero for each part before it.
	for at := 1900; at < 2300; at++ {
		cases[fmt.Sprintf("a late refund in row %d", at)] = func(i int) (crdt.Delta, crdt.Row) {
			row := small(start, head.Width)
			if i == at {
				row.Prev.Count.N = 1
			}
			return head, row
		}
	}
	for name, next := range cases {
		t.Run(name, func(t *testing.T) { fill(t, next) })
	}
}

func TestBatchOfAnyMixFitsAndComesBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		seed := rapid.Uint64().Draw(t, "seed")
		r := rand.New(rand.NewPCG(seed, 1))
		heads := make([]crdt.Delta, 1+r.IntN(maxGroups+10))
		for i := range heads {
			heads[i] = genHead(t)
		}
		refunds := r.IntN(3000) // rows without one before
		fill(t, func(i int) (crdt.Delta, crdt.Row) {
			d := heads[r.IntN(len(heads))]
			row := crdt.Row{Key: crdt.Key{Hi: r.Uint64(), Lo: r.Uint64()}}
			for w, p := range []*crdt.Part{&row.Cur, &row.Prev} {
				p.Origin = min(crdt.End, d.Start-int64(w)*d.Width+r.Int64N(1<<r.IntN(40))) // small offsets and large ones
				p.Count.P = 1 + r.Uint64()>>(11+r.IntN(53))
				if i >= refunds {
					p.Count.N = r.Uint64N(p.Count.P + 1)
				}
			}
			return d, row
		})
	})
}

// A client's row is what travels most: its price is a figure of the design.
func TestClientCostsAbout26BytesAWindow(t *testing.T) {
	const start, width = int64(1_700_000_040e9), int64(60e9)
	r := rand.New(rand.NewPCG(1, 2))
	head := crdt.Delta{Limit: "default", Revision: crdt.Stamp{At: start - 1e15, By: 1}, Width: width, Start: start}
	size := func(n int, prev, refunds bool) int {
		var b Batch
		for range n {
			row := crdt.Row{
				Key:  crdt.Key{Hi: r.Uint64(), Lo: r.Uint64()},
				Cur:  crdt.Part{Origin: start + r.Int64N(width), Count: crdt.Count{P: 1 + r.Uint64N(200)}},
				Prev: crdt.Part{Origin: crdt.Never},
			}
			if prev {
				row.Prev = crdt.Part{Origin: start - width + r.Int64N(width), Count: crdt.Count{P: 1 + r.Uint64N(200)}}
			}
			if refunds {
				row.Cur.Count.N = 1
			}
			if !b.Add(&head, row) {
				t.Fatalf("%d rows do not fit", n)
			}
		}
		return len(newWriter(testSecret).encode(&Message{Kind: KindDelta, Node: "api-1", Replica: 1 << 63, Sent: start, Seq: 1e6}, &b))
	}
	const n = 1000
	one, both, refunded := float64(size(n, false, false))/n, float64(size(n, true, false))/n, float64(size(n, false, true))/n
	t.Logf("bytes a client: %.2f with one window, %.2f with both, %.2f with refunds; message of one client: %d", one, both, refunded, size(1, false, false))
	if one > 26 || both > 35 || refunded > 27 {
		t.Errorf("bytes a client: %.2f with one window (at most 26), %.2f with both (35), %.2f with refunds (27)", one, both, refunded)
	}
	// What the second window adds is its P and O; its absence costs a bit.
	if empty := float64(size(n, false, false)-size(n/2, false, false)) / (n / 2); empty > 16+0.25+1.5+6.01 {
		t.Errorf("a row with an empty previous window takes %.2f bytes beyond key, P and O", empty)
	}
}

func TestEmptyPreviousWindowCostsABit(t *testing.T) {
	head := crdt.Delta{Limit: "x", Width: 60e9, Start: 60e9}
	size := func(cur, prev int) int {
		b := Batch{}
		for i := range 800 {
			row := crdt.Row{Cur: crdt.Part{Origin: crdt.Never}, Prev: crdt.Part{Origin: crdt.Never}}
			if i < cur {
				row.Cur.Origin = 60e9
			}
			if i < prev {
				row.Prev.Origin = 0
			}
			b.Add(&head, row)
		}
		return len(newWriter(testSecret).encode(&Message{Kind: KindDelta, Node: "n", Replica: 1}, &b))
	}
	// P and O of an origin alone at its window's start are a byte each; the mask,
	// with two bits a row, is there in both.
	if alone, with := size(800, 0), size(800, 800); with-alone != 2*800 {
		t.Errorf("800 previous windows take %d bytes more than 800 empty ones, want 1600", with-alone)
	}
	if none := size(0, 0); none > 800*16+800/4+100 {
		t.Errorf("800 rows without a window take %d bytes", none)
	}
}

func TestRowsOfEachRuleAndSlotKeepToThemselves(t *testing.T) {
	const start = int64(1_700_000_040e9)
	row := crdt.Row{
		Key: crdt.Key{Hi: 1, Lo: 2},
		Cur: crdt.Part{Origin: start, Count: crdt.Count{P: 1}}, Prev: crdt.Part{Origin: crdt.Never},
	}
	var b Batch
	var want []crdt.Delta
	for _, which := range []struct {
		rule uint16
		slot uint8
	}{{0, 0}, {1, 0}, {0, 1}, {1<<16 - 1, 0}, {0, 1<<8 - 1}, {1<<16 - 1, 1<<8 - 1}} {
		d := crdt.Delta{Limit: "x", Rule: which.rule, Slot: which.slot, Width: 60e9, Start: start, Rows: []crdt.Row{row}}
		if !b.AddDelta(&d) {
			t.Fatalf("rule %d, slot %d does not fit", d.Rule, d.Slot)
		}
		want = append(want, d)
	}
	m, err := newReader(testSecret, testSelf).decode(newWriter(testSecret).encode(&Message{Kind: KindDelta, Node: "n", Replica: 1}, &b))
	if err != nil || !reflect.DeepEqual(m.Deltas, want) {
		t.Errorf("sent\n%+v\ngot\n%+v, %v", want, m, err)
	}
}

func TestBatchForgetsOnReset(t *testing.T) {
	var b Batch
	d := fullMessage().Deltas[0]
	w := newWriter(testSecret)
	if !b.AddDelta(&d) || b.Empty() || b.Len() != 2 {
		t.Fatalf("%d rows", b.Len())
	}
	first := w.encode(&Message{Kind: KindDelta, Node: "n", Replica: 1}, &b)
	b.Reset()
	if !b.Empty() || b.Len() != 0 {
		t.Fatalf("%d rows after reset", b.Len())
	}
	b.AddDelta(&d)
	if again := w.encode(&Message{Kind: KindDelta, Node: "n", Replica: 1}, &b); !reflect.DeepEqual(first, again) {
		t.Error("reused buffers changed the bytes")
	}
}

func benchBatch(b *testing.B) (*Batch, *Message) {
	b.Helper()
	r := rand.New(rand.NewPCG(1, 2))
	const start, width = int64(1_700_000_040e9), int64(60e9)
	head := crdt.Delta{Limit: "default", Revision: crdt.Stamp{At: start - 1e15, By: 1}, Width: width, Start: start}
	batch := &Batch{}
	for batch.Add(&head, crdt.Row{
		Key:  crdt.Key{Hi: r.Uint64(), Lo: r.Uint64()},
		Cur:  crdt.Part{Origin: start + r.Int64N(width), Count: crdt.Count{P: 1 + r.Uint64N(200)}},
		Prev: crdt.Part{Origin: crdt.Never},
	}) {
	}
	return batch, &Message{Kind: KindDelta, Node: "api-1", Replica: 1 << 63, Sent: start, Seq: 1e6}
}

// BenchmarkEncode packs and seals full messages.
func BenchmarkEncode(b *testing.B) {
	from, m := benchBatch(b)
	data := newWriter(testSecret).encode(m, from)
	got, err := newReader(testSecret, testSelf).decode(data)
	if err != nil {
		b.Fatal(err)
	}
	d := &got.Deltas[0]
	w, batch := newWriter(testSecret), &Batch{}
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		batch.Reset()
		batch.AddDelta(d)
		w.encode(m, batch)
	}
	b.ReportMetric(float64(len(d.Rows))*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}

// BenchmarkDecode opens and parses full messages.
func BenchmarkDecode(b *testing.B) {
	from, m := benchBatch(b)
	data := newWriter(testSecret).encode(m, from)
	r := newReader(testSecret, testSelf)
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := r.decode(data); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(from.Len())*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}
