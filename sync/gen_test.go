package sync

import (
	"math"
	"slices"

	"pgregory.net/rapid"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
)

// Generators of everything that the wire can carry, ends of ranges included.

func genUint64(t *rapid.T, label string) uint64 {
	return rapid.OneOf(rapid.Uint64(), rapid.Uint64Max(300), rapid.Just(uint64(math.MaxUint64))).Draw(t, label)
}

func genReplica(t *rapid.T, label string) crdt.Replica {
	return crdt.Replica(max(1, genUint64(t, label)))
}

func genStamp(t *rapid.T, label string) crdt.Stamp {
	return crdt.Stamp{At: rapid.Int64().Draw(t, label+" at"), By: crdt.Replica(genUint64(t, label+" by"))}
}

func genWindow(t *rapid.T) Window {
	return Window{Width: rapid.Int64().Draw(t, "width"), Start: rapid.Int64().Draw(t, "start")}
}

func genDigest(t *rapid.T) crdt.Digest { return crdt.Digest(genUint64(t, "digest")) }

func genCursor(t *rapid.T) Cursor {
	return Cursor{
		Partition: rapid.Uint16().Draw(t, "partition"), Row: rapid.Uint16().Draw(t, "row"), Index: rapid.Uint32().Draw(t, "index"),
	}
}

// genPart is a part as the window that starts at start can hold it: nothing, an
// origin alone, or counts with an origin.
func genPart(t *rapid.T, start int64) crdt.Part {
	if rapid.Bool().Draw(t, "empty") {
		return crdt.Part{Origin: crdt.Never}
	}
	p := crdt.Part{}
	if rapid.IntRange(0, 3).Draw(t, "counted") > 0 {
		p.Count.P = rapid.OneOf(rapid.Uint64Range(1, 300), rapid.Uint64Range(1, crdt.MaxTotal)).Draw(t, "P")
		if rapid.IntRange(0, 3).Draw(t, "given back") == 0 {
			p.Count.N = rapid.Uint64Max(p.Count.P).Draw(t, "N")
		}
	}
	low, high := int64(max(start-maxOffset, crdt.Never+1)), int64(crdt.End)
	if start < crdt.End-maxOffset {
		high = start + maxOffset
	}
	p.Origin = rapid.OneOf(
		rapid.Int64Range(max(low, start-100), min(high, start+1e9)), rapid.Int64Range(low, high),
	).Draw(t, "origin")
	return p
}

func genRow(t *rapid.T, d *crdt.Delta) crdt.Row {
	return crdt.Row{
		Key:  crdt.Key{Hi: rapid.Uint64().Draw(t, "hi"), Lo: rapid.Uint64().Draw(t, "lo")},
		Cur:  genPart(t, d.Start),
		Prev: genPart(t, d.Start-d.Width),
	}
}

func genHead(t *rapid.T) crdt.Delta {
	return crdt.Delta{
		Limit:    rapid.StringN(0, 16, maxName).Draw(t, "limit"),
		Revision: genStamp(t, "revision"), Reset: genStamp(t, "reset"),
		Rule: rapid.Uint16().Draw(t, "rule"), Slot: rapid.Uint8().Draw(t, "slot"),
		Replica: crdt.Replica(genUint64(t, "of")),
		Width:   rapid.OneOf(rapid.Int64Range(1, 60e9), rapid.Int64Range(1, maxWidth)).Draw(t, "width"),
		// Origins lie up to maxOffset before a start, and have to lie after Never.
		Start: rapid.OneOf(rapid.Int64Range(0, 2e18), rapid.Int64Range(-1<<60, crdt.End)).Draw(t, "start"),
	}
}

// genDeltas makes deltas with different heads, as one message holds them.
func genDeltas(t *rapid.T, mostGroups, mostRows int) []crdt.Delta {
	var out []crdt.Delta
	for range rapid.IntRange(1, mostGroups).Draw(t, "groups") {
		d := genHead(t)
		if slices.ContainsFunc(out, func(o crdt.Delta) bool { return sameGroup(&o, &d) }) {
			continue
		}
		for range rapid.IntRange(1, mostRows).Draw(t, "rows") {
			d.Rows = append(d.Rows, genRow(t, &d))
		}
		out = append(out, d)
	}
	return out
}

