package main

// boundMistakes are those in the live bound, whichever package they are in.
var boundMistakes = []mistake{
	{name: "leave silent nodes out of the exported bound", edits: []edit{
		{"sync/unknown.go", "		case !p.left && p.replacedAt == 0:\n			spans", "		case p.state == PeerAlive:\n			spans"},
	}},
	{name: "leave staleness out of the exported bound", edits: []edit{
		{"node/internal/limits/bound.go", "		units += rate(r) * float64(sp.Began-sp.Ended)\n", ""},
	}},
	{name: "leave the flush out of the exported bound", edits: []edit{
		{"node/internal/limits/bound.go", "min(sp.Began, horizon) + int64(s.Flush)", "min(sp.Began, horizon)"},
	}},
	{name: "leave out of the exported bound what windows admit alone", edits: []edit{
		{"node/internal/limits/bound.go", "	if r.Policy.Algorithm != limit.GCRA {\n		return burst\n", "	if r.Policy.Algorithm != limit.GCRA {\n		return 0\n"},
	}},
	{name: "export the bound of the limit's own rule alone, not the overrides'", edits: []edit{
		{"node/internal/limits/bound.go", "		worst = max(worst, bound(&r.Rules[i], s))\n", "		worst = max(worst, bound(&r.Rules[0*i], s))\n"},
	}},
	{name: "export 0 where no peer was ever heard", edits: []edit{
		{"node/internal/limits/bound.go", "	case s.Never, s.Open,", "	case s.Open,"},
	}},
	{name: "leave departed peers' clocks out of the bound", edits: []edit{
		{"node/internal/limits/bound.go", "	take(&s.Sync.Departed)\n", ""},
	}},
	{name: "leave the steps of the own clock out of the bound", edits: []edit{
		{"node/internal/limits/bound.go", "	return hi - lo + own\n", "	return hi - lo + 0*own\n"},
	}},
	{name: "count a burst for each span, however close they are", edits: []edit{
		{"node/internal/limits/bound.go", "rate(r)*float64(gap) >= burst", "gap >= 0"},
	}},
	{name: "count what healed as told in whole", edits: []edit{
		{"sync/unknown.go", "	if missed, healed := p.refresh(now, at); healed {\n", "	if missed, healed := p.refresh(now, at); healed && false {\n"},
	}},
	{name: "drop a span as soon as it is over", edits: []edit{
		{"sync/spans.go", "	s.closed = slices.Insert(s.closed, i, closedSpan{of, began, now, kind, s.count})\n", "	_ = i\n"},
	}},
	{name: "take a peer for fresh from when it was first heard", edits: []edit{
		{"sync/peer.go", "	if !p.sure || p.freshHere == 0 { // sure of one that is joining\n		return p.from\n", "	if !p.sure || p.freshHere == 0 { // sure of one that is joining\n		return p.metAt\n"},
	}},
	{name: "believe a bye before its gap is closed", edits: []edit{
		{"sync/peer.go", "func (p *peer) whole() bool { return p.left && p.knows().Whole() }", "func (p *peer) whole() bool { return p.left }"},
	}},
	{name: "forget how far clocks were apart once they agree", edits: []edit{
		{"sync/bearing.go", "	set := b.lo > b.hi //", "	set := false && b.lo > b.hi //"},
	}},
	{name: "trust the first measurement of a clock after a step back", edits: []edit{
		{"sync/bearing.go", "	b.lo = min(b.lo, b.hi)\n", ""},
	}},
	{name: "call a node joined before its peers list it", edits: []edit{
		{"sync/unknown.go", "(!p.hearsUs || !p.sure)", "!p.sure"},
	}},
}
