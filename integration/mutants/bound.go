package main

// boundMistakes are those in the live bound, whichever package they are in.
var boundMistakes = []mistake{
	{name: "leave silent nodes out of the exported bound", edits: []edit{
		{"sync/unknown.go", "		case !p.left && p.replacedAt == 0:\n			spans", "		case p.state == PeerAlive:\n			spans"},
	}},
	{name: "wait for ever for nodes that an operator forgot", edits: []edit{
		{"node/degraded.go", "len(status.Roster) > 0)", "len(n.members.Names) > 0)"},
	}},
	{name: "export that no denial is wrong", edits: []edit{
		{"node/internal/limits/denied.go", "	return room(r.Frame.Width), ", "	return room(0), "},
	}},
	{name: "leave staleness out of the exported bound", edits: []edit{
		{"node/internal/limits/bound.go", "		units += rate(r) * float64(sp.Began-sp.Ended)\n", ""},
	}},
	{name: "divide by the window of a limit that has none", edits: []edit{
		{"node/internal/limits/bound.go", "	if r.Policy.Access != limit.Limited {\n		return 0\n	}\n	return float64(r.Policy.Limit)", "	return float64(r.Policy.Limit)"},
	}},
	{name: "leave refunds that were heard late out of the exported bound", edits: []edit{
		{"node/internal/limits/late.go", " + l.lateRefunds(s)\n", "\n"},
	}},
	{name: "leave out of refunds heard late what the node gave back itself", edits: []edit{
		{"node/internal/table/merge.go", "+float64(s.refunds.since(k, heard))", ""},
	}},
	{name: "take a refund for heard in time, however long its sender was silent", edits: []edit{
		{"sync/delta.go", "			heard = p.unknown() - int64(e.cfg.Interval)\n", "			heard = now\n"},
	}},
	{name: "count refunds that were heard late for the slow way of merging alone", edits: []edit{
		{"node/internal/table/mergecell.go", "		back = gain.N\n", "		back = 0\n"},
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
		{"sync/spans.go", "	s.closed = slices.Insert(s.closed, i, closedSpan{of, began, now, kind, s.count, s.apart(began, now)})\n", "	_ = i\n"},
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
	{name: "take a cluster that starts again for a new one", edits: []edit{
		{"sync/join.go", "e.members.founding.join(j.startedAt, from, e.cfg.Last)", "e.members.founding.join(j.startedAt, from, Run{})"},
	}},
	{name: "hear nothing of those who know of more", edits: []edit{
		{"sync/founding.go", "	if foundedAt < f.at-joinLimit {", "	if false {"},
	}},
	{name: "hear nothing of what nobody knows", edits: []edit{
		{"sync/founding.go", "		f.ran(now - before)\n", ""},
	}},
	{name: "take a giver's knowledge for as old as one's own", edits: []edit{
		{"sync/founding.go", "		f.at = min(f.at, giver.foundedAt)\n", ""},
	}},
	{name: "call the bound known though nobody knows what ran before", edits: []edit{
		{"node/internal/limits/bound.go", "		s.Sync.Partial && s.Sync.FoundedAgo < horizon:\n", "		false:\n"},
	}},
	{name: "take nothing over of what peers miss", edits: []edit{
		{"sync/inherit.go", "		case m.Ended > 0:\n", "		case m.Ended > 0 && false:\n"},
	}},
	{name: "overlook silent nodes that only peers know", edits: []edit{
		{"sync/inherit.go", "			ms.inherited[m.Of] = inherited{began, now}\n", "			_ = began\n"},
	}},
	{name: "forget silent nodes when nobody tells of them any more", edits: []edit{
		{"sync/inherit.go", "			ms.spans.close(r, was.began, was.toldAt, SpanLost)\n", "			_ = was\n"},
	}},
	{name: "take a node that is joining for fresh", edits: []edit{
		{"sync/peer.go", "	if !p.sure || p.behind() || p.joining {", "	if !p.sure || p.behind() {"},
	}},
	{name: "leave out what drained while a node joined", edits: []edit{
		{"sync/group.go", "			e.members.spans.close(e.cfg.Replica, e.started, now, SpanDrained)\n", ""},
	}},
	{name: "forget the last run of which nobody tells", edits: []edit{
		{"sync/unknown.go", "		ms.spans.close(last.Replica, last.Began, min(now, last.Until), SpanLost)\n", ""},
	}},
	{name: "let a later run of a name end one that is alive", edits: []edit{
		{"sync/unknown.go", "		if p != by && p.node == by.node && p.state != PeerAlive {\n", "		if p != by && p.node == by.node {\n"},
	}},
	{name: "let a bye end a long silence as if all had been told in time", edits: []edit{
		{"sync/members.go", "p.replacedAt == 0 && now-from >= healedAfter {", "false && now-from >= healedAfter {"},
	}},
	{name: "drop a peer with what it may have admitted", edits: []edit{
		{"sync/unknown.go", "		ms.spans.lose(p.heardAt)\n", ""},
	}},
	{name: "take a change that was heard late for one that was heard in time", edits: []edit{
		{"node/internal/limits/register.go", "		l.hear(now, g.cfg.Began, i)\n", ""},
	}},
	{name: "export the bound of the newest rule alone, whatever was in force before", edits: []edit{
		{"node/internal/limits/late.go", "			if over < now-horizon {\n", "			if over < now-horizon || over > 0 {\n"},
	}},
	{name: "give a joiner whose window began what has still to be folded", edits: []edit{
		{"node/internal/table/export.go", "max(now, min(q.At, now+t.Tolerance(e.rule)))", "now"},
	}},
	{name: "let shares grow with a cut that is over", edits: []edit{
		{"node/internal/limits/bound.go", "		apart := sp.Apart || s.Isolated", "		apart := s.Isolated"},
	}},
	{name: "leave the previous window out when a merge charges a share", edits: []edit{
		{"node/internal/table/merge.go", "now, g.Cur.P+g.Prev.P)", "now, g.Cur.P)"},
	}},
	{name: "end the life before a change a window early", edits: []edit{
		{"node/internal/table/life.go", "	if f.Start(now) <= changed+2*f.Width {\n", "	if f.Start(now) <= changed+f.Width {\n"},
	}},
}