// genSlice is nil or up to most elements.
func genSlice[T any](t *rapid.T, label string, most int, element func() T) []T {
	var out []T
	for range rapid.IntRange(0, most).Draw(t, label) {
		out = append(out, element())
	}
	return out
}

func genName(t *rapid.T) string { return rapid.StringMatching(`[A-Za-z0-9_-]{1,64}`).Draw(t, "name") }

// genMessage draws any subset of fields: the format does not tie them to kinds.
func genMessage(t *rapid.T) *Message {
	m := &Message{
		Kind: Kind(rapid.IntRange(1, int(kindEnd)-1).Draw(t, "kind")),
		Node: genName(t), Replica: genReplica(t, "sender"),
		Sent: rapid.Int64Range(-crdt.End, crdt.End).Draw(t, "sent"),
	}
	if m.Kind.addressed() {
		m.To = testSelf
	}
	has := func(field string) bool { return rapid.IntRange(0, 2).Draw(t, field) == 0 }
	if has("seq") {
		m.Seq = genUint64(t, "seq")
	}
	if has("beat") {
		m.Beat = genUint64(t, "number")
	}
	m.Held = genSlice(t, "held", 5, func() Held {
		return Held{Name: genUint64(t, "name"), Stamp: genStamp(t, "stamp"), Value: genUint64(t, "text")}
	})
	if has("deltas") {
		m.Deltas = genDeltas(t, 5, 20)
	}
	m.Joining, m.Last, m.Done = has("joining"), has("last"), has("done")
	m.Heard = genSlice(t, "heard", 5, func() Heard {
		return Heard{
			Replica: genReplica(t, "peer"), Beat: genUint64(t, "beat") >> 1, Member: rapid.Bool().Draw(t, "member"),
			Lag: rapid.Int64Range(-maxOffset, maxOffset).Draw(t, "lag"),
		}
	})
	if has("part") {
		m.HeardFrom, m.HeardTo, m.Circle = genReplica(t, "from"), genReplica(t, "to"), genDigest(t)
	}
	m.Origins = genSlice(t, "origins", 5, func() OriginRoot {
		return OriginRoot{
			Window: Window{Width: rapid.Int64().Draw(t, "width"), Start: rapid.Int64().Draw(t, "start")},
			From:   rapid.Uint32().Draw(t, "from"), Count: rapid.Uint32().Draw(t, "count"), Digest: crdt.Digest(rapid.Uint64().Draw(t, "digest")),
		}
	})
	m.Page = rapid.Uint64().Draw(t, "page")
	m.Roots = genSlice(t, "roots", 5, func() Root {
		return Root{Replica: genReplica(t, "root"), Window: genWindow(t), Digest: genDigest(t)}
	})
	m.Missing = genSlice(t, "missing", 5, func() Missing {
		return Missing{Of: genReplica(t, "missed"), Span: Span{
			Began: rapid.Int64Range(0, crdt.End).Draw(t, "began"), Ended: rapid.Int64Range(0, crdt.End).Draw(t, "ended"), Kind: SpanKind(rapid.IntRange(0, int(SpanKinds)-1).Draw(t, "kind")),
		}}
	})
	m.Founded, m.Before = rapid.Int64Range(0, crdt.End).Draw(t, "founded"), rapid.Int64Range(0, crdt.End).Draw(t, "before")
	m.Known = genSlice(t, "known", 5, func() Known {
		return Known{Replica: genReplica(t, "silent"), Merged: genUint64(t, "merged"), Bye: genUint64(t, "bye")}
	})
	m.Limits, m.Base, m.Members, m.Unsure = genDigest(t), genDigest(t), genUint64(t, "members"), has("unsure")
	m.Regs = genSlice(t, "registers", 4, func() Register {
		r := Register{Name: rapid.StringN(0, 16, maxName).Draw(t, "register"), Stamp: genStamp(t, "stamp")}
		if v := rapid.SliceOfN(rapid.Byte(), 0, 400).Draw(t, "value"); len(v) > 0 {
			r.Value = v
		}
		return r
	})
	m.Resets = genSlice(t, "resets", 4, func() ClientReset {
		return ClientReset{
			Limit: rapid.StringN(0, 16, maxName).Draw(t, "limit"),
			Key:   crdt.Key{Hi: genUint64(t, "hi"), Lo: genUint64(t, "lo")}, Stamp: genStamp(t, "stamp"),
		}
	})
	m.Settlements = genSlice(t, "settlements", 5, func() Settlement {
		return Settlement{ID: genUint64(t, "id"), Actual: rapid.Int64Range(0, crdt.MaxTotal).Draw(t, "actual")}
	})
	m.Beyond = genSlice(t, "beyond", 5, func() Beyond {
		return Beyond{ID: genUint64(t, "id"), Units: rapid.Int64Range(0, crdt.MaxTotal).Draw(t, "units")}
	})
	m.Settled = genSlice(t, "settled", 5, func() Settled {
		s := Settled{
			ID: genUint64(t, "id"), Back: rapid.Int64Range(-crdt.MaxTotal, crdt.MaxTotal).Draw(t, "back"), Known: rapid.Bool().Draw(t, "known"),
		}
		if s.Known {
			s.Short = Shortfall(rapid.IntRange(0, int(shortfallEnd)-1).Draw(t, "short")) //nolint:gosec // small
		}
		return s
	})
	m.Refunds = genSlice(t, "refunds", 5, func() Refund {
		return Refund{ID: genUint64(t, "id"), Life: Life{Key: crdt.Key{Hi: genUint64(t, "hi"), Lo: genUint64(t, "lo")}, Life: crdt.Life{Revision: genStamp(t, "revision"), Reset: genStamp(t, "reset")}}}
	})
	m.Low = genUint64(t, "low")
	m.Roll, m.Opened = genDigest(t), rapid.Bool().Draw(t, "opened")
	m.Enrolled = genSlice(t, "enrolled", 5, func() Enrolled {
		return Enrolled{Name: rapid.StringN(0, 16, maxName).Draw(t, "enrolled"), Gone: rapid.Bool().Draw(t, "gone")}
	})
	m.Wants = genSlice(t, "wants", 5, func() Want {
		return Want{
			Key: crdt.Key{Hi: genUint64(t, "hi"), Lo: genUint64(t, "lo")}, Terms: genUint64(t, "terms"),
			Wanted: rapid.Int64Range(0, crdt.End).Draw(t, "wanted"), Held: rapid.Int64Range(0, crdt.End).Draw(t, "borrowed"),
			Back: rapid.Int64Range(0, crdt.End).Draw(t, "back"), BackOf: rapid.Int64Range(0, crdt.End).Draw(t, "back of"),
		}
	})
	m.Lent = genSlice(t, "lent", 5, func() Lent {
		return Lent{Amount: rapid.Int64Range(0, crdt.End).Draw(t, "amount"), Of: rapid.Int64Range(0, crdt.End).Draw(t, "of")}
	})
	if has("request") {
		m.Request, m.Of, m.Since = genUint64(t, "id"), crdt.Replica(genUint64(t, "of")), genUint64(t, "since")
		m.Cursor, m.Next = genCursor(t), genCursor(t)
		m.Have = genSlice(t, "have", 2, func() Partitioned {
			p := Partitioned{Window: genWindow(t)}
			for i := range p.Digests {
				p.Digests[i] = crdt.Digest(uint64(i) * 0x9e3779b97f4a7c15)
			}
			p.Digests[rapid.IntRange(0, len(p.Digests)-1).Draw(t, "at")] = genDigest(t)
			return p
		})
	}
	return m
}
