package main

// mistake is something that somebody once got wrong, or could.
type mistake struct {
	name  string
	edits []edit
	tests string // the package whose tests are to notice, if not the simulator's
}

// edit replaces old, which the file holds exactly once, by new.
type edit struct{ file, old, new string }

// mistakes lists them: those of other limiters first, then those that were made or
// nearly made here.
var mistakes = []mistake{
	{name: "merge TATs by maximum: the fuller of two buckets, not their sum", edits: []edit{
		{"crdt/state.go", "	s.net[w] += gain.P - gain.N // modulo 1<<64: the sum is not negative\n", "	s.net[w] = max(s.net[w], c.Net())\n"},
	}},
	{name: "send increments instead of totals", edits: []edit{
		{"crdt/state.go", `		Cur:  Part{Origin: s.origin[cur], Count: s.own[cur]},
		Prev: Part{Origin: s.origin[prev], Count: s.own[prev]},
`, `		Cur:  Part{Origin: s.origin[cur], Count: Count{P: s.own[cur].P - s.sent[cur].P}},
		Prev: Part{Origin: s.origin[prev], Count: Count{P: s.own[prev].P - s.sent[prev].P}},
`},
		{"crdt/counter.go", "	joined = Count{P: max(c.P, o.P), N: max(c.N, o.N)}\n", "	joined = Count{P: c.P + o.P, N: c.N + o.N}\n"},
	}},
	{name: "send the current window only", edits: []edit{
		{"crdt/state.go", "		Prev: Part{Origin: s.origin[prev], Count: s.own[prev]},\n", "		Prev: Part{Origin: Never},\n"},
	}},
	{name: "leave origins out of repair: of rows and of digests", edits: []edit{
		{"node/store.go", "		r.Key = e.key\n", "		r.Key, r.Cur.Origin, r.Prev.Origin = e.key, crdt.Never, crdt.Never\n"},
		{"node/store.go", "			d.Origin(e.key, e.stamp(), w.Start, o)\n", "			_ = o\n"},
	}},
	{name: "drop a window instead of folding it", edits: []edit{
		{"crdt/state.go", "		s.origin = [2]int64{cur: Never, prev: s.Base()}\n", "		s.origin = [2]int64{cur: Never, prev: s.origin[cur]}\n"},
		{"crdt/state.go", "		s.origin = [2]int64{cur: Never, prev: s.TAT(f)}\n", "		s.origin = [2]int64{cur: Never, prev: Never}\n"},
	}},
	{name: "fold into the new window instead of the one that stays", edits: []edit{
		{"crdt/state.go", "		s.origin = [2]int64{cur: Never, prev: s.Base()}\n", "		s.origin = [2]int64{cur: s.TAT(f), prev: s.origin[cur]}\n"},
	}},
	{name: "take counts without an origin as drained for ever", edits: []edit{
		{"crdt/state.go", "	s.Raise(s.start)\n", ""},
		{"crdt/state.go", "	s.origin[w] = max(s.origin[w], start)\n", ""},
	}},
	{name: "add rounded times", edits: []edit{
		{"gcra/gcra.go", "	next := l.Base + g.rate.drain(l.Count+uint64(cost))\n", "	next := l.Base + drained + g.rate.drain(uint64(cost))\n"},
	}},
	{name: "cap the debt", edits: []edit{
		{"crdt/state.go", "		s.origin = [2]int64{cur: Never, prev: s.Base()}\n", "		s.origin = [2]int64{cur: Never, prev: min(s.Base(), start)}\n"},
	}},
	{name: "forget a client that has drained in a live window", edits: []edit{
		{"node/sweep.go", "e.states().over(f, live)", "live <= now && e.states().over(f, now)"},
	}},
	{name: "evict a client for another at a full table", edits: []edit{
		{"node/decide.go", "	if !n.table.full(s) {\n", "	if n.table.full(s) {\n		for slot := range s.slots() {\n			if v := s.at(slot); v != nil && v.used {\n				s.remove(slot)\n				n.table.count.Add(-1)\n				break\n			}\n		}\n	}\n	if !n.table.full(s) {\n"},
	}},
	{name: "take any clock's word: no tolerance, no future check", edits: []edit{
		{"node/store.go", "	if d.Start > r.frame.Start(now+n.tolerance(r)) || ", "	if "},
		{"node/store.go", "	if !n.plausible(now, r, d.Start, row) {\n", "	if false {\n"},
	}},
	{name: "leave skew out of the bound", edits: []edit{
		{"node/sim/oracle.go", "	return float64(unseen) + o.rate()*float64(o.sigma())\n", "	return float64(unseen)\n"},
	}},
	{name: "leave silent nodes out of the exported bound", edits: []edit{
		{"node/stats.go", "		if !p.Admits {\n", "		if p.State != deltasync.PeerAlive {\n"},
	}},
	{name: "leave staleness out of the exported bound", edits: []edit{
		{"node/stats.go", "rate * (float64(p.StaleFor) + float64(flush))", "rate * float64(flush)"},
	}},
	{name: "look past a newer window that was merged, on a slow clock", edits: []edit{
		{"node/decide.go", "		if conforms, origin = e.rule.gcra.Admit(gcra.Level{Base: st.Base(), Count: st.Count()}, now, cost); !conforms {\n", `		level := gcra.Level{Base: st.Base(), Count: st.Count()}
		if st.Start() > now {
			level = gcra.Level{Base: st.Origins()[1], Count: st.CountPrevious()}
		}
		if conforms, origin = e.rule.gcra.Admit(level, now, cost); !conforms {
`},
	}},
	{name: "use a replica's id again after a restart", edits: []edit{
		{"node/sim/world.go", "	m.inbox = fmt", "	if again != nil {\n		m.replica = again.replica\n	}\n	m.inbox = fmt"},
	}},
	{name: "carry over a changed limit at the first touch, not when it took effect", edits: []edit{
		{"node/decide.go", "		e.rule.carry(e.states(), old.rule, old.states())\n", `		r, rev := *e.rule, *e.rule.rev
		rev.stamp.At = max(rev.stamp.At, n.now())
		r.rev = &rev
		(&r).carry(e.states(), old.rule, old.states())
`},
	}},
	{name: "let the share of a partition grow by the others' silence", edits: []edit{
		{"sync/roster.go", "	members = 1 + len(e.roster.names)\n", `	members = 1
	for _, p := range e.peers.list {
		if p.state != PeerGone {
			members++
		}
	}
`},
	}},
	{name: "leave the counters of the dead out of snapshots", edits: []edit{
		{"node/store.go", "		if fits && (q.Of == 0 || of == q.Of) {\n", "		if fits && of == n.replica {\n"},
	}},
	{name: "never ask for what was lost", edits: []edit{
		{"sync/repair.go", "		case p.gap:\n", "		case false:\n"},
		{"sync/repair.go", "		case p.differs && now >= p.lookAt:\n", "		case false:\n"},
	}},
	{name: "claim to be fresh while a message is missing", edits: []edit{
		{"sync/peer.go", "func (p *peer) behind() bool { return p.gap || p.differs || p.unproven }\n", "func (p *peer) behind() bool { return false }\n"},
	}},
	{name: "keep a reset client under the revision that it was reset under", edits: []edit{
		{"node/store.go", "		n.renew(e, r, now)\n	case c > 0:\n		return //", "		return\n	case c > 0:\n		return //"},
	}},
	{name: "forget a reset that is still repeated", edits: []edit{
		{"node/sweep.go", "max(3*f.Width, resetRepeated)", "3*f.Width"},
	}},
	{name: "charge late messages of the life before a reset to the new one", edits: []edit{
		{"node/store.go", "	case c < 0:\n		n.mergeOld(", "	case c < 0 && e.reset() == crdt.Stamp{}:\n		n.mergeOld("},
	}},
	{name: "charge what was denied", edits: []edit{
		{"node/decide.go", "now, cost); !conforms {\n			return false, ReasonOverLimit\n", "now, cost); !conforms {\n			st.Admit(uint64(cost))\n			return false, ReasonOverLimit\n"},
	}},
	{name: "never flush before the interval ends", edits: []edit{
		{"node/decide.go", ">= e.rule.slack {\n", ">= e.rule.slack && false {\n"},
	}},
	{name: "give back more than was taken", tests: "./crdt", edits: []edit{
		{"crdt/state.go", "	cost = min(cost, s.own[w].Net())\n", ""},
	}},
	{name: "give back what has drained already", edits: []edit{
		{"node/reserve.go", "			left = min(left, r.gcra.Units(h.tat-now))\n", ""},
	}},
	{name: "forget the slot on the wire", edits: []edit{
		{"node/store.go", "Slot: uint8(slot),", "Slot: 0,"},
	}},
	{name: "count n parts of a window in n parts, not n+1", edits: []edit{
		{"gcra/segmented.go", "	return counts[:min(len(counts), s.n+1)]\n", "	return counts[:min(len(counts), s.n)]\n"},
	}},
	{name: "bring only the first part of a window forward", edits: []edit{
		{"node/states.go", "	for _, st := range s.all {\n		st.Roll(f, start)\n	}\n", "	s.first.Roll(f, start)\n"},
	}},
	{name: "overlook what a clock ahead counted in the next part", edits: []edit{
		{"node/use.go", "			counts[age+r.slots] += prev\n			counts[0] += cur\n", "			counts[age+r.slots] += prev\n"},
	}},
	{name: "estimate without the window before", edits: []edit{
		{"node/use.go", "		return r.sliding.Admit(cur, prev, s.first.Start(), t, cost), gcra.Never\n", "		_ = prev\n		return r.sliding.Admit(cur, 0, s.first.Start(), t, cost), gcra.Never\n"},
	}},
	{name: "carry nothing over from one algorithm to another", edits: []edit{
		{"node/use.go", "	units := min(before.used(rolled, since), ", "	units := min(0*before.used(rolled, since), "},
	}},
	{name: "carry a change's use over twice", edits: []edit{
		{"node/use.go", "	units := min(before.used(rolled, since), ", "	units := min(2*before.used(rolled, since), "},
	}},
	{name: "carry nothing over into the window before", edits: []edit{
		{"node/use.go", "	case r.frame.Before(st.Start()):\n		st.RaisePrevious(&r.frame, o)\n", ""},
	}},
	{name: "give back to the part that is current", edits: []edit{
		{"node/reserve.go", "e.states().at(h.slot).GiveBack(", "r.current(e.states(), now).GiveBack("},
	}},
	{name: "give back twice", edits: []edit{
		{"node/reserve.go", "r.settled.Swap(true)", "r.settled.Load()"},
	}},
	{name: "charge some limits of a request that another denies", edits: []edit{
		{"node/checks.go", "		if charge && !peek {\n", "		if c.d.Allowed && !peek {\n"},
	}},
	{name: "leave a reservation's other limits charged", edits: []edit{
		{"node/reserve.go", "	for i := range r.holds {\n", "	for i := range r.holds[:1] {\n"},
	}},
	{name: "leave out of the exported bound what windows admit alone", edits: []edit{
		{"node/stats.go", "		units += float64(r.policy.Burst)\n		if r.sliding != nil {\n", "		if r.policy.Algorithm == GCRA {\n			units += float64(r.policy.Burst)\n		}\n		if r.sliding != nil {\n"},
	}},
}
