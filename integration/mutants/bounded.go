package main

// boundedMistakes are those in what nodes may admit under a bounded limit, and lend each other.
var boundedMistakes = []mistake{
	{name: "start with what the run before may have used", edits: []edit{
		{"node/internal/rights/division.go", "		a.Full = a.Began + a.Terms.Bottom()\n", "		a.Full = a.Began\n"},
	}},
	{name: "forget over a restart what was lent", edits: []edit{
		{"node/internal/rights/account.go", "	a.Full = max(a.Full, min(t.Own, a.Opens)+m*a.Terms.Room)\n", ""},
	}},
	{name: "keep the room of what is lent", edits: []edit{
		{"node/internal/rights/record.go", "	r.lent[0] += y\n", ""},
	}},
	{name: "lend what is the node's and keep it", edits: []edit{
		{"node/internal/rights/record.go", "	a.Full = max(a.Full, t.Own) + a.Terms.Parts*y\n", ""},
	}},
	{name: "never end a loan", edits: []edit{
		{"node/internal/rights/record.go", "l.tokens > 0 && (t.Mono >= l.mono || t.Wall >= l.wall)", "l.tokens > 0 && false"},
	}},
	{name: "time a loan from when it came", edits: []edit{
		{"node/internal/rights/record.go", "lot{mono: askedMono + a.Terms.Loan, wall: askedWall + a.Terms.Loan,", "lot{mono: t.Mono + a.Terms.Loan, wall: t.Wall + a.Terms.Loan,"},
	}},
	{name: "take a loan that is over", edits: []edit{
		{"node/internal/rights/record.go", "	if y <= 0 || t.Mono >= l.mono || t.Wall >= l.wall {\n", "	if y <= 0 {\n"},
		{"node/internal/rights/record.go", "l.tokens > 0 && (t.Mono >= l.mono || t.Wall >= l.wall)", "l.tokens > 0 && (t.Mono >= l.mono+a0 || t.Wall >= l.wall+a0)"},
		{"node/internal/rights/record.go", "// Lent is λ:", "const a0 = int64(100e6)\n\n// Lent is λ:"},
	}},
	{name: "time loans by a clock that stands still while the machine sleeps", edits: []edit{
		{"node/internal/rights/record.go", "(t.Mono >= l.mono || t.Wall >= l.wall)", "t.Mono >= l.mono"},
		{"node/internal/rights/record.go", "	if y <= 0 || t.Mono >= l.mono || t.Wall >= l.wall {\n", "	if y <= 0 || t.Mono >= l.mono {\n"},
	}},
	{name: "return a loan an epoch early", edits: []edit{
		{"node/internal/rights/account.go", "			r.lent[1], r.lent[0] = r.lent[0], 0\n", "			r.lent[1], r.lent[0] = 0, 0\n"},
	}},
	{name: "let a loan's room refill before it is back", edits: []edit{
		{"node/internal/rights/account.go", "			a.Full = max(a.Full, r.epoch*a.Terms.Epoch+m*r.Lent())\n", ""},
	}},
	{name: "free loans that their borrower has not seen", edits: []edit{
		{"node/internal/rights/record.go", "	if r == nil || r.to != from || r.last > low {\n", "	if r == nil || r.to != from {\n"},
	}},
	{name: "free the loans of another borrower", edits: []edit{
		{"node/internal/rights/record.go", "	if r == nil || r.to != from || r.last > low {\n", "	if r == nil || r.last > low {\n"},
	}},
	{name: "take the last borrower for the only one", edits: []edit{
		{"node/internal/rights/record.go", "	case r.to != to:\n		r.to = 0\n", "	case r.to != to:\n		r.to = to\n"},
	}},
	{name: "give every share the whole credit", edits: []edit{
		{"node/internal/rights/terms.go", "Overdraft: credit / m,", "Overdraft: credit,"},
	}},
	{name: "give back what was borrowed", edits: []edit{
		{"node/internal/table/charge.go", "a.GiveBack(t, min(c.own, r.GCRA.Drain(gone)), c.ownAt,", "a.GiveBack(t, r.GCRA.Drain(gone), c.ownAt,"},
	}, also: "./node"},
	{name: "give back what was earned again", edits: []edit{
		{"node/internal/rights/account.go", "a.repay(t, own-max(0, t.Own-since)/fastest)", "a.repay(t, own)"},
	}},
	{name: "refill by a clock that somebody sets", edits: []edit{
		{"node/internal/clock/steady.go", "	if now > s.now {\n", "	if false {\n"},
	}},
	{name: "let a jump of the wall clock refill accounts", edits: []edit{
		{"node/internal/clock/clock.go", "jumped: b.jumped - int64(ahead)", "jumped: b.jumped"},
	}},
	{name: "take an answer as often as it comes", edits: []edit{
		{"sync/lend.go", "	p.wanted = slices.Delete(p.wanted, i, i+1)\n", ""},
	}},
	{name: "say that loans under open questions are refused", edits: []edit{
		{"sync/lend.go", "		return a[0].number - 1\n", "		return last\n"},
	}},
	{name: "answer a question for loans that is recorded", edits: []edit{
		{"sync/fresh.go", "case KindRepair, KindSnapshot, KindSettle, KindPull, KindWant:", "case KindRepair, KindSnapshot, KindSettle, KindPull:"},
	}},
	{name: "ask for loans without an end", edits: []edit{
		{"sync/lend.go", "!l.bytes.take(now, lendingHead, ration{lendingBytes, lendingAtOnce})", "false"},
	}},
	{name: "say that less is held of what was borrowed", edits: []edit{
		{"node/internal/lending/lender.go", "		w.Held = a.Holds()\n", "		w.Held = a.Holds() / 2\n"},
	}},
	{name: "let a client's account outlive a change of its limit", edits: []edit{
		{"node/internal/table/account.go", "	x.put(e.slot, full)\n	delete(x.records, e.slot)\n", "	_ = full\n"},
	}, also: "./node"},
	{name: "forget a client whose account is not full", edits: []edit{
		{"node/internal/table/sweep.go", "e.forgettable(now) && s.accounts.idle(e, now) &&", "e.forgettable(now) &&"},
	}, also: "./node"},
	{name: "give unknown clients of a full table accounts of their own", edits: []edit{
		{"node/decide.go", "		s.Crowd(now)\n", ""},
	}},
	{name: "let unknown clients of a bounded limit pass at a full table", edits: []edit{
		{"node/decide.go", "	} else if n.onFull == FullOpen {\n", "	}\n	if n.onFull == FullOpen {\n"},
	}},
	{name: "hold requests while nobody is asked", edits: []edit{
		{"node/internal/rights/asks.go", "return k.open > 0 || k.Listed", "return true"},
	}, also: "./node"},
	{name: "let requests that wait sleep on after a question in vain", edits: []edit{
		{"node/internal/lending/lender.go", "	return got > 0 || !a.Record.Asks.Awaits()\n", "	return got > 0\n"},
	}, also: "./node"},
	{name: "hold a request that lacks more than loans", edits: []edit{
		{"node/checks.go", "			hold = min(hold, c.rule.Hold)\n		default:\n			hold = 0\n", "			hold = min(hold, c.rule.Hold)\n		default:\n"},
	}},
	{name: "count a request that waits as denied", edits: []edit{
		{"node/checks.go", "	if c.shard == nil || by.peek || held {\n", "	if c.shard == nil || by.peek {\n"},
	}},
	{name: "hold a request whose caller is gone", edits: []edit{
		{"node/wait.go", "		case <-q.Hold.Done():\n			return d\n", ""},
	}},
	{name: "hold more requests of a client than a burst", edits: []edit{
		{"node/wait.go", "lines.Join(here.key, here.rule.Policy.Burst)", "lines.Join(here.key, MaxHolding)"},
	}},
	{name: "use a share before all others have let the node in", edits: []edit{
		{"node/internal/lending/roll.go", "	case !ready || r.waitsFor() != nil:\n", "	case !ready:\n"},
	}},
	{name: "use a share while loans of larger ones may be out", edits: []edit{
		{"node/internal/lending/roll.go", "	case own-r.agreed >= hold:\n", "	case own >= r.agreed:\n"},
	}},
	{name: "take a configured roster for one that all agree on", edits: []edit{
		{"node/internal/lending/roll.go", "	r.opened = saved.Opened && !r.gone[self]\n", "	r.opened = !r.gone[self]\n"},
	}},
	{name: "forget over a restart whom a node let in", edits: []edit{
		{"node/internal/lending/roll.go", "	for _, name := range saved.Members {\n", "	for _, name := range saved.Members[:0] {\n"},
	}},
	{name: "strike off whoever is silent", edits: []edit{
		{"node/internal/lending/roll.go", "	switch digest := r.sum(); {\n", "	for _, name := range r.names(false) {\n		if name != r.self && r.heard[name] == 0 {\n			r.strikeOff(name, own)\n		}\n	}\n	switch digest := r.sum(); {\n"},
	}},
	{name: "give away a dead node's share while its loans may be out", edits: []edit{
		{"node/internal/lending/roll.go", "return own-since >= hold })", "return own >= since })"},
	}},
	{name: "go on after being struck off", edits: []edit{
		{"node/internal/lending/roll.go", "	case r.gone[r.self]:\n		r.opened = false\n", ""},
	}},
	{name: "give away the share of a node that goes on", edits: []edit{
		{"node/internal/lending/roll.go", "	if said.Open && r.gone[name] {\n", "	if false {\n"},
	}},
	{name: "let a configuration bring back whom somebody struck off", edits: []edit{
		{"node/internal/lending/roll.go", "		if _, known := r.gone[name]; !known {\n			r.gone[name] = false\n		}\n	}\n	r.opened", "		r.gone[name] = false\n	}\n	r.opened"},
	}},
	{name: "tell of a roster that could not be kept", edits: []edit{
		{"node/internal/lending/settle.go", "	if !h.keep(text) && !left {\n", "	if h.keep(text); len(text) == 0 {\n"},
	}, also: "./node"},
	{name: "begin with a full account where a share is new", edits: []edit{
		{"node/internal/rights/division.go", "		a.Full = t.Own + to.Bottom()\n", "		a.Full = t.Own\n"},
	}},
	{name: "give the credit that comes with a leave", edits: []edit{
		{"node/internal/rights/division.go", "		own := a.Own(t) - max(0, to.Overdraft-a.Terms.Overdraft)\n", "		own := a.Own(t)\n"},
	}},
	{name: "put clients that nobody used under the last roster as if there had been no other", edits: []edit{
		{"node/internal/rights/division.go", "	for i > 0 && ds[i].From > began {\n		i--\n	}\n", ""},
		{"node/internal/rights/division.go", "	a.Began, a.Opens = max(began, ds[i].From), opens\n", "	a.Began, a.Opens = began, opens\n"},
	}},
	{name: "let accounts grow with their shares", edits: []edit{
		{"node/internal/table/account.go", "		a.Change(t, terms, share)\n", "		_, _, _ = t, terms, share\n"},
	}, also: "./node"},
	{name: "name nobody to who has another roster", edits: []edit{
		{"sync/roll.go", "p.roll != 0 && p.roll != r.Digest", "false"},
	}, also: "./node"},
	{name: "give up a loan and keep it", edits: []edit{
		{"node/internal/rights/record.go", "			a.Record.lots[i].tokens = 0\n", ""},
	}},
	{name: "take back a loan that is over", edits: []edit{
		{"node/internal/rights/record.go", "|| epoch > r.epoch || epoch < r.epoch-1 {", "|| epoch > r.epoch {"},
		{"node/internal/rights/record.go", "	part := r.epoch - epoch\n", "	part := min(1, r.epoch-epoch)\n"},
	}},
	{name: "take back a loan and count it as lent in another epoch", edits: []edit{
		{"node/internal/rights/record.go", "	part := r.epoch - epoch\n", "	part := int64(0)\n"},
	}},
	{name: "give a loan back to all", edits: []edit{
		{"sync/lend.go", "		if w.BackTo != r {\n", "		if false {\n"},
	}},
	{name: "never give back what nobody needs", edits: []edit{
		{"node/internal/lending/settle.go", "	h.table.AskBack(h.Now())\n", ""},
	}, also: "./node/sim", slow: true},
	{name: "ask for the first of a line alone", edits: []edit{
		{"node/wait.go", "		w.node.holdings.Lack(k, rule, w.node.now(), cmp.Or(w.ask.Cost, 1))\n", "		_ = rule\n"},
	}, also: "./integration"},
	{name: "give a run a share of the window it began in", edits: []edit{
		{"node/internal/rights/window.go", "	if own-margin < ds[0].From || own <= began {\n", "	if own <= began && false {\n"},
	}, also: "./node"},
	{name: "give a run a share of a window that the run before may have used", edits: []edit{
		{"node/internal/rights/window.go", "	if own-margin < ds[0].From || own <= began {\n", "	if own < ds[0].From || own <= began {\n"},
	}},
	{name: "let shares of a window rise within it", edits: []edit{
		{"node/internal/rights/window.go", "i > 0 && ds[i].From > own-margin; i--", "i > 0 && false; i--"},
	}},
	{name: "lend of a quota and keep it", edits: []edit{
		{"node/internal/rights/record.go", "		a.Full = a.quota.code(a.Own(t) - y)\n", ""},
	}},
	{name: "take a loan of another window", edits: []edit{
		{"node/internal/lending/lender.go", "		l.Amount = 0 // it is of another window\n", ""},
	}, also: "./node"},
	{name: "lend of a quota to a life that the lender has not heard of", edits: []edit{
		{"node/internal/table/account.go", "		a.Life(e.Reset())\n", ""},
	}, also: "./node"},
	{name: "give back in a window what another one counted", edits: []edit{
		{"node/internal/rights/account.go", "		if since >= a.quota.start {\n", "		if true {\n"},
	}},
	{name: "take the loans of two lenders for one", edits: []edit{
		{"node/internal/rights/record.go", "o.wall == l.wall && o.from == l.from && o.epoch == l.epoch {", "o.wall == l.wall {"},
	}},
	{name: "spend last what ends first", edits: []edit{
		{"node/internal/rights/record.go", "r.lots[at].mono <= l.mono {", "r.lots[at].mono >= l.mono {"},
	}},
	{name: "lend what completes a unit of what was borrowed", edits: []edit{
		{"node/internal/rights/asks.go", "		keep = max(keep, unit-a.Record.Borrowed())\n", "		_ = unit\n"},
	}},
	{name: "spend of an account past its loans", edits: []edit{
		{"node/internal/table/ample.go", "len(x.records) > 0 && x.records[g.slot] != nil", "false"},
	}, also: "./node"},
	{name: "spend of an account that nobody has used as of an empty one", edits: []edit{
		{"node/internal/table/ample.go", "	if full == 0 || ", "	if "},
	}, also: "./node"},
	{name: "tell a client by the merged counts alone what its account lets pass", edits: []edit{
		{"node/internal/table/ample.go", "	if r.Bounded {\n		t := g.account.terms\n", "	if r.Bounded && d.Remaining < 0 {\n		t := g.account.terms\n"},
	}, also: "./node"},
	{name: "ask late for clients that are decided straight", edits: []edit{
		{"node/internal/table/ample.go", "x.divisions.Roster().Size() > 1", "false"},
	}, also: "./node"},
	{name: "decide straight by the room before the start is forgotten", edits: []edit{
		{"node/internal/rights/account.go", "max(full, own, min(own, opens)+t.Parts*t.Room)", "max(full, own)"},
	}, also: "./node"},
	{name: "take less off an account that is decided straight", edits: []edit{
		{"node/internal/rights/account.go", "t.Parts*t.Room) + t.Parts*c\n", "t.Parts*t.Room) + c\n"},
	}, also: "./node"},
	{name: "let credit count as left to a client that is decided straight", edits: []edit{
		{"node/internal/table/ample.go", "r.Lets(d.Remaining, t.Free(g.account.ahead), t.Overdraft)", "r.Lets(d.Remaining, t.Free(g.account.ahead)+t.Overdraft, 0)"},
	}, also: "./node"},
}
