package sync

import (
	"slices"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
)

// pullRation is how often a peer's question for newer entries is answered. A node asks one peer a
// beat. Raising it lets a peer take all limits more often. Lowering it below a question a beat
// makes registers agree more slowly.
var pullRation = ration{perSecond: 2, most: 4}

// registers keeps the limits register the same as its peers'.
type registers struct {
	*outbound
	store   Registry
	members *members
	names   Secret // hashes limits' names in a pull
	// next is the earliest time, by our clock, at which a peer may be asked for newer entries.
	next int64
	// alike: no peer's register differs from mine, for all that beats said.
	alike bool
	mine  crdt.Digest
}

// registerSize is an upper bound of what an entry takes beside its value: a long name,
// a stamp of two long numbers, and the headers of a long name and a long value.
var registerSize = measure(registerValues).least + maxName + 2*wordSize + 1 + 2

// pull broadcasts what changed in the limits register here, and asks a peer whose register
// differs for what is newer there. Each side asks, so both end with the same, and nothing
// travels but the entries that differ: whoever claims another digest can make nobody send.
func (g *registers) pull(now int64) {
	if changed := g.store.ChangedRegisters(); len(changed) > 0 {
		for _, part := range registerParts(changed) {
			g.broadcast(now, &Message{Kind: KindLimits, Regs: part}, nil)
		}
	}
	if now < g.next {
		return
	}
	mine := g.store.RegistersDigest()
	if g.alike && g.mine == mine {
		return
	}
	g.alike, g.mine = true, mine
	var from *peer // the one that was asked in vain least
	for _, p := range g.members.peers {
		switch {
		case p.state != PeerAlive || !p.confirmed || p.beat == 0:
			continue
		case p.limits == mine:
			p.pulling = backoff{}
			continue
		case p.pulling.due(now) && (from == nil || p.pulling.failures < from.pulling.failures):
			from = p
		}
		g.alike = false
	}
	if from == nil {
		return
	}
	// Once a beat: the peer's next digest says whether it helped.
	g.next = now + int64(g.cfg.BeatInterval) + g.jitter(repairJitter)
	from.pulling.failed(now + from.pulling.pause(int64(g.cfg.BeatInterval)))
	m := &Message{Kind: KindPull}
	for _, r := range g.store.Registers() {
		m.Held = append(m.Held, g.heldOf(&r))
	}
	m.Held = m.Held[:min(len(m.Held), maxHeld)]
	g.request(now, from, m)
	from.pull = m.Request
}

// heldOf names an entry of ours.
func (g *registers) heldOf(r *Register) Held {
	value, _ := g.names.Hash128(r.Value)
	return Held{Name: g.nameHash(r.Name), Stamp: r.Stamp, Value: value}
}

// nameHash stands for a limit's name: names are long.
func (g *registers) nameHash(name string) uint64 {
	hash, _ := g.names.Hash128([]byte(name))
	return hash
}

// asked answers with the entries that are newer here than there, or state other revisions.
func (g *registers) asked(now int64, p *peer, m *Message) {
	if p.pages.due(1, pageRation) > now || !p.pulls.take(now, 1, pullRation) {
		return // it asks again
	}
	theirs := make(map[uint64]Held, len(m.Held))
	for _, h := range m.Held {
		theirs[h.Name] = h
	}
	newer := slices.DeleteFunc(g.store.Registers(), func(r Register) bool {
		ours := g.heldOf(&r)
		h, held := theirs[ours.Name]
		return held && (h.Stamp.Compare(r.Stamp) > 0 || h == ours)
	})
	g.answer(now, p, m.Request, newer)
}

// answer sends entries to a peer that asked for them.
func (g *registers) answer(now int64, p *peer, request uint64, regs []Register) {
	for _, part := range registerParts(regs) {
		p.pages.charge(now, 1, pageRation) // as rows would; a whole register is sent all the same
		g.members.pages.charge(now, 1, allPageRation)
		g.tell(now, p, &Message{Kind: KindPulled, Request: request, Regs: part}, nil)
	}
}

// told takes entries that their author tells of. Others' come in answers alone, as rows do (N1).
func (g *registers) told(now int64, m *Message) {
	own := slices.DeleteFunc(slices.Clone(m.Regs), func(r Register) bool { return r.Stamp.By != m.Replica })
	if len(own) < len(m.Regs) {
		g.drop(now, DropSender, m.Node+" told of limits that another replica set")
	}
	g.store.MergeRegisters(now, own)
}

// answered takes entries that were asked for, alone or with a snapshot. Nothing else brings
// entries of the past: what was recorded has another number, or another receiver.
func (g *registers) answered(now int64, p *peer, m *Message) {
	if m.Request != 0 && (m.Request == p.pull || m.Request == p.request.id) {
		g.store.MergeRegisters(now, m.Regs)
	}
}

// registerParts splits entries into what fits into a message each. One value alone has to fit.
func registerParts(regs []Register) (parts [][]Register) {
	for len(regs) > 0 {
		n, size := 0, 0
		for n < len(regs) && n < maxRegisters {
			size += len(regs[n].Value) + registerSize
			if n > 0 && size > batchBudget {
				break
			}
			n++
		}
		parts = append(parts, regs[:n])
		regs = regs[n:]
	}
	return parts
}
