package sync

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
)

// keyOfNode is a key of a node in these tests.
func keyOfNode(node string) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(bytes.Repeat([]byte(node[:1]), ed25519.SeedSize))
}

// publicOf is the public half of a key.
func publicOf(key ed25519.PrivateKey) ed25519.PublicKey {
	public, _ := key.Public().(ed25519.PublicKey)
	return public
}

// keysOf lists the keys of nodes.
func keysOf(nodes ...string) *NodeKeys {
	list := NodeKeyList{}
	for _, node := range nodes {
		list[node] = append(list[node], publicOf(keyOfNode(node)))
	}
	keys := new(NodeKeys)
	keys.Replace(list)
	return keys
}

// newSignedProbe is a ready engine that knows the keys of nodes. Its peers sign by the key of the
// node that speakAs names.
func newSignedProbe(t *testing.T, nodes ...string) *probe {
	t.Helper()
	p := newProbe(t, func(c *Config) { c.NodeKeys, c.NodeKey = keysOf(nodes...), keyOfNode("probe") })
	p.speakAs("b")
	p.hear(&Message{Kind: KindBeat, Node: "b", Replica: 2})
	if p.engine.members.find(2) == nil || !p.engine.members.find(2).confirmed {
		t.Fatal("a node that signs is no member")
	}
	return p
}

// speakAs signs what the probe hears from now on; "" does not.
func (p *probe) speakAs(node string) {
	p.writer.signer = signer{}
	if node != "" {
		p.writer.signer = signer{keyOfNode(node), signing("default")}
	}
}

// A node that has the cluster key, and may publish on every subject, speaks for no other.
func TestANodeWithTheClusterKeySpeaksForNoOther(t *testing.T) {
	for _, forger := range []string{"evil", "", "stranger"} { // who is listed, who does not sign, and who is not listed
		p := newSignedProbe(t, "probe", "b", "evil")
		p.speakAs(forger)
		for i, m := range []*Message{
			{Kind: KindDelta, Seq: 9, Deltas: rowsFor(0, 1, 5)},
			{Kind: KindReset, Resets: []ClientReset{{Limit: "default", Key: key(1), Stamp: crdt.Stamp{At: p.now, By: 2}}}},
			{Kind: KindBye, Seq: 9},
			{Kind: KindBeat, Seq: 9, Heard: []Heard{{Replica: 1}}},
			{Kind: KindSnapshot, Request: 1 << 40},
			{Kind: KindSettled, Settled: []Settled{{ID: 7, Back: 1, Known: true}}},
		} {
			m.Node, m.Replica = "b", 2
			p.hear(m)
			if got := p.drops(DropSignature); got != uint64(i+1) {
				t.Errorf("%v by %q: %d refused", m.Kind, forger, got)
			}
		}
		if b := p.engine.members.find(2); b.left || b.state != PeerAlive || p.count(1) != 0 || len(p.store.answers) > 0 {
			t.Errorf("by %q: left %v, %v, count %d", forger, b.left, b.state, p.count(1))
		}
		said := false
		for _, ev := range p.events {
			said = said || ev.Kind == EventPacketBad && strings.Contains(ev.Detail, "signed") && strings.Contains(ev.Detail, ".b.2")
		}
		if !said {
			t.Errorf("by %q: the log does not name the node", forger)
		}
		p.speakAs("b")
		p.hear(&Message{Kind: KindDelta, Node: "b", Replica: 2, Seq: 1, Deltas: rowsFor(0, 1, 7)})
		if p.count(1) != 7 {
			t.Errorf("after %q: the node itself is not heard: count %d", forger, p.count(1))
		}
	}
}

