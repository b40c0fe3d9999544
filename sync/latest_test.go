package sync

import (
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"
)

func TestTheSendingTimeIsReadWithoutDecoding(t *testing.T) {
	w := newWriter(testSecret)
	rapid.Check(t, func(t *rapid.T) {
		m := genMessage(t)
		data := w.encode(m, nil)
		if sent, ok := sentOf(data); !ok || sent != m.Sent {
			t.Fatalf("read %d (%v) of %+v", sent, ok, m)
		}
		for n := range data[:min(len(data), 100)] { // whatever is cut off, nothing is read beyond it
			sentOf(data[:n])
		}
	})
	for _, b := range []string{"", "\x01", "\x01\x02\x80", "\x01\x02\x83\x01\xc4\x01a\x02\x01\x03\x01", "\x01\x02\x83\x01\xa1a\x02\x01\x03\xc0", "\x01\x02\x83\x02\xa1a\x02\x01\x03\x01", "\x01\x02\x93\x01\xa1a\x02\x01\x03\x01"} {
		if _, ok := sentOf([]byte(b)); ok {
			t.Errorf("a time in %q", b)
		}
	}
}

func TestNewsAreToldFromRecordings(t *testing.T) {
	w := newWriter(testSecret)
	at := func(sent int64, seq uint64) []byte {
		return w.encode(&Message{Kind: KindDelta, Node: "b", Replica: 2, Sent: sent, Seq: seq}, nil)
	}
	var l latest
	for i, c := range []struct {
		data           []byte
		news, repeated bool
	}{
		{at(5, 1), true, false},
		{at(5, 2), true, false}, // of one step
		{at(5, 1), false, true},
		{at(5, 2), false, true},
		{at(4, 9), false, false},
		{at(6, 3), true, false},
		{at(5, 1), false, false},
		{at(6, 3), false, true},
	} {
		if news, repeated, _ := l.news(c.data, asItIs); news != c.news || repeated != c.repeated {
			t.Errorf("%d: news %v, repeated %v", i, news, repeated)
		}
	}
	for i := range uint64(2 * mostOfAnInstant) {
		news, _, _ := l.news(at(7, i), asItIs)
		if news != (i < mostOfAnInstant) {
			t.Fatalf("message %d of an instant: news %v", i, news)
		}
	}
	if l.unmask(7 - echoWithin); l.sent != 7 {
		t.Error("forgot a time that may be true")
	}
	if l.unmask(6 - echoWithin); l.sent != 0 {
		t.Error("holds a time that is false")
	}
}

// tap records what it hears.
type tap struct {
	mu    sync.Mutex
	from  string
	heard []Packet
}

func (t *tap) Receive(p Packet) {
	if strings.Contains(p.Subject, "."+t.from+".") {
		t.mu.Lock()
		t.heard = append(t.heard, p)
		t.mu.Unlock()
	}
}
func (t *tap) Connected()         {}
func (t *tap) Disconnected(error) {}

// Whoever plays recordings of a member makes the node deaf to nobody, that member included.
func TestAFloodOfRecordingsLeavesRoomForMembers(t *testing.T) {
	for name, which := range map[string]func(all []Packet, i int) Packet{
		"old ones":   func(all []Packet, i int) Packet { return all[i%len(all)] },
		"the newest": func(all []Packet, _ int) Packet { return all[len(all)-1] },
	} {
		t.Run(name, func(t *testing.T) {
			defer goleak.VerifyNone(t)
			synctest.Test(t, func(t *testing.T) {
				var network Memory
				recorder, wire := &tap{from: "b"}, network.Transport()
				if err := wire.Open([]string{">"}, recorder); err != nil {
					t.Fatal(err)
				}
				a, _, _ := newTestLoop(t, "a", 0, network.Transport())
				b, store, _ := newTestLoop(t, "b", 1, network.Transport())
				time.Sleep(3 * time.Second)
				a.lock() // it hangs, as in a pause of the process
				for i := range 3000 {
					recorder.mu.Lock()
					p := which(recorder.heard, i)
					recorder.mu.Unlock()
					a.Receive(p)
				}
				b.lock()
				store.admit(now(), 1)
				b.unlock()
				b.Urgent()
				time.Sleep(100 * time.Millisecond)
				full := a.arrivals.full.Load()
				if waits := len(a.arrivals.members); waits > 20 {
					t.Errorf("%d messages of members wait", waits)
				}
				a.unlock()
				time.Sleep(2 * time.Second)
				s := a.Status()
				for _, p := range s.Peers {
					if p.Node == "b" && (p.State != PeerAlive || p.Behind) || s.Stats.Gaps > 0 {
						t.Errorf("%+v, %d gaps", p, s.Stats.Gaps)
					}
				}
				if (full > 0) != (name == "old ones") {
					t.Errorf("%d found no room", full)
				}
				_, _, _ = a.Close(), b.Close(), wire.Close()
			})
		})
	}
}

// A time that was false is forgotten by the arrivals as well, so that the member's messages do not
// wait with those of strangers for ever.
func TestArrivalsForgetAFalseTime(t *testing.T) {
	p := newHearing(t)
	a := newArrivals(p.engine, func() int64 { return p.now })
	a.meet(&p.engine.members)
	sort := func(m *Message) bool {
		before := len(a.members)
		m.Node, m.Replica = "b", 2
		a.sort(Packet{Subject: p.subjectOf(m), Data: p.writer.encode(m, nil)})
		return len(a.members) > before
	}
	forged := &Message{Kind: KindDelta, Sent: p.now + 3600e9, Seq: 1}
	if sort(forged); sort(&Message{Kind: KindDelta, Sent: p.now, Seq: 1}) {
		t.Fatal("it went on with the members' messages")
	}
	p.hear(forged)
	p.run(1e9)
	edits := p.engine.members.edits
	p.hear(&Message{Kind: KindBeat, Node: "b", Replica: 2, Heard: []Heard{{Replica: 1, Beat: p.engine.members.echoes.last}}})
	if p.engine.members.edits == edits {
		t.Fatal("nobody is told")
	}
	a.meet(&p.engine.members)
	if !sort(&Message{Kind: KindDelta, Sent: p.now + 1, Seq: 1}) {
		t.Error("it waits with strangers' messages")
	}
}

// asItIs verifies without signatures.
func asItIs() (bool, error) { return true, nil }
