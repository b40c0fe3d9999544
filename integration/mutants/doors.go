package main

// doorMistakes are those in what doors tell others than their callers: traces, health checks and the
// dashboard.
var doorMistakes = []mistake{
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