// A node that has a key of its own, and the cluster's, cannot pass on to others what it was told, nor
// say it in another cluster.
func TestASignatureHoldsForItsReceiverAndItsClusterAlone(t *testing.T) {
	p := newSignedProbe(t, "probe", "b")
	for name, seal := range map[string]func(m *Message, w *writer) []byte{
		"to another": func(m *Message, w *writer) []byte {
			m.To = 99
			return w.encode(m, nil)
		},
		"in another cluster": func(m *Message, w *writer) []byte {
			m.To, w.signer.options = 1, signing("other")
			return w.encode(m, nil)
		},
	} {
		w := newWriter(tagSecret([]byte(DefaultClusterKey), "default"))
		w.signer = signer{keyOfNode("b"), signing("default")}
		m := &Message{Kind: KindSnapshot, Node: "b", Replica: 2, Sent: p.now, Request: 1}
		body := seal(m, w)
		body = body[:len(body)-tagSize]
		// Who knows the cluster key seals it anew.
		data := w.secret.to(1).seal(bytes.Clone(body))
		before := p.drops(DropSignature)
		p.step(Input{Kind: InputPacket, Packet: Packet{Subject: p.subjectOf(m), Data: data}})
		if p.drops(DropSignature) != before+1 {
			t.Errorf("what b said %s is taken", name)
		}
	}
}

func TestEveryByteOfASignedMessageCounts(t *testing.T) {
	p := newSignedProbe(t, "probe", "b")
	w, v := p.writer, p.engine.verifier
	data := w.encode(&Message{Kind: KindDelta, Node: "b", Replica: 2, Sent: p.now, Seq: 3, Deltas: rowsFor(0, 1, 7)}, nil)
	if err := v.verify("b", 0, data); err != nil {
		t.Fatal(err)
	}
	for i := range data[:len(data)-tagSize] {
		data[i] ^= 1
		if v.verify("b", 0, data) == nil {
			t.Errorf("byte %d of %d may change", i, len(data))
		}
		data[i] ^= 1
	}
	for n := range data {
		if n >= tagSize && v.verify("b", 0, data[:n]) == nil {
			t.Errorf("%d of %d bytes are enough", n, len(data))
		}
	}
	// A value within the message that looks like a signature is none.
	m := &Message{Kind: KindBye, Node: "b", Replica: 2, Sent: p.now}
	if v.verify("b", 0, newWriter(w.secret).encode(m, nil)) == nil {
		t.Error("a message without a signature is taken")
	}
}

// Without a key the bytes are as they were, and a node without the list takes what is signed.
func TestSignaturesAreAskedOfNobodyWithoutAList(t *testing.T) {
	plain := newWriter(testSecret)
	w := newWriter(testSecret)
	w.signer = signer{keyOfNode("b"), signing("default")}
	r := newReader(testSecret, testSelf)
	for _, m := range []*Message{fullMessage(), {Kind: KindSettle, Node: "b", Replica: 2, To: testSelf, Request: 3}} {
		signed := w.encode(m, nil)
		if got, want := len(signed), len(plain.encode(m, nil))+signatureSize; got != want && got != want+2 { // a longer map's header
			t.Errorf("%d bytes, want %d", got, want)
		}
		got, err := r.decode(signed)
		if err != nil || got.Node != m.Node || got.Request != m.Request {
			t.Errorf("%v: %+v, %v", m.Kind, got, err)
		}
	}
	p := newProbe(t, nil)
	p.speakAs("b")
	p.hear(&Message{Kind: KindDelta, Node: "b", Replica: 2, Seq: 1, Deltas: rowsFor(0, 1, 7)})
	if p.count(1) != 7 {
		t.Error("a node without the list does not hear who signs")
	}
}

