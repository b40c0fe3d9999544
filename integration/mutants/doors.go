package main

// doorMistakes are those in what doors tell others than their callers: traces, health checks and the
// dashboard.
var doorMistakes = []mistake{
	{name: "take the least number for one that was not given", also: "./node/httpapi", edits: []edit{
		{"node/internal/spec/field.go", " || n == math.MinInt64 ||", " ||"},
	}},
	{name: "read bodies of any size", edits: []edit{
		{"node/httpapi/input.go", "		body = http.MaxBytesReader(w, body, most)\n", "		_ = w\n"},
		{"node/httpapi/input.go", "		case int64(len(b)) > most:\n			return tooLarge(most)\n", ""},
	}},
	{name: "let anybody write where there is no admin token", edits: []edit{
		{"node/httpapi/auth.go", "!a.admin.set && a.loopback:", "!a.admin.set:"},
	}},
	{name: "take any token for the admin's", edits: []edit{
		{"node/httpapi/auth.go", "a.admin.set && (a.admin.is(tokens[0]) || a.admin.is(tokens[1])), ", "a.admin.set && tokens[0] != \"\", "},
	}},
	{name: "join the mesh without the password", slow: true, edits: []edit{
		{"node/embednats/config.go", "	if c.RoutePassword != \"\" {\n		o.Cluster.Username", "	if c.RoutePassword == \"-\" {\n		o.Cluster.Username"},
	}},
	{name: "say nothing of the public default key", slow: true, edits: []edit{
		{"cmd/ratelimitd/daemon.go", "	if p.link.open && !p.link.key {\n", "	if p.link.open && !p.link.key && p.tls != nil {\n"},
	}},
	{name: "believe a state file that was changed", edits: []edit{
		{"cmd/ratelimitd/seal.go", "err != nil || sum != s.Sum {", "err != nil || sum == \"\" {"},
	}},
	{name: "believe a note of the last run that was changed", edits: []edit{
		{"cmd/ratelimitd/lastrun.go", "		text, err = unseal(text)\n", "		var s sealed\n		if err = json.Unmarshal(text, &s); s.Version == sealVersion {\n			text = s.Saved\n		}\n"},
	}},
	{name: "serve profiles on every listener", edits: []edit{
		{"cmd/ratelimitd/listener.go", "func httpServer(h http.Handler, log *slog.Logger) *http.Server {\n", "func httpServer(h http.Handler, log *slog.Logger) *http.Server {\n	api := h\n	h = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {\n		if strings.HasPrefix(r.URL.Path, \"/debug/pprof/\") {\n			pprof.Index(w, r)\n			return\n		}\n		api.ServeHTTP(w, r)\n	})\n"},
	}},
	{name: "trace the last request of a batch instead of the one that binds", edits: []edit{
		{"node/httpapi/batch.go", "		if !binding.ok || headers.Tighter(&d.Decision, &binding.d.Decision) {\n", "		if headers.Tighter(&d.Decision, &d.Decision) || d.Fault == nil {\n"},
	}},
	{name: "leave the estimate in the trace", edits: []edit{
		{"node/httplimit/after.go", "		d.Cost = max(0, actual)\n", ""},
	}},
	{name: "trace what the tightest rule says instead of the answer", edits: []edit{
		{"node/envoyrls/service.go", "code == rls.RateLimitResponse_OK", "!best.over"},
	}},
	{name: "trace no call of gRPC", edits: []edit{
		{"node/grpclimit/interceptors.go", "	if i.cfg.Decided != nil {\n", "	if i.cfg.Decided != nil && d.Fault != nil {\n"},
	}},
	{name: "call what a shadow would have denied allowed", edits: []edit{
		{"node/oteltrace/oteltrace.go", "	case d.Reason == node.ReasonShadow:\n", "	case d.Reason == node.ReasonShadow && q.Peek:\n"},
	}},
	{name: "give a client no rate before it was listed a while", edits: []edit{
		{"node/dashboard/clients.go", "		if !listed && m.full {\n", "		if !listed {\n"},
	}},
	{name: "be ready without saying what is wrong", edits: []edit{
		{"node/httpapi/health.go", "range a.node.DegradedReasons() {", "range a.node.DegradedReasons()[:0] {"},
	}},
}
