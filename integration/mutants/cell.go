package main

// cellMistakes are in how clients lie in memory, in decisions at a glance, and in their samples.
var cellMistakes = []mistake{
	{name: "believe a glance during which its cell changed", edits: []edit{
		{"node/internal/table/cell.go", " && c.word.Load() == word\n", "\n"},
	}},
	{name: "decide from a cell by another rule", edits: []edit{
		{"node/internal/table/glance.go", " || s.clients.rules.at(what&ruleMask) != r || now", " || now"},
	}},
	{name: "charge a client whom somebody charged since the glance", edits: []edit{
		{"node/internal/table/glance.go", "			if s.mu.Lock(); c.word.Load() != word {\n", "			if s.mu.Lock(); false {\n"},
	}},
	{name: "judge anew, and charge by the first judgement", edits: []edit{
		{"node/internal/table/glance.go", "				continue\n", "				word = c.word.Load()\n"},
	}},
	{name: "count a denial at a glance as an admission", edits: []edit{
		{"node/internal/table/glance.go", "			share, timed = a.Refusals.Count(now, cost)\n", "			s.Lock()\n			s.Counts.Admit(a, cost)\n			s.Unlock()\n"},
	}},
	{name: "go by flags from before the lock", edits: []edit{
		{"node/internal/table/glance.go", "		what = c.what.Load()\n", ""},
	}},
	{name: "deny at a glance what a bounded rule's account may cover", also: "./node", edits: []edit{
		{"node/internal/table/glance.go", "			if r.Bounded {\n", "			if false {\n"},
	}},
	{name: "decide at a glance while joining", edits: []edit{
		{"node/internal/table/glance.go", "		if c == nil || s.aside.joining.Load() {\n", "		if c == nil {\n"},
	}},
	{name: "charge a cell whose record holds what is unsent", edits: []edit{
		{"node/internal/table/glance.go", "			what&(hasRecords|sentAll) == hasRecords {", "			false {"},
	}},
	{name: "look closer at no admission at a glance", also: "./node", edits: []edit{
		{"node/internal/table/glance.go", "			share, timed = s.Sampler.Look(now)\n", "			s.Sampler.Look(now)\n"},
	}},
	{name: "time no denial at a glance", also: "./node", edits: []edit{
		{"node/internal/tally/refusals.go", "	return share, top.Timed(random)\n", "	return share, top.Timed(random) && false\n"},
	}},
	{name: "time no request whose own limit decides nothing", edits: []edit{
		{"node/checks.go", "	if checks[first].timed {\n", "	if checks[0].timed {\n"},
	}},
	{name: "begin with a whole gap until a decision is timed", edits: []edit{
		{"node/internal/top/sampler.go", "min(s.wait(), s.wait())", "s.wait()"},
	}},
	{name: "go on with the gap of the shift before", edits: []edit{
		{"node/internal/top/sampler.go", "		s.shift++\n		s.next = s.seen + s.gap()\n", "		s.shift++\n"},
	}},
	{name: "time a decision as many behind the start of a second as were left of it", edits: []edit{
		{"node/internal/top/sampler.go", "		s.timed -= s.seen - 1 // looked at by then, so it is not below\n", ""},
	}},
	{name: "show a charge before its origin", edits: []edit{
		{"node/internal/table/publish_amd64.s", "	MOVQ BX, cell_origin(AX)\n	MOVQ CX, cell_word(AX)\n", "	MOVQ CX, cell_word(AX)\n	MFENCE\n	MOVQ BX, cell_origin(AX)\n"},
		{"node/internal/table/publish_other.go", "	c.origin.Store(origin)\n	c.word.Store(word)\n", "	c.word.Store(word)\n	c.origin.Store(origin)\n"},
	}},
	{name: "decide at a glance by a revision that is over", also: "./node", edits: []edit{
		{"node/internal/limits/limit.go", "	return c.in == r && c.from <= t && t < c.until\n", "	return c.in == r\n"},
	}},
	{name: "open a client by another clock than decisions at a glance go by", edits: []edit{
		{"node/decide.go", "	rule, group, k, why := n.resolve(l, r, client, cost, &net)\n	now := n.now()\n", "	rule, group, k, why := n.resolve(l, r, client, cost, &net)\n	now := n.now() + 2000\n"},
	}, also: "./node"},
	{name: "decide at a glance before a revision is in force", edits: []edit{
		{"node/internal/limits/limit.go", "	return c.in == r && c.from <= t && t < c.until\n", "	return c.in == r && t < c.until\n"},
	}},
	{name: "decide for the client that a cell is of by now", edits: []edit{
		{"node/internal/table/cell.go", " && c.hi.Load() == k.Hi && c.lo.Load() == k.Lo && c.word", " && c.word"},
	}},
	{name: "pack totals that a cell cannot hold", edits: []edit{
		{"node/internal/table/pack.go", " || im.Carry >= crdt.End {\n", " {\n"},
	}},
	{name: "pack a client without its refunds", edits: []edit{
		{"node/internal/table/pack.go", "	if own[0].N != 0 || own[1].N != 0 ||", "	if"},
	}},
	{name: "search the new places alone while the index grows", edits: []edit{
		{"node/internal/table/index.go", "			if len(x.old) == 0 || len(places) == len(x.old) { //", "			if true { //"},
	}},
	{name: "search the old places from elsewhere", edits: []edit{
		{"node/internal/table/index.go", "			places, i = x.old, k.Hi-1\n", "			places, i = x.old, k.Lo-1\n"},
	}},
}