func TestKeysCanBeReplacedWhileNodesTalk(t *testing.T) {
	p := newSignedProbe(t, "probe", "b")
	keys := p.engine.cfg.NodeKeys
	say := func(seq uint64, taken bool) {
		t.Helper()
		before := p.drops(DropSignature)
		p.now += 1e6
		p.hear(&Message{Kind: KindDelta, Node: "b", Replica: 2, Seq: seq, Deltas: rowsFor(0, 1, seq)})
		if (p.count(1) == seq) != taken || (p.drops(DropSignature) == before) != taken {
			t.Errorf("message %d: count %d", seq, p.count(1))
		}
	}
	say(1, true)
	p.speakAs("c") // b has a new key
	say(2, false)
	list := keysOf("probe", "b").List()
	list["b"] = append(list["b"], publicOf(keyOfNode("c")))
	keys.Replace(list)
	say(3, true)
	p.speakAs("b")
	say(4, true)
	keys.Replace(NodeKeyList{"b": list["b"][1:]})
	say(5, false)
	keys.Replace(NodeKeyList{})
	p.speakAs("c")
	say(6, false)
}

// What is signed can be recorded, too.
func TestASignedRecordingDoesNothing(t *testing.T) {
	p := newSignedProbe(t, "probe", "b")
	m := &Message{Kind: KindSnapshot, Node: "b", Replica: 2, Request: 1, Sent: p.now}
	p.hear(m)
	p.sent = nil
	for range 3 {
		p.hear(m)
	}
	if len(p.sent) > 0 || p.drops(DropStale) != 3 {
		t.Errorf("sent %+v, %d dropped", p.sent, p.drops(DropStale))
	}
}

// Whoever forges messages of members makes a node deaf to nobody else, and costs it a ration.
func TestAFloodOfForgeriesIsLookedAtByRation(t *testing.T) {
	cfg := Config{Node: "probe", Replica: 1, NodeKey: keyOfNode("probe"), NodeKeys: keysOf("probe", "b", "c")}
	clock := int64(1e18)
	a := newArrivals(NewEngine(cfg, newMemStore(1).store(), clock), func() int64 { return clock })
	a.known.Store(&map[crdt.Replica]*latest{2: {node: "b"}, 3: {node: "c"}})
	w := newWriter(tagSecret([]byte(DefaultClusterKey), "default"))
	send := func(node string, r crdt.Replica, as string, i int) {
		w.signer = signer{keyOfNode(as), signing("default")}
		m := &Message{Kind: KindDelta, Node: node, Replica: r, Sent: int64(i), Seq: uint64(i)}
		a.sort(Packet{Subject: a.subjects.of(m.Kind, node, r), Data: w.encode(m, nil)})
	}
	const flood = 3000
	for i := range flood {
		send("b", 2, "evil", i+1e6) // and the time is in the future
	}
	most := uint64(forgedRation.most)
	if n := a.bad[DropSignature].Load(); n > most || n < most-1 {
		t.Errorf("%d signatures were looked at, want %d", n, most)
	}
	if n := len(a.strangers); n < mostStrangeArrivals {
		t.Errorf("%d of what was not looked at wait with strangers", n)
	}
	for i := range 10 {
		send("c", 3, "c", i+1)
	}
	if n := len(a.members); n != 10 {
		t.Errorf("%d of 10 messages of another member wait", n)
	}
	clock += 1e9
	for i := range 10 {
		send("b", 2, "b", i+1)
	}
	if n := len(a.members); n != 20 {
		t.Errorf("%d of 20 messages of members wait: what was forged left its time behind", n)
	}
	if p := <-a.members; !p.verified {
		t.Error("it will be looked at twice")
	}
}

