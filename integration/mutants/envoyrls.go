package main

// envoyrlsMistakes are those in what Envoy is answered, and in what it is charged.
var envoyrlsMistakes = []mistake{
	{name: "charge a descriptor's own hits only if they fit", edits: []edit{
		{"node/envoyrls/work.go", "	case quota, own != nil && !p.rule.admitted:\n", "	case quota:\n"},
	}},
	{name: "charge quotas all or none", edits: []edit{
		{"node/envoyrls/work.go", "	case quota, own != nil && !p.rule.admitted:\n", "	case own != nil && !p.rule.admitted:\n"},
	}},
	{name: "take a bucket at exactly its limit for over", edits: []edit{
		{"node/envoyrls/decide.go", "		if p.over = p.wait > 0; !p.over {\n", "		if p.over = p.wait >= 0; !p.over {\n"},
		{"node/envoyrls/decide.go", "		p.wait = p.d.ResetAfter - p.rule.depth // until it is at its limit\n", "		p.wait = max(0, p.d.ResetAfter-p.rule.depth)\n"},
	}},
	{name: "be over when any quota is", edits: []edit{
		{"node/envoyrls/answer.go", "	if quotas > 0 && full == quotas {\n", "	if quotas > 0 && full > 0 {\n"},
	}},
	{name: "let a client's value read like another's entries", edits: []edit{
		{"node/envoyrls/id.go", "		case '\\\\', '|', '=':\n", "		case '\\\\':\n"},
	}},
	{name: "ask patterns before exact values", edits: []edit{
		{"node/envoyrls/rules.go", "	if exact := b.exact[entry{key, value}]; exact != nil {\n", "	if exact := b.exact[entry{key, value}]; exact != nil && len(b.wild) == 0 {\n"},
	}},
	{name: "charge what is replaced", edits: []edit{
		{"node/envoyrls/work.go", "					w.parts[j].how = free\n", "					_ = j\n"},
	}},
	{name: "refuse the same rules as fast as they come", edits: []edit{
		{"node/envoyrls/xds/client.go", "		wait = last.wait\n", ""},
	}},
	{name: "count a client's long value as a rule of its own", edits: []edit{
		{"node/envoyrls/stats.go", "len(name) > longestStat", "len(name) > longestStat<<20"},
	}},
	{name: "wait for each descriptor that gives back", edits: []edit{
		{"node/envoyrls/decide.go", "	ctx, cancel := w.waiting(ctx)\n	defer cancel()\n", ""},
		{"node/envoyrls/decide.go", "func (p *part) giveBack(ctx context.Context, s *Service) error {\n", "func (p *part) giveBack(ctx context.Context, s *Service) error {\n	ctx, cancel := (&work{parts: []part{*p}}).waiting(ctx)\n	defer cancel()\n"},
	}},
	{name: "let many descriptors of one bucket pass if one of them would", edits: []edit{
		{"node/envoyrls/decide.go", "q.Cost, q.Peek = needs[b], true", "q.Peek = true"},
	}},
	{name: "let one domain use up the room for all policies", edits: []edit{
		{"node/envoyrls/decide.go", "node.Request{Origin: p.domain, ", "node.Request{"},
	}},
	{name: "freeze rules in silence when their directory cannot be read", edits: []edit{
		{"node/config/dir.go", "if last = look; !stable || look == told {", "if last = look; !stable || look == told || err != nil {"},
	}},
	{name: "start again with the rules of the first start", edits: []edit{
		{"cmd/ratelimitd/envoy.go", "		e.rules = e.service.Rules()\n", "		_ = e.service.Rules()\n"},
	}},
	{name: "give units back over HTTP to whoever asks", edits: []edit{
		{"node/envoyrls/http.go", "		if why != \"\" {\n", "		if why != \"\" && refuse == nil {\n"},
	}},
	{name: "let a page ask as Envoy does if its own name leads here", edits: []edit{
		{"node/httpapi/sites.go", "(r.URL.Path != envoyPath || ofPage(r))", "r.URL.Path != envoyPath"},
	}},
	{name: "answer a control plane with the version that was refused", edits: []edit{
		{"node/envoyrls/xds/client.go", "	reply.VersionInfo = c.version\n", "	reply.VersionInfo = answer.GetVersionInfo()\n"},
	}},
}
