package main

// syncMistakes are those in moving state between nodes.
var syncMistakes = []mistake{
	{name: "believe how long a message says that its parts are", edits: []edit{
		{"sync/reader.go", "	if n > r.src.Len() {\n		r.fail(\"length\")\n		return nil\n	}\n", "	n = min(n, r.src.Len())\n"},
	}},
	{name: "sign other bytes than nodes of this version verify", edits: []edit{
		{"sync/nodekeys.go", "	_, _ = h.Write(binary.LittleEndian.AppendUint64(nil, uint64(to)))\n	_, _ = h.Write(body)\n", "	_, _ = h.Write(body)\n	_, _ = h.Write(binary.LittleEndian.AppendUint64(nil, uint64(to)))\n"},
	}},
	{name: "sign in another context than nodes of this version", edits: []edit{
		{"sync/nodekeys.go", "distributed-rate-limiter message in cluster ", "distributed-rate-limiter message of cluster "},
	}},
	{name: "put signatures where nodes of this version do not look", edits: []edit{
		{"sync/nodekeys.go", "const signatureField = 127", "const signatureField = 126"},
	}},
	{name: "hash ids of different lengths alike", edits: []edit{
		{"sync/keyhash.go", "	w |= uint64(n) << 56 ", "	w |= uint64(n&0) << 56 "},
	}},
	{name: "let the share of a partition grow by the others' silence", edits: []edit{
		{"sync/group.go", "	size := ms.size()\n", `	size := 1
	for _, p := range ms.peers {
		if p.state != PeerGone {
			size++
		}
	}
`},
	}},
	{name: "count a group whose nodes hear others than each other", edits: []edit{
		{"sync/group.go", "p.confirmed && p.circle != ours {", "p.confirmed && false {"},
		{"sync/group.go", "	ours := ms.circle()\n", ""},
	}},
	{name: "let the silence of a peer pass while a later one is awaited", edits: []edit{
		{"sync/members.go", "			ms.nextAge = min(ms.nextAge, p.heardAt+int64(ms.cfg.SuspectAfter))\n", ""},
	}},
	{name: "forget that a peer owes rows that differ", edits: []edit{
		{"sync/digest.go", "p.differs, e.owed = true, true", "p.differs = true"},
	}},
	{name: "ask no peer for limits once all were alike", edits: []edit{
		{"sync/beat.go", "		e.registers.alike = false\n", ""},
	}},
	{name: "believe a digest of whom a peer heard before", edits: []edit{
		{"sync/hearing.go", "if p.circle = m.Circle; m.HeardFrom == m.HeardTo {", "if m.HeardFrom == m.HeardTo {"},
	}},
	{name: "name a part of the peers after a change, too", edits: []edit{
		{"sync/hearing.go", "h.circle, h.until = c, now+tellsChange*int64(ms.cfg.BeatInterval)", "h.circle = c"},
	}},
	{name: "name the same part of the peers in each beat", edits: []edit{
		{"sync/hearing.go", "		h.turn = m.HeardTo\n", ""},
	}},
	{name: "let a peer that does not know this node wait for its echo", edits: []edit{
		{"sync/hearing.go", " || !p.names(ms.cfg.Replica)", ""},
	}},
	{name: "let a peer wait for its turn to learn that a clock was set", edits: []edit{
		{"sync/hearing.go", " || lag < p.toldLag-lagFell", ""},
	}},
	{name: "take a peer that a part leaves out for one that is heard", edits: []edit{
		{"sync/hearing.go", "!moved && !m.within(r)", "!moved"},
	}},
	{name: "take peers beyond the part that a beat names for deaf", edits: []edit{
		{"sync/hearing.go", "!moved && !m.within(r)", "!moved && false"},
	}},
	{name: "count each node of a name as one more of the group", edits: []edit{
		{"sync/group.go", "			if p.node != ms.cfg.Node { // names are counted, and ours is\n", "			{\n"},
	}},
	{name: "forget the members over a restart", edits: []edit{
		{"sync/engine.go", "	e.members.roster.restore(&cfg)\n", ""},
	}},
	{name: "believe in a cut that those who are heard are all, because one comes", edits: []edit{
		{"sync/roster.go", "	p.told = (p.told || ms.coming) && ", "	p.told = false && "},
	}},
	{name: "take the word of peers that restarted, too, that there is nobody else", edits: []edit{
		{"sync/roster.go", "p.members == 0 || p.unsure || p.joining", "p.members == 0 || p.joining"},
	}},
	{name: "believe nobody that a member left while this node was away", edits: []edit{
		{"sync/engine.go", "	e.members.outdate(now)\n", ""},
	}},
	{name: "keep a name for a run that crashed a moment ago", edits: []edit{
		{"sync/peer.go", "(p.metAt > other.metAt || p.heardAt > other.metAt+lateAfter)", "p.state == PeerAlive"},
	}},
	{name: "wait for a run that ended before anybody missed it", edits: []edit{
		{"sync/members.go", "			if ms.succeeded(p) { //", "			if false { //"},
	}},
	{name: "take a run that the next one replaced for one that may admit", edits: []edit{
		{"sync/members.go", "	if p.left || p.replacedAt != 0 {\n", "	if p.left {\n"},
	}},
	{name: "forget a silent node of a name that another one bears", edits: []edit{
		{"sync/members.go", "other.node == p.node && !p.twin(other)", "other.node == p.node && other.heardAt > p.heardAt"},
	}},
	{name: "strike a name off when one of two nodes that bear it leaves", edits: []edit{
		{"sync/members.go", "return other.twin(p) })", "return false })"},
	}},
	{name: "never ask for what was lost", edits: []edit{
		{"sync/repair.go", "		case p.gap:\n", "		case false:\n"},
		{"sync/repair.go", "		case p.differs && p.mismatch.due(now):\n", "		case false:\n"},
	}},
	{name: "claim to be fresh while a message is missing", edits: []edit{
		{"sync/peer.go", "func (p *peer) behind() bool { return p.gap || p.differs || p.unproven }\n", "func (p *peer) behind() bool { return false }\n"},
	}},
	{name: "compare the counters of known peers alone", edits: []edit{
		{"sync/digest.go", "		case !e.members.hears(root.Replica):\n", "		case e.members.find(root.Replica) != nil && !e.members.hears(root.Replica):\n"},
	}},
	{name: "begin each beat's list of silent replicas at the front", edits: []edit{
		{"sync/digest.go", "	t.next = all[most]\n", ""},
	}},
	{name: "take a window that a full list leaves out for an empty one", edits: []edit{
		{"sync/digest.go", "(some || len(listed) < maxOwnRoots)", "(some || true)"},
	}},
	{name: "look at the same silent replica first, whether it could be mended or not", edits: []edit{
		{"sync/digest.go", "(i+p.silent.failures)%len(m.Roots)", "i"},
	}},
	{name: "leave each next silent replica to the next beat", edits: []edit{
		{"sync/request.go", "		e.askSilent(now, p)\n", ""},
	}},
	{name: "believe a bye whose number shows that something is missing", edits: []edit{
		{"sync/known.go", "	case last > p.seq:\n", "	case false:\n"},
	}},
	{name: "stop without answering what peers missed", edits: []edit{
		{"sync/engine.go", "			e.lingersUntil = now + lingerFor\n", ""},
	}},
	{name: "close a gap because equal digests are told, whatever number is merged", edits: []edit{
		{"sync/known.go", "same && k.Merged >= p.seq && k.Merged > 0 && p.request.id == 0", "same && p.request.id == 0"},
	}},
	{name: "learn nothing of those who left before", edits: []edit{
		{"sync/known.go", "			e.knowledge.learn(k)\n", ""},
	}},
	{name: "go on waiting when a peer is heard again", edits: []edit{
		{"sync/members.go", "		p.contact()\n		ms.events(EventPeerBack", "		ms.events(EventPeerBack"},
	}},
	{name: "go on waiting when a link is no longer full", edits: []edit{
		{"sync/members.go", "	if p.late && !late {\n", "	if false {\n"},
	}},
	{name: "drop an answer that comes late", edits: []edit{
		{"sync/request.go", " && m.Request != r.givenUp:\n", ":\n"},
	}},
	{name: "take an answer without one of its pages for whole", edits: []edit{
		{"sync/request.go", "	whole := m.Done && m.Page+1 == r.page\n", "	whole := m.Done\n"},
	}},
	{name: "publish under the lock of the state", edits: []edit{
		{"sync/loop.go", "	l.outbox.put(out.Packets)\n", "	for _, p := range out.Packets {\n		_ = l.transport.Publish(p.Subject, p.Data)\n	}\n"},
	}},
	{name: "let what waits for the network grow without end", edits: []edit{
		{"sync/outbox.go", "o.closed || o.bytes+size > mostOutbox", "o.closed"},
	}},
	{name: "wait for a step that hangs, to say how the node is", edits: []edit{
		{"sync/loop.go", "	case l.turn <- struct{}{}:\n		l.look()\n		l.unlock()\n	case <-timer.C:\n", "	case l.turn <- struct{}{}:\n		l.look()\n		l.unlock()\n"},
	}},
	{name: "take a message with any tag", edits: []edit{
		{"sync/tag.go", "	if !key.opens(data) {\n", "	if !key.opens(data) && len(data) < tagSize {\n"},
	}},
	{name: "take a message whatever its subject says of its sender", edits: []edit{
		{"sync/receive.go", "	case m.Node != node || m.Replica != replica:\n", "	case false:\n"},
	}},
	{name: "take totals of others from a broadcast", edits: []edit{
		{"sync/delta.go", "		case m.Kind != KindRows:\n", "		case false:\n"},
	}},
	{name: "log each message that is refused", edits: []edit{
		{"sync/outbound.go", "	if now < o.nextBadLog {\n", "	if false {\n"},
	}},
	{name: "let a node speak under its own name for another's incarnation", edits: []edit{
		{"sync/members.go", "		return p.node == node\n", "		return true\n"},
	}},
	{name: "let whoever is heard first claim an incarnation", edits: []edit{
		{"sync/members.go", "!ms.cfg.Marked || bears(r, node)", "true || bears(r, node)"},
	}},
	{name: "open a node without the marks of incarnations", edits: []edit{
		{"node/node.go", "	engine.Marked = true\n", ""},
	}},
	{name: "take what another node signed", edits: []edit{
		{"sync/receive.go", "	if err == nil && !packet.verified {\n", "	if false && !packet.verified {\n"},
	}},
	{name: "take what nobody signed", edits: []edit{
		{"sync/nodekeys.go", "	if len(keys) == 0 || at", "	if !bytes.Contains(data, signatureHead[:]) {\n		return nil\n	}\n	if len(keys) == 0 || at"},
	}},
	{name: "take nodes that are not listed", edits: []edit{
		{"sync/nodekeys.go", "	if len(keys) == 0 || at", "	if len(keys) == 0 {\n		return nil\n	}\n	if at"},
	}},
	{name: "let a signed message be passed on to another receiver", edits: []edit{
		{"sync/nodekeys.go", "AppendUint64(nil, uint64(to))", "AppendUint64(nil, uint64(to*0))"},
	}},
	{name: "let a signed message be passed on into another cluster", edits: []edit{
		{"sync/nodekeys.go", `message in cluster " + cluster`, `message in cluster " + cluster[:0]`},
	}},
	{name: "believe the time of a message before its signature", edits: []edit{
		{"sync/latest.go", "	if ok, err := verify(); !ok {\n		return false, false, err\n	}\n	if sent > l.sent {\n		l.sent, l.tags = sent, l.tags[:0]\n	}\n	l.tags = append(l.tags, tag)\n", "	if sent > l.sent {\n		l.sent, l.tags = sent, l.tags[:0]\n	}\n	l.tags = append(l.tags, tag)\n	if ok, err := verify(); !ok {\n		return false, false, err\n	}\n"},
	}},
	{name: "look at all that is forged in a member's name", edits: []edit{
		{"sync/arrivals.go", "member.forged.due(1, forgedRation) > now", "member.forged.due(1, forgedRation) > now+1e18"},
	}},
	{name: "take a list of keys without this node's", also: "./cmd/ratelimitd", edits: []edit{
		{"cmd/ratelimitd/nodekeys.go", "	case !list.Names(k.self, k.own):\n", "	case false && !list.Names(k.self, k.own):\n"},
	}},
	{name: "let a peer settle without end", edits: []edit{
		{"sync/settle.go", "!p.settles.take(now, int64(len(m.Settlements)), settleRation)", "false"},
	}},
	{name: "let a peer take all bytes for loans", edits: []edit{
		{"sync/lend.go", "!p.loans.take(now, size, ration{lentToOne, lentAtOnce})", "false"},
	}},
	{name: "answer a question as often as somebody sends it again", edits: []edit{
		{"sync/fresh.go", "m.Request <= p.asked", "m.Request == 0"},
	}},
	{name: "take a message that is for another incarnation", edits: []edit{
		{"sync/tag.go", "	if r == 0 {\n		return s\n	}\n	hi, lo", "	if r == 0 || r != 0 {\n		return s\n	}\n	hi, lo"},
	}},
	{name: "take a message of another cluster", edits: []edit{
		{"sync/tag.go", `"message tag of cluster "+cluster`, `"message tag of cluster "+cluster[:0]`},
	}},
	{name: "count whoever is heard as a member", edits: []edit{
		{"sync/fresh.go", "!ms.echoes.young(now, number)", "false"},
	}},
	{name: "let an old beat confirm", edits: []edit{
		{"sync/fresh.go", "	for old < len(e.sent) && now-e.sent[old] >= echoWithin {\n", "	for false {\n"},
		{"sync/fresh.go", " && now-e.sent[len(e.sent)-1-int(back)] < echoWithin", ""},
	}},
	{name: "take limits and resets from strangers", edits: []edit{
		{"sync/fresh.go", "	case KindLimits, KindReset:\n		switch {\n		case !p.confirmed:\n", "	case KindLimits, KindReset:\n		switch {\n		case false:\n"},
	}},
	{name: "take limits and resets that were said before", edits: []edit{
		{"sync/fresh.go", "		case m.Sent < p.sent:\n", "		case false:\n"},
	}},
	{name: "take a repetition for a sign of life", edits: []edit{
		{"sync/members.go", "	if fresh = p.fresh(m); !fresh {\n", "	if fresh = p.fresh(m); false {\n"},
	}},
	{name: "drop beats that deltas overtook", edits: []edit{
		{"sync/fresh.go", "m.Beat <= p.beat && !fresh", "!fresh"},
	}},
	{name: "close no gap by what was overtaken", edits: []edit{
		{"sync/received.go", "	r.ahead |= 1 << (seq - r.since - 1)\n", ""},
	}},
	{name: "take beats that were held back", edits: []edit{
		{"sync/fresh.go", " || m.Sent < p.sent-overtaking", ""},
	}},
	{name: "believe a bye for ever", edits: []edit{
		{"sync/members.go", "		ms.rejoin(p)\n", ""},
	}},
	{name: "strike a name off when somebody repeats an old bye", edits: []edit{
		{"sync/members.go", "	if !p.confirmed { // a recording", "	if false { // a recording"},
	}},
	{name: "believe every number", edits: []edit{
		{"sync/fresh.go", "	return p.known && seq > p.seq && ", "	return false && p.known && seq > p.seq && "},
	}},
	{name: "keep a false number though the peer says another", edits: []edit{
		{"sync/beat.go", "		p.restate(m.Seq) //", "		//"},
	}},
	{name: "take notice of every invented name", edits: []edit{
		{"sync/members.go", "!ms.newcomers.take(now, 1, ration{newcomersPerSecond, mostNewcomers})", "false"},
	}},
	{name: "let nobody in when strangers take all places", edits: []edit{
		{"sync/members.go", "(p.state == PeerGone || !p.confirmed)", "p.state == PeerGone"},
	}},
	{name: "ask for limits in vain each beat", edits: []edit{
		{"sync/register.go", "	from.pulling.failed(now + from.pulling.pause(int64(g.cfg.BeatInterval)))\n", ""},
	}},
	{name: "answer a pull with every limit", edits: []edit{
		{"sync/register.go", "		return held && (h.Stamp.Compare(r.Stamp) > 0 || h == ours)\n", "		return false && held && (h.Stamp.Compare(r.Stamp) > 0 || h == ours)\n"},
	}},
	{name: "take limits that nobody asked for", edits: []edit{
		{"sync/register.go", "	if m.Request != 0 && (m.Request == p.pull || m.Request == p.request.id) {\n", "	if m.Kind == KindPulled {\n"},
	}},
	{name: "keep the group though time made a peer deaf", edits: []edit{
		{"sync/group.go", " || now >= s.until {", " || false {"},
	}},
	{name: "let garbage wait for the engine", edits: []edit{
		{"sync/arrivals.go", "err := a.seals.check(p.Data); err != nil {", "err := a.seals.check(p.Data); err != nil && false {"},
	}},
	{name: "let members wait behind strangers", edits: []edit{
		{"sync/arrivals.go", "			queue = a.members\n", "			queue = a.strangers\n"},
	}},
	{name: "take whatever strangers send", edits: []edit{
		{"sync/loop.go", "			if !l.arrivals.take() {\n", "			if false {\n"},
	}},
	{name: "answer one peer without end", edits: []edit{
		{"sync/answer.go", "max(p.pages.due(mostPages, pageRation), e.members", "max(0, e.members"},
	}},
	{name: "answer all peers together without end", edits: []edit{
		{"sync/answer.go", "e.members.pages.due(mostPages, allPageRation)) > now {", "0) > now {"},
	}},
	{name: "forget a question that waits for its ration", edits: []edit{
		{"sync/answer.go", "		e.questions = append(e.questions, q)\n", ""},
	}},
	{name: "look for rows without end, for the price of a message", edits: []edit{
		{"sync/answer.go", "1 + q.passed(from, e.store.Clients())/clientsPerPage", "1 + 0*q.passed(from, e.store.Clients())"},
	}},
	{name: "begin a snapshot anew after a lost message", edits: []edit{
		{"sync/join.go", "r.kind == KindSnapshot && r.begun", "r.kind != r.kind && r.begun"},
	}},
	{name: "ask the first peer that can give a snapshot", edits: []edit{
		{"sync/join.go", "able[e.random.IntN(len(able))]", "able[0]"},
	}},
	{name: "answer every pull", edits: []edit{
		{"sync/register.go", "!p.pulls.take(now, 1, pullRation)", "false"},
	}},
	{name: "compare every beat", edits: []edit{
		{"sync/beat.go", "!p.looks.take(now, 1, lookRation)", "false"},
	}},
	{name: "let recordings of members wait with their messages", edits: []edit{
		{"sync/latest.go", "	case sent < l.sent:\n		return false, false, nil\n", "	case sent < l.sent:\n		return true, false, nil\n"},
	}},
	{name: "let repetitions of members wait with their messages", edits: []edit{
		{"sync/latest.go", "	case slices.Contains(l.tags, tag):\n		return false, true, nil\n", "	case slices.Contains(l.tags, tag):\n		return true, false, nil\n"},
	}},
	{name: "believe every time", edits: []edit{
		{"sync/members.go", "	ms.unmask(now, p, m)\n", ""},
	}},
	{name: "take numbers that wrap around", edits: []edit{
		{"sync/receive.go", "m.Seq > mostSeq || ", ""},
	}},
	{name: "take a corrected number for a proof that nothing is missing", edits: []edit{
		{"sync/beat.go", "		p.unproven = true\n", ""},
	}},
	{name: "count a delta that cannot be read yet as merged", edits: []edit{
		{"sync/delta.go", "	if known {\n		to--\n	}\n", "	to--\n"},
	}},
	{name: "leave no room in a beat for what its sender misses", edits: []edit{
		{"sync/origins.go", " - len(m.Missing)*recordSize(missingRecord)", " - 0*len(m.Missing)*recordSize(missingRecord)"},
	}},
	{name: "take settlements from strangers", edits: []edit{
		{"sync/fresh.go", "	case KindSettled:\n		if !p.confirmed {\n", "	case KindSettled:\n		if false {\n"},
	}},
	{name: "answer about a window as often as it is listed", edits: []edit{
		{"sync/answer.go", "h.Window == m.Have[i].Window }", "false }"},
	}},
	{name: "look at origins whenever somebody lists them", edits: []edit{
		{"sync/origins.go", "at == 0 || now-at >= o.beat/2", "true || at == 0"},
	}},
	{name: "take all limits of peers, however large", edits: []edit{
		{"node/internal/limits/register.go", "all <= mostBytes && ", "all >= 0 && "},
	}},
	{name: "let one author of limits take all the room", edits: []edit{
		{"node/internal/limits/register.go", " && authors <= mostBytesEach", " && authors >= 0"},
	}},
	{name: "take limits that are told in another's name", edits: []edit{
		{"sync/register.go", "return r.Stamp.By != m.Replica })", "return r.Stamp.By == 0 })"},
	}},
	{name: "take a reset that may be forgotten", edits: []edit{
		{"node/reset.go", "		case r.Stamp.At+max(3*l.Widest(), table.ResetRepeated) < now:\n", "		case r.Stamp.At+table.ResetRepeated < now<<1-now-1<<60:\n"},
	}},
	{name: "send each unit of each client at once among many nodes", edits: []edit{
		{"node/internal/table/audience.go", "	return r.Plain && unsent == 1 && ", "	return false && r.Plain && unsent == 1 && "},
	}},
	{name: "let a unit wait however much its client uses", edits: []edit{
		{"node/internal/table/merge.go", "	s.noteAgain(e, now)\n", ""},
	}},
	{name: "take a client for one that carries nothing because it has drained since", edits: []edit{
		{"node/internal/table/digest.go", "+f.Drain(count) > end", "+f.Drain(count) > now"},
	}},
	{name: "overlook what was carried out of the window before a client's own", edits: []edit{
		{"node/internal/table/digest.go", "		return at.carry.Load() > end\n", "		return false\n"},
	}},
	{name: "leave what is merged into a cell alone out of the digests", edits: []edit{
		{"node/internal/table/mergecell.go", "crdt.Gain{Cur: gain}", "crdt.Gain{}"},
	}},
	{name: "merge a row into a cell though it raises the previous origin", edits: []edit{
		{"node/internal/table/mergecell.go", "prev.Origin > carry-r.Frame.Drain(previous)", "false"},
		{"node/internal/table/mergecell.go", "of, previous, own := c", "of, _, own := c"},
	}},
	{name: "merge a row into a cell though the previous window's counters grow", edits: []edit{
		{"node/internal/table/mergecell.go", "prev.Count.P > uint64(of.count[2]) || prev", "prev"},
	}},
	{name: "merge a row into a cell beyond the burst, and observe nothing", edits: []edit{
		{"node/internal/table/mergecell.go", " > min(crdt.End, now+r.GCRA.Depth())", " > crdt.End"},
	}},
	{name: "let more single units wait than the burst leaves free", edits: []edit{
		{"node/internal/table/audience.go", " && float64(a.peers.Load())+1 <= float64(r.Policy.Burst)-r.Slack", ""},
	}},
	{name: "take an epoch from the future", edits: []edit{
		{"node/internal/limits/statement.go", "		case s.Epoch > epochsBy(s.At):\n", "		case s.Epoch > 1<<62:\n"},
	}},
	{name: "log each limit that is refused", edits: []edit{
		{"node/internal/seldom/seldom.go", "now.Sub(w.last) < pause", "now.Sub(w.last) < 0"},
	}},
	{name: "believe totals that nobody can have admitted", edits: []edit{
		{"node/internal/table/merge.go", "case same && !t.honest(now, r, d.Start, row):\n", "case same && t == nil:\n"},
	}},
	{name: "judge totals of nodes with other files by this node's own", edits: []edit{
		{"node/internal/table/merge.go", "case same && !t.honest(", "case (same || !same) && !t.honest("},
	}},
	{name: "take a revision that was changed since for the same on nodes that agree now", edits: []edit{
		{"node/internal/limits/rows.go", "alike && rev == l.Newest()", "alike"},
	}},
	{name: "judge what was admitted without what was given back", edits: []edit{
		{"node/internal/table/merge.go", "row.Cur.Count.P-row.Cur.Count.N <= r.MostNet", "row.Cur.Count.P <= r.MostNet"},
	}},
}
