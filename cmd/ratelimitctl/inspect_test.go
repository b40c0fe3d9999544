package main

import (
	"strings"
	"testing"
)

func TestShadowTellsWhatWouldHaveBeenDenied(t *testing.T) {
	s := scripted(t, map[string]string{"GET /v1/shadow": `{"limits":{
		"search":{"checked":200,"would_deny":25,"percent":12.5,"clients":[{"client":"bob","would_deny_units":30,"allowed_units":4},{"client":"a\u001b[1m","would_deny_units":1,"allowed_units":9}]},
		"api":{"checked":7,"would_deny":0,"percent":0,"clients":[]}}}`})
	want := "" +
		"api would have denied 0 % (0 of 7) of what this node decided since its start\n" +
		"\n" +
		"search would have denied 12.5 % (25 of 200) of what this node decided since its start\n" +
		"CLIENT  UNITS DENIED  UNITS ALLOWED\n" +
		"bob     30            4\n" +
		"a\ufffd[1m   1             9\n"
	if code, out, errs := ctl("shadow"); code != exitOK || errs != "" || out != want {
		t.Errorf("%d, %q, got\n%swant\n%s", code, errs, out, want)
	}
	if code, out, errs := ctl("shadow", "-o", "json"); code != exitOK || errs != "" || !strings.Contains(out, `"would_deny": 25`) {
		t.Errorf("%d, %q\n%s", code, errs, out)
	}
	s.answers["GET /v1/shadow"] = `{"limits":{}}`
	if code, out, errs := ctl("shadow"); code != exitOK || errs != "" || out != "no limit is a shadow\n" {
		t.Errorf("%d, %q, %q", code, errs, out)
	}
}

func TestTheStatusShowsEachLimitOnALine(t *testing.T) {
	scripted(t, map[string]string{"GET /v1/status": `{"node":{"name":"n1"},"new":{"a":1,"b":2},"limits":{
		"login":{"limit":5,"window":60,"burst":2,"algorithm":"gcra","shadow":true,"overrides":[{"client":"a","block":true}],"since":"2026-11-23T15:00:00Z","set":true,
			"configured":{"limit":4,"window":60},"allowed":9,"denied":0,"shadow_denied":3}},
		"bound":{"login":{"units":2.04,"bound_known":true,"expected":1,"observed_units":7,"observed_peak_units":3},"api":{"units":null,"bound_known":false,"expected":null}},"last":true}`})
	want := "" +
		"node.name  n1\n" +
		"new        a=1 b=2\n" +
		"\n" +
		"limits\n" +
		"NAME   LIMIT  WINDOW  BURST  ALGORITHM  FROM                 SINCE                 ALLOWED  DENIED  WOULD DENY  OVERRIDES\n" +
		"login  5      1m      2      gcra       set over configured  2026-11-23T15:00:00Z  9        0       3           1\n" +
		"\n" +
		"error bound, units\n" +
		"LIMIT  AT MOST  EXPECTED  SEEN  SEEN AT ONCE\n" +
		"api    unknown  unknown   0     0\n" +
		"login  2.0      1.0       7     3\n" +
		"\n" +
		"last  yes\n"
	if code, out, errs := ctl("status"); code != exitOK || errs != "" || out != want {
		t.Errorf("%d, %q, got\n%swant\n%s", code, errs, out, want)
	}
}

func TestAnAnswerThatIsNoneIsAnError(t *testing.T) {
	for _, body := range []string{"<html>", "[1]", `{"limits":[1]}`, `{"limits":{"a":`} {
		scripted(t, map[string]string{
			"GET /v1/status": body, "GET /v1/limits": body, "GET /v1/shadow": body, "GET /v1/explain?client=a&limit=default": body,
		})
		for _, args := range [][]string{{"status"}, {"limits"}, {"limits", "watch"}, {"shadow"}, {"explain", "a"}} {
			if body == `{"limits":[1]}` && args[0] == "explain" {
				continue // it knows nothing of limits
			}
			if code, _, errs := ctl(args...); code != exitError || strings.Count(errs, "\n") != 1 {
				t.Errorf("%s, %q: %d, %q", body, args, code, errs)
			}
		}
	}
}

func TestHealthTellsWhy(t *testing.T) {
	const degraded = "degraded by peer_silent: a peer is silent and may be admitting; until the peer is heard\n"
	for _, c := range []struct {
		answer, out, errs string
		code              int
	}{
		{"ready\n", "ready\n", "", exitOK},
		{"ready\n" + degraded, "ready\n" + degraded, "", exitOK},
		{"503 not ready: node: joining\n", "", "not ready: node: joining\n", exitError},
		{"503 not ready: node: joining\n" + degraded, degraded, "not ready: node: joining\n", exitError},
		{"503 <html>\nno backend", "", "not ready: 503: <html> no backend\n", exitError},
	} {
		scripted(t, map[string]string{"GET /readyz": c.answer})
		if code, out, errs := ctl("health"); code != c.code || out != c.out || !strings.HasSuffix(errs, c.errs) {
			t.Errorf("%q: %d, %q, %q", c.answer, code, out, errs)
		}
	}
	scripted(t, map[string]string{"GET /readyz": "503 not ready: node: joining\n" + degraded})
	if code, out, _ := ctl("health", "-o", "json"); code != exitError || !strings.Contains(out, `"ok": false`) ||
		!strings.Contains(out, `"detail": "node: joining"`) || !strings.Contains(out, `"degraded by peer_silent: `) {
		t.Errorf("%d, %s", code, out)
	}
}
