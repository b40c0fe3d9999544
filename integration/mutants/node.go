package main

// nodeMistakes are those in deciding, and in the state that decisions stand on.
var nodeMistakes = []mistake{
	{name: "forget what a client without room used", also: "./node", edits: []edit{
		{"node/internal/table/unplaced.go", "tat > 0 {", "tat < 0 {"},
	}},
	{name: "forget what a client without room used in a window", also: "./node", edits: []edit{
		{"node/internal/table/unplaced.go", "	if units > 0 {\n		t.unplaced.raise(", "	if units > 1<<62 {\n		t.unplaced.raise("},
	}},
	{name: "forget what a client without room used in the window before", edits: []edit{
		{"node/internal/table/unplaced.go", "	if remembersTwo(r) {\n		if units", "	if remembersTwo(r) && start < 0 {\n		if units"},
	}},
	{name: "count two windows that count together in one sketch", edits: []edit{
		{"node/internal/table/unplaced.go", "start/r.Frame.Width&1", "start/r.Frame.Width&0"},
	}},
	{name: "count a window before as used in its first part", edits: []edit{
		{"node/internal/table/unplaced.go", "			r.Current(e.States(), start-1).Admit(units)\n", "			e.First().Admit(units)\n"},
	}},
	{name: "drop a sketch whose windows still count", edits: []edit{
		{"node/internal/table/unplaced.go", "start+2*r.Frame.Width, t.cfg.Size)", "start+r.GCRA.Drain(units)-keepSketch, t.cfg.Size)"},
	}},
	{name: "charge a client without room once that a decision names twice", edits: []edit{
		{"node/internal/table/unplaced.go", "		if e.key == k {\n			return e\n", "		if e.key == k && false {\n			return e\n"},
	}},
	{name: "let clients of window algorithms without room share an entry", edits: []edit{
		{"node/decide.go", "	return !r.Bounded && (r.Policy", "	return r.Policy.Algorithm == limit.GCRA && !r.Bounded && (r.Policy"},
	}},
	{name: "take ids of any length", edits: []edit{
		{"node/decide.go", "	case len(client) > MaxClientID:\n", "	case len(client) > MaxClientID && cost < 0:\n"},
		{"node/decide.go", "uint(len(client)-1) < MaxClientID &&", "client != \"\" &&"},
	}},
	{name: "never say that data are stale", also: "./node", edits: []edit{
		{"node/internal/health/reasons.go", "p.StaleFor-p.HeardAgo > tooStale", "p.StaleFor < 0"},
	}},
	{name: "never say that messages found no room", edits: []edit{
		{"node/internal/health/reasons.go", "l.Sync.Stats.Dropped[deltasync.DropQueue]+l.Sync.Stats.PublishErrors", "l.Sync.Stats.PublishErrors"},
	}},
	{name: "give a client that gets room a new burst", also: "./node", edits: []edit{
		{"node/internal/table/shard.go", "	s.table.place(e, now)\n", ""},
	}},
	{name: "say nothing of a table that is full", also: "./node", edits: []edit{
		{"node/internal/health/reasons.go", "			return !l.FullOpen && w.full.Grew(l.PassedFull)\n", "			return false\n"},
	}},
	{name: "take windows of the far future", edits: []edit{
		{"node/internal/table/merge.go", "	if d.Start > r.Frame.Start(now+tolerance) || ", "	if "},
	}},
	{name: "show the names of clients that are to be hidden", also: "./node/httpapi", edits: []edit{
		{"node/internal/redact/redact.go", "	if !hidden {\n", "	if hidden || !hidden {\n"},
	}},
	{name: "let a cell of the sketch say less than it did", edits: []edit{
		{"node/internal/sketch/sketch.go", "if is >= to || c.CompareAndSwap(is, to) {", "if is == to || c.CompareAndSwap(is, to) {"},
	}},
	{name: "let programs hear what nodes say", edits: []edit{
		{"node/embednats/gate.go", "		return g.admit(c, appsAccount, nil)\n", "		return g.admit(c, nodesAccount, nil)\n"},
	}},
	{name: "let a client of the embedded server speak for any node", edits: []edit{
		{"node/embednats/gate.go", "Allow: publish}", "Allow: append(publish, \">\")}"},
	}},
	{name: "take any token of the right form for a node's", edits: []edit{
		{"node/embednats/gate.go", " && same(token, NodeToken(g.cfg.NodeSecret, name))", ""},
	}},
	{name: "ask nobody for a certificate who joins the mesh", edits: []edit{
		{"cmd/ratelimitd/tlsfiles.go", "	return store.Mutual(), err\n", "	c := store.Mutual()\n	c.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) {\n		pair, err := c.GetClientCertificate(nil)\n		return &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{*pair}}, err\n	}\n	return c, err\n"},
	}},
	{name: "leave origins out of repair: of rows and of digests", edits: []edit{
		{"node/internal/table/export.go", "		r.Key = e.key\n", "		r.Key, r.Cur.Origin, r.Prev.Origin = e.key, crdt.Never, crdt.Never\n"},
		{"node/internal/table/digest.go", "			d.Origin(e.key, e.name(r), w.Start, o)\n", "			_ = o\n"},
	}},
	{name: "drop the origins of clients that only the asker counts", edits: []edit{
		{"node/internal/table/merge.go", "		if d.Replica == t.cfg.Self {\n", "		if d.Replica == t.cfg.Self {\n			break\n"},
	}},
	{name: "compare the origins of GCRA alone", edits: []edit{
		{"node/internal/table/digest.go", "		if o := st.OriginAt(f, w.Start); o > w.Start {\n", "		if o := st.OriginAt(f, w.Start); o > w.Start && false {\n"},
	}},
	{name: "believe the debts of as many nodes as are peers now", edits: []edit{
		{"node/internal/table/merge.go", "(row.Prev.Origin-latest)/(crdt.MaxCells+1) <=", "(row.Prev.Origin-latest)/int64(t.audience.peers.Load()+2) <="},
	}},
	{name: "forget a client that has drained in a live window", edits: []edit{
		{"node/internal/table/sweep.go", "e.States().Drained(f, live)", "live <= now && e.States().Drained(f, now)"},
	}},
	{name: "evict a client for another at a full table", edits: []edit{
		{"node/internal/table/shard.go", "		if e = s.admit(k, r, now); e == nil {\n			return nil\n", "		if s.Full() {\n			for slot := range s.clients.cells.slots() {\n				if v := s.clients.at(slot); v != nil && v.used {\n					s.remove(slot)\n					break\n				}\n			}\n		}\n		if e = s.admit(k, r, now); e == nil {\n			return nil\n"},
	}},
	{name: "end an isolation the moment that all nodes are heard", edits: []edit{
		{"node/internal/isolation/group.go", "			w.group.Store(&Group{spell: was.spell, since: now, visible: 1, members: 1, whole: true, spent: was.spent})\n", "			w.group.Store(nil)\n"},
	}},
	{name: "read what was used of a share at a changed limit's rate", edits: []edit{
		{"node/internal/isolation/share.go", "		sh.level = convert(sh.level, sh.slow, slow, max(g.since, c.Since))\n", ""},
	}},
	{name: "change limits at an instant of a clock that is ahead", edits: []edit{
		{"node/limits.go", "	case n.lead.Beyond():\n", "	case false:\n"},
	}},
	{name: "go on for ever with a clock that is ahead", edits: []edit{
		{"cmd/ratelimitd/rejoin.go", "	return *l >= rejoinAfter\n", "	return false\n"},
	}},
	{name: "take any clock's word: no tolerance, no future check", edits: []edit{
		{"node/internal/table/merge.go", "	if d.Start > r.Frame.Start(now+tolerance) || ", "	if "},
		{"node/internal/table/merge.go", "case !t.plausible(now, r, d.Start, row):\n", "case t == nil:\n"},
	}},
	{name: "tell nobody what is charged to a cell", edits: []edit{
		{"node/internal/table/glance.go", "	if send && !r.Silent {\n", "	if send && !r.Silent && false {\n"},
	}},
	{name: "look past a newer window that was merged, on a slow clock", edits: []edit{
		{"node/decide.go", "	if rule.Straight && hold == nil && n.unshared(rule) {\n", "	if rule.Straight && hold == nil && n.unshared(rule) && false {\n"},
		{"node/decide.go", "		if conforms, origin = r.GCRA.Admit(s.Level(e, now), now, cost); !conforms {\n", `		level := gcra.Level{Base: st.Base(), Count: st.Count()}
		if st.Start() > now {
			level = gcra.Level{Base: st.Origins()[1], Count: st.CountPrevious()}
		}
		if conforms, origin = r.GCRA.Admit(level, now, cost); !conforms {
`},
	}},
	{name: "carry over a changed limit at the first touch, not when it took effect", edits: []edit{
		{"node/internal/table/life.go", "		e.fold()\n	}\n	e.carry()\n", "		e.fold()\n	}\n	for _, old := range e.lives() {\n		e.rule.Carry(e.States(), old.rule, old.states(), max(e.rule.Revision.At, now))\n	}\n"},
	}},
	{name: "leave the counters of the dead out of snapshots", edits: []edit{
		{"node/internal/table/export.go", "			if fits && (q.Of == 0 || of == q.Of) {\n", "			if fits && of == self {\n"},
	}},
	{name: "settle for an idle client under a rule that is over", also: "./node", edits: []edit{
		{"node/internal/table/life.go", "	e.catchUp(now)\n	e.rule.Roll(", "	e.rule.Roll("},
	}},
	{name: "take a calendar without a limit for nothing, of who is blocked", edits: []edit{
		{"node/limit/validate.go", " && p.Burst == 0 && p.Calendar == gcra.NoUnit {", " && p.Burst == 0 {"},
	}},
	{name: "take a row for folded though nothing is known of its window", edits: []edit{
		{"node/internal/table/merge.go", "	if d.Start < e.state.Start() && e.States().Untouched() {\n", "	if d.Start < e.state.Start() && e.States().Untouched() && now < d.Start {\n"},
	}},
	{name: "leave out an earlier life that is over, though one before it is not", edits: []edit{
		{"node/internal/table/life.go", "	if i == 0 && l.over(", "	if l.over("},
	}},
	{name: "keep a reset client under the revision that it was reset under", edits: []edit{
		{"node/internal/table/merge.go", "	if c < 0 || e.rule.Index != r.Index {\n		e.adopt(r, now)\n", "	if c < 0 && e.Reset() != (crdt.Stamp{}) {\n		return true\n	}\n	if c < 0 || e.rule.Index != r.Index {\n		e.adopt(r, now)\n"},
	}},
	{name: "forget an idle client by a rule that is over", also: "./node", edits: []edit{
		{"node/internal/table/sweep.go", "		if e.forgettable(now) {\n			e.catchUp(now)\n		}\n", ""},
	}},
	{name: "roll an idle client on by a rule that is over, for who joins", also: "./node", edits: []edit{
		{"node/internal/table/export.go", "	e.catchUp(now) // or", "	// or"},
	}},
	{name: "give a client of another override its bucket back", also: "./node", edits: []edit{
		{"node/internal/table/life.go", "	if !old.Untouched() {\n", "	if old.First == nil {\n"},
	}},
	{name: "give nothing of a part back once its beginning is a window ago", also: "./node", edits: []edit{
		{"node/limit/rule.go", "		return to + int64(r.Policy.Window) - 1 //", "		return to - r.segmented.Sub() + int64(r.Policy.Window) - 1 //"},
	}},
	{name: "let late rows take away what was carried over", also: "./node", edits: []edit{
		{"node/internal/table/merge.go", "	e.beforeRoll(l.rule, d.Start)\n", ""},
	}},
	{name: "roll idle clients on by a rule that is over when rows come", also: "./node", edits: []edit{
		{"node/internal/table/merge.go", "	e.catchUp(now) // rolled", "	// rolled"},
	}},
	{name: "forget a reset that is still repeated", edits: []edit{
		{"node/internal/table/sweep.go", "max(3*f.Width, ResetRepeated)", "3*f.Width"},
	}},
	{name: "charge late messages of the life before a reset to the new one", edits: []edit{
		{"node/internal/table/merge.go", "		if later >= 0 {\n			s.mergeEarlier(", "		if true {\n			s.mergeEarlier("},
	}},
	{name: "count under one name before and after a change that is heard after a later reset", edits: []edit{
		{"node/internal/table/life.go", "	return crdt.Life{Revision: r.Revision, Reset: e.Reset()}\n", "	if reset := e.Reset(); reset.Compare(r.Revision) > 0 {\n		return crdt.Life{Reset: reset}\n	}\n	return crdt.Life{Revision: r.Revision}\n"},
	}},
	{name: "carry nothing over a change that is heard after a later reset", edits: []edit{
		{"node/internal/table/life.go", "	lives := e.lives()\n	if len(lives) == 0 {\n		return\n", "	lives := e.lives()\n	if len(lives) == 0 || e.Reset().Compare(e.rule.Revision) > 0 {\n		return\n"},
	}},
	{name: "keep for good what a change carried over when it was made", edits: []edit{
		{"node/internal/table/life.go", "		r.CarryAll(into, l.rule, l.states(), e.Reset().At)\n", "		r.CarryAll(into, l.rule, l.states(), e.Reset().At)\n		into.Keep(&r.Frame)\n"},
	}},
	{name: "carry over from the first revision to the last in one step", edits: []edit{
		{"node/limit/carry.go", "	if r.Past != nil {\n", "	if false {\n"},
	}},
	{name: "carry over nothing anew when an earlier revision is heard of", edits: []edit{
		{"node/internal/limits/limit.go", "	l.version.Add(1)\n", ""},
	}},
	{name: "forget an earlier life while its windows live", edits: []edit{
		{"node/internal/table/life.go", "	if f.Start(now) <= changed+2*f.Width {\n		return false\n	}\n", "	if f.Start(now) <= changed {\n		return false\n	}\n"},
		{"node/internal/table/life.go", "		if st.Start()+2*f.Width > now {\n", "		if st.Start()+f.Width > now {\n"},
	}},
	{name: "begin an earlier life again with each row of it", edits: []edit{
		{"node/internal/table/life.go", "	case some && lives[i].rule.Index == r.Index:\n		return lives[i]\n	case some, ", "	case some && lives[i].rule.Index == r.Index:\n		lives[i].state, lives[i].slots = r.NewStates(start)\n		return lives[i]\n	case some, "},
	}},
	{name: "tell what is only lent", edits: []edit{
		{"crdt/state.go", "		Cur:  Part{Origin: s.origin[cur], Count: s.own[cur]},\n		Prev: Part{Origin: s.origin[prev], Count: s.own[prev]},\n", "		Cur:  Part{Origin: s.Origins()[cur], Count: s.own[cur]},\n		Prev: Part{Origin: s.Origins()[prev], Count: s.own[prev]},\n"},
	}},
	{name: "lose what is lent when the units behind it fold", edits: []edit{
		{"crdt/state.go", "			s.Keep(f)\n			lent = nil\n", "			lent = nil\n"},
	}},
	{name: "keep the revisions of the side that lost to itself", edits: []edit{
		{"node/internal/limits/register.go", "	late := some && held.Stamp.Compare(r.Stamp) >= 0\n", "	late := some && held.Stamp.Compare(r.Stamp) >= 0\n	some = some && false\n"},
	}},
	{name: "charge what was denied", edits: []edit{
		{"node/decide.go", "	if rule.Straight && hold == nil && n.unshared(rule) {\n", "	if rule.Straight && hold == nil && n.unshared(rule) && false {\n"},
		{"node/decide.go", "now, cost); !conforms {\n			return false, ReasonOverLimit\n", "now, cost); !conforms {\n			st.Admit(uint64(cost))\n			return false, ReasonOverLimit\n"},
	}},
	{name: "never flush before the interval ends", slow: true, edits: []edit{
		{"node/internal/table/audience.go", ">= r.Slack\n", ">= r.Slack && false\n"},
	}},
	{name: "give back what has drained already", edits: []edit{
		{"node/internal/table/charge.go", "		return s.refunds.undrained(e, c, now), deltasync.ShortDrained\n", ""},
	}},
	{name: "give back by the level at the charge, whatever was given back below it since", also: "./node", edits: []edit{
		{"node/internal/table/refund.go", "			top -= min(top, r.units)\n", ""},
	}},
	{name: "take refunds of later charges for refunds of earlier ones", also: "./node", edits: []edit{
		{"node/internal/table/refund.go", "		case r.of < c.turn:\n", "		case r.of != nowhere:\n"},
	}},
	{name: "round down what has not drained: nothing of one unit comes back", also: "./node", edits: []edit{
		{"node/internal/table/refund.go", "return e.rule.GCRA.UnitsOver(max(0, tat-now)) }\n", "return e.rule.GCRA.Units(max(0, tat-now)) }\n"},
	}},
	{name: "refund what has drained", also: "./node", edits: []edit{
		{"node/limit/refund.go", "	units = min(units, r.Used(s, t))\n", ""},
	}},
	{name: "give units back by a refund and by a reservation from before it", also: "./node", edits: []edit{
		{"node/internal/table/refund.go", "		top = min(top, above(r.tat))\n", ""},
	}},
	{name: "give units back by another node's refund and by a reservation from before it", edits: []edit{
		{"node/internal/table/merge.go", "	s.refunds.heard(e, g.Cur.N+g.Prev.N, now)\n", ""},
	}},
	{name: "hear of a refund that a settlement must know in the cell alone", edits: []edit{
		{"node/internal/table/mergecell.go", "	case cur.Count.N > uint64(of.count[1]) && s.refunds.open.of[row.Key] >= now: // see refunds.heard\n		return false, 0\n", ""},
	}},
	{name: "settle a reservation with units of those below it", also: "./node", edits: []edit{
		{"node/internal/table/refund.go", "	return top - min(top, bottom)\n", "	return top\n"},
	}},
	{name: "lower the bottom of a charge by a refund that stands for several", also: "./node", edits: []edit{
		{"node/internal/table/refund.go", "			if !r.many { //", "			if true { //"},
	}},
	{name: "refund another life than the asker means", also: "./node", edits: []edit{
		{"node/internal/table/refund.go", "e.Life() != life.Life {", "e.Life() == (crdt.Life{}) {"},
	}},
	{name: "forget which refunds were given", also: "./node", edits: []edit{
		{"node/internal/escrow/escrow.go", "		s.keep(r)\n		s.shared(origin, 1, 0)\n	}\n", "	}\n"},
	}},
	{name: "let everybody refund who can reach a node", edits: []edit{
		{"node/httpapi/routes.go", "http.MethodPost: a.write(a.refund)", "http.MethodPost: a.refund"},
	}},
	{name: "count each fragment of a forwarded path as a path of its own", edits: []edit{
		{"node/httpapi/forward.go", "strings.IndexAny(uri, \"?#\")", "strings.IndexAny(uri, \"?\")"},
	}},
	{name: "take requests to a loopback address by any name", edits: []edit{
		{"node/httpapi/sites.go", "	case s.local && !s.names(r.Host) && ", "	case s.local && r.Host == \"\" && "},
	}},
	{name: "take names that only begin like ours", edits: []edit{
		{"node/httpapi/sites.go", "strings.HasSuffix(name, \".localhost\")", "strings.HasPrefix(name, \"localhost\")"},
	}},
	{name: "let pages of other sites change something", edits: []edit{
		{"node/httpapi/sites.go", "	case s.others.Check(r) != nil || foreign(r):\n", "	case foreign(r):\n"},
	}},
	{name: "let pages of other sites read", edits: []edit{
		{"node/httpapi/sites.go", "	case s.others.Check(r) != nil || foreign(r):\n", "	case s.others.Check(r) != nil:\n"},
	}},
	{name: "let pages forward as if they were a proxy", edits: []edit{
		{"node/httpapi/forward.go", "a.proxies.Trusts(r.RemoteAddr) && r.Header.Get(\"X-Forwarded-For\") != \"\"", "r.Header.Get(\"X-Forwarded-For\") != \"\""},
	}},
	{name: "let nginx take an untrusted proxy for a denied client", edits: []edit{
		{"node/httpapi/forward.go", "		p.Status = http.StatusInternalServerError\n", ""},
	}},
	{name: "let one key look like two", edits: []edit{
		{"node/internal/keys/keys.go", "escaped.Replace(value)", "value"},
	}},
	{name: "charge the true cost to a limit that has a cost of its own", edits: []edit{
		{"node/httplimit/middleware.go", "m.After != nil && costs == common", "m.After != nil"},
	}},
	{name: "take a redirect for an answer over NATS", edits: []edit{
		{"node/natsapi/endpoint.go", "	case http.StatusOK, http.StatusAccepted, http.StatusTooManyRequests:\n", "	case http.StatusOK, http.StatusAccepted, http.StatusNotModified, http.StatusTooManyRequests:\n"},
		{"node/natsapi/endpoint.go", "http.MethodGet: {\"Authorization\", ", "http.MethodGet: {\"If-None-Match\", \"Authorization\", "},
	}},
	{name: "take the second of two fields in a flat body", edits: []edit{
		{"node/httpapi/flat.go", "		if !f.client {\n", "		if !f.client || true {\n"},
	}},
	{name: "take a number with a zero before it in a flat body", edits: []edit{
		{"node/httpapi/flat.go", "	if len(word) > 1 && word[0] == '0' {\n", "	if len(word) > 9 && word[0] == '0' {\n"},
	}},
	{name: "show a client in its partition key", edits: []edit{
		{"node/internal/headers/partition.go", "h.Sum(nil)[:partitionBytes]", "[]byte(client)"},
	}},
	{name: "let pages of other sites forward by a GET", edits: []edit{
		{"node/httpapi/forward.go", "	taking.Method = http.MethodPost\n", ""},
	}},
	{name: "let pages on a proxy's machine forward for nobody", edits: []edit{
		{"node/httpapi/forward.go", "a.proxies.Trusts(r.RemoteAddr) && r.Header.Get(\"X-Forwarded-For\") != \"\"", "a.proxies.Trusts(r.RemoteAddr)"},
	}},
	{name: "let everybody have a token that is not set", edits: []edit{
		{"node/httpapi/auth.go", "subtle.ConstantTimeCompare(given[:], t.hash[:]) == 1 && t.set", "subtle.ConstantTimeCompare(given[:], t.hash[:]) == 1"},
	}},
	{name: "decide for who has no token", edits: []edit{
		{"node/httpapi/api.go", "guard(a.ask(all))", "guard(all)"},
	}},
	{name: "let a browser's password write", edits: []edit{
		{"node/httpapi/auth.go", "	case a.admin.set && (a.admin.is(tokens[0]) || a.admin.is(tokens[1])), !a.admin.set && a.loopback:\n", "	case a.admin.set && (a.admin.is(tokens[0]) || a.admin.is(tokens[1]) || a.admits(r) && a.api.set), !a.admin.set && a.loopback:\n"},
	}},
	{name: "serve the certificates of the start for ever", edits: []edit{
		{"cmd/internal/certs/certs.go", "		s.look()\n", ""},
	}},
	{name: "serve no certificate while a new one is written", edits: []edit{
		{"cmd/internal/certs/certs.go", "	if err == nil {\n		s.take(next, read)\n", "	if next != nil {\n		s.take(next, read)\n"},
	}},
	{name: "let clients in without a certificate", edits: []edit{
		{"cmd/internal/certs/certs.go", "tls.RequireAndVerifyClientCert", "tls.VerifyClientCertIfGiven"},
	}},
	{name: "take no policies of others while one origin's fill the room", edits: []edit{
		{"node/internal/limits/inlines.go", "	if x.of[asker] == most {\n", "	if x.of[asker] != most {\n		return false\n	}\n	if x.of[asker] == most {\n"},
	}},
	{name: "forget anybody's policies for those of one origin", edits: []edit{
		{"node/internal/limits/inlines.go", "cmp.Or(cmp.Compare(b.rank, a.rank), cmp.Compare(a.used, b.used))", "cmp.Or(cmp.Compare(a.rank, b.rank), cmp.Compare(a.used, b.used))"},
	}},
	{name: "forget policies that were just used for others of their origin", edits: []edit{
		{"node/internal/limits/inlines.go", "		case i == 0:\n", "		case i == -2:\n"},
	}},
	{name: "keep policies for as long as their window is", edits: []edit{
		{"node/internal/limits/inlines.go", "		until := l.used.Load() + inlineIdle\n", "		until := l.used.Load() + inlineIdle + int64(l.Newest().Policy.Window)\n"},
	}},
	{name: "look at all policies for each refusal", edits: []edit{
		{"node/internal/limits/inlines.go", "			x.refused[asker] = last[0].used + inlineKept\n", "			x.merge(now)\n"},
	}},
	{name: "look at all policies for each newcomer", edits: []edit{
		{"node/internal/limits/inlines.go", "forgetAtOnce = MaxInline / 32\n", "forgetAtOnce = MaxInline / 1024\n"},
	}},
	{name: "never give back what records took", edits: []edit{
		{"node/internal/table/clients.go", "	c.records.trim()\n", ""},
	}},
	{name: "shorten the index only where somebody was just forgotten", edits: []edit{
		{"node/internal/table/sweep.go", "if forgotten > 0 || s.clients.cells.tooLong() {\n", "if forgotten > 0 {\n"},
	}},
	{name: "keep every entry that was ever opened at once", edits: []edit{
		{"node/internal/table/clients.go", "	if len(c.spare) < mostSpare {\n", "	if c.spare = c.spare[:len(c.spare)]; true {\n"},
	}},
	{name: "keep the rules that nobody uses any more", edits: []edit{
		{"node/internal/table/clients.go", "	c.rules.trim()\n", ""},
	}},
	{name: "give back units of a joiner that have drained", edits: []edit{
		{"node/internal/table/early.go", "held.level.Count, e.rule.GCRA.UnitsOver(held.ahead(now)))", "held.level.Count)"},
	}},
	{name: "decide a limit that was forgotten and came again on the slow path", edits: []edit{
		{"node/internal/table/entry.go", "		e.rule = r\n		e.carry()\n", "		e.carry()\n"},
	}},
	{name: "compare the windows of any number of layouts", edits: []edit{
		{"node/internal/limits/inlines.go", "len(x.layouts) >= mostLayouts {\n", "len(x.layouts) < 0 {\n"},
	}},
	{name: "let one node's refunds take all places of reservations", edits: []edit{
		{"node/internal/escrow/escrow.go", "origin != \"\" && s.shares[origin].held >= free", "origin == \"?\""},
	}},
	{name: "let one client of the API hold all reservations", edits: []edit{
		{"node/internal/escrow/escrow.go", "	if has := s.shares[origin]; origin != \"\" && (", "	if has := s.shares[origin]; origin == \"?\" && ("},
	}},
	{name: "let one client's settled reservations take all places", edits: []edit{
		{"node/internal/escrow/escrow.go", " || has.held >= mostHeld-len(s.held)) {\n", ") {\n"},
	}},
	{name: "take each address of a client's network for another client", edits: []edit{
		{"node/internal/keys/keys.go", "Network(addr, IPv6Bits)", "Network(addr, 128)"},
	}},
	{name: "ask only one node for a refund", also: "./node", edits: []edit{
		{"node/internal/escrow/rounds.go", "		r.Left -= units\n	}\n", "		r.Left -= units\n		r.Held = nil\n	}\n"},
	}},
	{name: "charge whatever is said, for years", edits: []edit{
		{"node/limit/debt.go", "	st.Admit(min(uint64(cost), r.room(s, st, t))) //nolint:gosec // positive\n", "	st.Admit(uint64(cost)) //nolint:gosec // positive\n"},
	}},
	{name: "cap debts where they are merged", edits: []edit{
		{"node/internal/table/merge.go", "	before := e.rule.Excess(e.States(), now)\n", "	before := e.rule.Excess(e.States(), now)\n	if r.Plain && e.state.TAT(&r.Frame) >= now+r.DeepestDebt() {\n		return true\n	}\n"},
	}},
	{name: "forget on the wire what a settlement did not charge", edits: []edit{
		{"sync/settle.go", "s.NotCharged, beyond = beyond[0].Units, beyond[1:]", "beyond = beyond[1:]"},
	}},
	{name: "forget the slot on the wire", edits: []edit{
		{"node/internal/table/collect.go", "Slot: uint8(slot),", "Slot: 0,"},
	}},
	{name: "decide by a cell alone where nodes that hear each other share the rate", also: "./node", edits: []edit{
		{"node/decide.go", "	return rule.Policy.OnIsolation == IsolationKeep || n.isolation.Group() == nil\n", "	return true\n"},
	}},
	{name: "overlook what was carried over into a part of a window", edits: []edit{
		{"node/limit/count.go", "		if !st.OnTime(r.Frame.Width) {", "		if st == nil {"},
	}},
	{name: "judge a request by the cell's rule whatever it costs", edits: []edit{
		{"node/decide.go", "	return uint(len(client)-1) < MaxClientID && uint64(cost-1) < uint64(r.Policy.Burst)", "	return uint(len(client)-1) < MaxClientID && cost <= r.Policy.Burst"},
	}},
	{name: "bring only the first part of a window forward", edits: []edit{
		{"node/limit/states.go", "		s.Rest[i].Roll(f, start)\n", "		_ = i\n"},
	}},
	{name: "overlook what a clock ahead counted in the next part", edits: []edit{
		{"node/limit/count.go", "			counts[age+r.Slots] += prev\n			counts[0] += cur\n", "			counts[age+r.Slots] += prev\n"},
	}},
	{name: "estimate without the window before", edits: []edit{
		{"node/limit/count.go", "		return r.sliding.Admit(cur, prev, s.First.Start(), t, cost), gcra.Never\n", "		_ = prev\n		return r.sliding.Admit(cur, 0, s.First.Start(), t, cost), gcra.Never\n"},
	}},
	{name: "carry nothing over from one algorithm to another", edits: []edit{
		{"node/limit/carry.go", "	units := min(before.Used(rolled, since), ", "	units := min(0*before.Used(rolled, since), "},
	}},
	{name: "carry a change's use over twice", edits: []edit{
		{"node/limit/carry.go", "	units := min(before.Used(rolled, since), ", "	units := min(2*before.Used(rolled, since), "},
	}},
	{name: "carry nothing over into the window before", edits: []edit{
		{"node/limit/carry.go", "	case r.Frame.Before(st.Start()):\n		st.LendPrevious(&r.Frame, o)\n", ""},
	}},
	{name: "match addresses by the letters that were sent", edits: []edit{
		{"node/limit/match.go", "	if m.ips {\n		if addr, ok := ParseAddress(client); ok {\n", "	if m.ips {\n		if addr, ok := ParseAddress(client); ok && addr.String() == client {\n"},
	}},
	{name: "take IPv4 behind a NAT64 for IPv6", edits: []edit{
		{"node/limit/address.go", "	if nat64.Contains(addr) {", "	if nat64.Contains(addr) && addr.Is4() {"},
	}},
	{name: "let each zone be a client", edits: []edit{
		{"node/limit/address.go", "	return Canonical(netip.AddrFrom16(sixteen)), true\n", "	return Canonical(netip.AddrFrom16(sixteen)).WithZone(zone), true\n"},
	}},
	{name: "take the first of a list for the address", edits: []edit{
		{"node/limit/address.go", "	text := trimBlanks(id)\n", "	text, _, _ := strings.Cut(trimBlanks(id), \",\")\n"},
	}},
	{name: "read ids as addresses under every limit with overrides", edits: []edit{
		{"node/limit/match.go", "		if len(o.CIDRs) > 0 || ", "		if o.Limit > 0 || len(o.CIDRs) > 0 || "},
	}},
	{name: "put U+FFFD for half a character", edits: []edit{
		{"node/internal/spec/json.go", "	if half := halfSurrogate(text); half != nil {\n", "	if half := halfSurrogate(text); half != nil && len(text) == 0 {\n"},
	}},
	{name: "give back to the part that is current", edits: []edit{
		{"node/internal/table/charge.go", "e.States().At(c.slot).GiveBack(", "r.Current(e.States(), now).GiveBack("},
	}},
	{name: "give back twice", edits: []edit{
		{"node/reserve.go", "r.settled.Swap(true)", "r.settled.Load()"},
	}},
	{name: "charge some limits of a request that another denies", edits: []edit{
		{"node/checks.go", "		if allowed && !by.peek {\n", "		if c.d.Allowed && !by.peek {\n"},
	}},
	{name: "leave a reservation's other limits charged", edits: []edit{
		{"node/reserve.go", "	for i := range r.holds {\n", "	for i := range r.holds[:1] {\n"},
	}},
	{name: "give each client a new share when a node restarts in a cut", edits: []edit{
		{"node/internal/isolation/share.go", "g.spent && slow.TAT(full)", "false && slow.TAT(full)"},
	}},
	{name: "begin a new spell of isolation whenever the group changes", edits: []edit{
		{"node/internal/isolation/group.go", "	if was == nil {\n		w.spells++\n	} else {\n", "	if w.spells++; was != nil {\n"},
	}},
	{name: "tell what a joining node admits as if it knew the others", edits: []edit{
		{"node/internal/table/early.go", "	return x.joining.Load() && e.rule.Policy", "	return false && x.joining.Load() && e.rule.Policy"},
	}},
	{name: "tell all that a joining node admitted, drained or not", edits: []edit{
		{"node/internal/table/early.go", "	st.Admit(units)\n", "	st.Admit(max(units, x.level.Count))\n"},
	}},
	{name: "forget what a node admitted before it joined", edits: []edit{
		{"node/internal/table/early.go", "					s.tell(e, x, now)\n", "					_, _ = e, x\n"},
	}},
}