func TestNodeKeyListsAreReadWhole(t *testing.T) {
	line := func(node, key string) string {
		return node + " " + base64.StdEncoding.EncodeToString(publicOf(keyOfNode(key))) + "\n"
	}
	list, err := ParseNodeKeys([]byte("# nodes\n\n" + line("b", "b") + "  " + line("c", "c") + line("b", "d")))
	if err != nil || len(list) != 2 || len(list["b"]) != 2 || !list.Names("c", publicOf(keyOfNode("c"))) {
		t.Errorf("%v, %v", list, err)
	}
	for text, want := range map[string]string{
		"": "no node", "# nothing\n": "no node", "b\n": "line 1", line("b", "b") + "b c d\n": "line 2", "a.b " + line("", "b")[1:]: "line 1",
		"b AAAA\n": "32 bytes", "b ?\n": "32 bytes", line("b", "b") + line("c", "b"): "listed before", line("b", "b") + line("b", "b"): "listed before",
		line("b", "b") + line("b", "c") + line("b", "d"): "more than 2", "b " + strings.Repeat("A", 1<<17): "too long",
	} {
		if _, err := ParseNodeKeys([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60q: %v, want %q", text, err, want)
		}
	}
}

func TestANodesOwnKeyIsReadAsItWasWritten(t *testing.T) {
	key := keyOfNode("b")
	private, line := FormatNodeKey("b", key)
	got, err := ParseNodeKey([]byte(private))
	list, err2 := ParseNodeKeys([]byte(line))
	if err != nil || err2 != nil || !got.Equal(key) || !list.Names("b", publicOf(key)) {
		t.Errorf("%v, %v, %v", err, list, err2)
	}
	for _, text := range []string{"", "AAAA", private[:20], private + private, "secret that is no key of a node"} {
		if _, err := ParseNodeKey([]byte(text)); err == nil || len(text) > 4 && strings.Contains(err.Error(), text[:4]) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// Whatever the list holds, reading it ends, and what it lists is nodes with keys.
func FuzzNodeKeys(f *testing.F) {
	private, _ := FormatNodeKey("b", keyOfNode("b"))
	f.Add([]byte(private))
	key := base64.StdEncoding.EncodeToString(make([]byte, ed25519.PublicKeySize))
	for _, text := range []string{"", "b " + key, "# b\nb " + key + "\r\nc " + key, "b " + key + " " + key, "\xff " + key, "b\x00 " + key} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if key, err := ParseNodeKey(text); err == nil && len(key) != ed25519.PrivateKeySize {
			t.Errorf("a key of %d bytes", len(key))
		}
		list, err := ParseNodeKeys(text)
		if err != nil {
			return
		}
		for node, keys := range list {
			if !ValidName(node) || len(keys) == 0 || len(keys) > mostNodeKeys {
				t.Errorf("%q has %d keys", node, len(keys))
			}
			for _, k := range keys {
				if len(k) != ed25519.PublicKeySize {
					t.Errorf("%q has a key of %d bytes", node, len(k))
				}
			}
		}
		if len(list) == 0 {
			t.Error("a list of nobody is taken")
		}
	})
}

// What a signature costs its sender, and each receiver.
func BenchmarkSignature(b *testing.B) {
	v := verifier{keysOf("b"), signing("default")}
	for _, rows := range []int{1, 700} {
		var batch Batch
		for i := range rows {
			d := rowsFor(2, i, 7)[0]
			batch.Add(&d, d.Rows[0])
		}
		m := &Message{Kind: KindDelta, Node: "b", Replica: 2, Sent: simStart, Seq: 3}
		for _, signed := range []bool{false, true} {
			w := newWriter(testSecret)
			name := fmt.Sprintf("rows=%d/send", rows)
			if signed {
				w.signer, name = signer{keyOfNode("b"), v.options}, name+"-signed"
			}
			var data []byte
			b.Run(name, func(b *testing.B) {
				for b.Loop() {
					data = w.encode(m, &batch)
				}
				b.ReportMetric(float64(len(data)), "bytes")
			})
			if signed {
				b.Run(fmt.Sprintf("rows=%d/verify", rows), func(b *testing.B) {
					for b.Loop() {
						if err := v.verify("b", 0, data); err != nil {
							b.Fatal(err)
						}
					}
				})
			}
		}
	}
	if !errors.Is(v.verify("c", 0, make([]byte, 100)), ErrSignature) {
		b.Error("somebody who is not listed")
	}
}
