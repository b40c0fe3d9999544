package main

// countsMistakes are those in keeping what clients used over a restart.
var countsMistakes = []mistake{
	{name: "start without what was saved", edits: []edit{
		{"node/internal/saved/restoration.go", "			into.Client(x.keeper.Now(), p, c)\n", ""},
	}, also: "./node"},
	{name: "use a file before all of it was read", edits: []edit{
		{"node/internal/saved/restoration.go", "	end, err := x.pass(stop, (*counts.Page).Skip)\n", "	end, err := counts.Trailer{}, error(nil)\n"},
	}, also: "./node"},
	{name: "take another cluster's file of counts", edits: []edit{
		{"node/internal/saved/restoration.go", "	case h.Cluster != k.Cluster:\n", "	case false:\n"},
	}, also: "./node"},
	{name: "take a file of counts from a clock that was ahead", edits: []edit{
		{"node/internal/saved/restoration.go", "	case ahead > k.Tolerance:\n", "	case false:\n"},
	}, also: "./node"},
	{name: "save over a file that knows more", edits: []edit{
		{"node/earlier.go", "	case n.keeper.Restoring():\n", "	case false:\n"},
	}},
	{name: "read an old file beside a node that ran on", edits: []edit{
		{"node/internal/saved/restoration.go", "			return false, true\n", "			return true, false\n"},
	}, also: "./node"},
	{name: "save over a file that a stop left half read", edits: []edit{
		{"node/internal/saved/restoration.go", "	if errors.Is(err, errStopped) {\n", "	if false {\n"},
	}},
	{name: "merge what was saved without folding what is over", edits: []edit{
		{"node/internal/table/saved.go", "	if e.rule.Roll(e.States(), now); e.forgettable(now) {\n", "	if e.forgettable(now) {\n"},
	}},
	{name: "bring back windows of a clock that was ahead", edits: []edit{
		{"node/internal/table/saved.go", " || s.Start > r.Frame.Start(now+x.table.Tolerance(r)) {\n", " {\n"},
	}},
	{name: "bring back clients that count in another way since", edits: []edit{
		{"node/internal/table/saved.go", ", rule.Counting() != r.Counting:\n", ":\n"},
	}},
	{name: "save a client without its reset", edits: []edit{
		{"node/internal/table/saved.go", "	w.client = counts.Client{Key: e.key, Reset: e.Reset(), ", "	w.client = counts.Client{Key: e.key, "},
	}},
	{name: "save a client without its earlier lives", edits: []edit{
		{"node/internal/table/saved.go", "	for r, of := range e.each {\n		from := len(w.slots)\n", "	for r, of := range e.each {\n		if r != e.rule {\n			break\n		}\n		from := len(w.slots)\n"},
	}},
	{name: "leave what was brought back out of digests", edits: []edit{
		{"node/internal/table/saved.go", "	return t.mergeRow(now, &none, r, d, row, now)\n", "	silent := *r\n	silent.Silent = true\n	return t.mergeRow(now, &none, &silent, d, row, now)\n"},
	}},
	{name: "read a page without its checksum", edits: []edit{
		{"node/internal/counts/page.go", "	if crc32.Checksum(r.body, castagnoli) != ", "	if false && crc32.Checksum(r.body, castagnoli) != "},
	}},
	{name: "take a file that was cut off for a whole one", edits: []edit{
		{"node/internal/counts/page.go", "	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {\n		return ErrDamaged\n", "	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {\n		return nil\n"},
	}},
	{name: "leave out what the last run admitted after its file", edits: []edit{
		{"sync/saved.go", "	ms.spans.close(s.Replica, s.At, min(now, until), SpanLost)\n", "	_ = until\n"},
	}},
	{name: "take what a file lacked to be over when it was written", edits: []edit{
		{"sync/saved.go", "			over = ms.started\n", "			over = s.At\n"},
	}},
	{name: "found a cluster with a part of a file", edits: []edit{
		{"sync/saved.go", "whole && (j.founder || ", "(j.founder || "},
	}},
	{name: "be ready without the file where nobody else can tell", edits: []edit{
		{"sync/join.go", "	case j.waiting:\n", "	case false:\n"},
	}},
	{name: "wait for ever for a file", edits: []edit{
		{"sync/join.go", "	case now-j.startedAt >= joinLimit:\n", "	case now-j.startedAt >= joinLimit && !j.restoring:\n"},
	}},
	{name: "take a file for more than what a node that ran on knows", edits: []edit{
		{"sync/saved.go", "		e.members.founding.forget(j.startedAt)\n", ""},
	}},
	{name: "keep the half of a file that was written when the daemon stops", edits: []edit{
		{"cmd/ratelimitd/counts.go", "			return errStopSaving\n", "			return nil\n"},
	}},
	{name: "write counts as fast as the disk lets it", edits: []edit{
		{"cmd/ratelimitd/counts.go", "		case <-time.After(time.Until(due)):\n", "		case <-time.After(0 * time.Until(due)):\n"},
	}},
	{name: "leave a file in place that cannot be used", edits: []edit{
		{"cmd/ratelimitd/counts.go", "		c.aside(err)\n	case r.Unused:\n", "	case r.Unused:\n"},
	}},
	{name: "write other bytes for a field of a message", edits: []edit{
		{"sync/fields.go", "	w.flagged(&h.Beat, &h.Member)\n	w.int(&h.Lag, -maxOffset, maxOffset)", "	w.int(&h.Lag, -maxOffset, maxOffset)\n	w.flagged(&h.Beat, &h.Member)"},
	}},
}
