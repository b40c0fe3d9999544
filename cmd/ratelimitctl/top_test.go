package main

import (
	"net/http/httptest"
	"strings"
	"testing"
)

func TestTopAddsUpWhatSeveralNodesCounted(t *testing.T) {
	other := httptest.NewServer(&script{answers: map[string]string{"GET /v1/top?limit=login": `{"limit":"login","heaviest":[
		{"client":"bob","allowed_units":1,"denied_units":50,"cluster_units":9,"nodes":{"n1":4,"n2":5}},{"client":"eve","allowed_units":6,"denied_units":0,"cluster_units":6,"nodes":{"n2":6}}],
		"most_denied":[{"client":"bob","allowed_units":1,"denied_units":50,"cluster_units":9,"nodes":{"n1":4,"n2":5}}]}`}, got: map[string]map[string]any{}})
	t.Cleanup(other.Close)
	s := scripted(t, map[string]string{"GET /v1/top?limit=login": `{"limit":"login","heaviest":[
		{"client":"zoe","allowed_units":40,"denied_units":0,"cluster_units":0,"nodes":{}},{"client":"bob","allowed_units":4,"denied_units":20,"cluster_units":8,"nodes":{"n1":4,"":4}}],
		"most_denied":[{"client":"bob","allowed_units":4,"denied_units":20,"cluster_units":8,"nodes":{"n1":4,"":4}}]}`})
	const one = "" +
		"HEAVIEST  UNITS ALLOWED  UNITS DENIED  CLUSTER NOW  BY NODE\n" +
		"zoe       40             0             0            \n" +
		"bob       4              20            8            unknown=4 n1=4\n" +
		"\n" +
		"MOST DENIED  UNITS ALLOWED  UNITS DENIED  CLUSTER NOW  BY NODE\n" +
		"bob          4              20            8            unknown=4 n1=4\n"
	if code, out, errs := ctl("top", "-limit", "login"); code != exitOK || errs != "" || out != one {
		t.Errorf("%d, %q, got\n%swant\n%s", code, errs, out, one)
	}
	code, out, errs := ctl("top", "-limit", "login", "-and", other.URL)
	if code != exitOK || errs != "" || !strings.HasPrefix(out, "HEAVIEST  UNITS ALLOWED  UNITS DENIED  CLUSTER NOW  BY NODE\nbob       5              70            9            n1=4 n2=5\nzoe ") || strings.Count(out, "bob") != 2 || !strings.Contains(out, "eve       6  ") {
		t.Errorf("%d, %q, got\n%s", code, errs, out)
	}
	if code, out, _ := ctl("top", "-limit", "login", "-and", other.URL, "-o", "json"); code != exitOK || !strings.Contains(out, `"denied_units": 70`) {
		t.Errorf("%d, got\n%s", code, out)
	}
	if code, _, errs := ctl("top", "-limit", "login", "-and", "ftp://x"); code != exitUsage || !strings.Contains(errs, "ftp://x") {
		t.Errorf("%d, %q", code, errs)
	}
	s.answers["GET /v1/top?limit=login"] = `{"limit":"login","heaviest":[],"most_denied":[]}`
	if code, out, _ := ctl("top", "-limit", "login"); code != exitOK || out != "nobody has asked for login\n" {
		t.Errorf("%d, %q", code, out)
	}
}
