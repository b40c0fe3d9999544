package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// A file is compared with what a node has in force: what a PUT shadows is told apart.
func TestCheckAgainstARunningNodeTellsWhatWouldChange(t *testing.T) {
	running := write(t, "running.yaml", `limits:
  api: {limit: 10, window: 1m, overrides: [{client: alice, limit: 7}]}
  login: {limit: 5, window: 1m}
  month: {algorithm: fixed_window, limit: 9, window: month, time_zone: Europe/Berlin, ids: address}
  old: {limit: 3, window: 1h}
  same: {use: login, burst: 2}
  set: {limit: 1, window: 1s}
`)
	p := runDaemon(t, nil, "-config", running)
	for name, body := range map[string]string{"set": `{"limit":50,"window":60}`, "gone": `{"limit":2,"window":60}`, "login": `{"limit":6,"window":60}`} {
		if resp, text := p.ask("PUT", "/v1/limits/"+name, body); resp.StatusCode != http.StatusOK {
			t.Fatal(text)
		}
	}
	for name, c := range map[string]struct {
		text string
		want []string
	}{
		"the same file": {
			"limits:\n  api: {limit: 10, window: 1m, overrides: [{client: alice, limit: 7}]}\n  login: {limit: 6, window: 60}\n" +
				"  month: {algorithm: fixed_window, limit: 9, window: month, time_zone: Europe/Berlin, ids: address}\n  old: {limit: 3, window: 3600}\n" +
				"  same: {limit: 5, window: 1m, burst: 2}\n  set: {limit: 50, window: 1m}\n  gone: {limit: 2, window: 1m}\n",
			nil,
		},
		"another file": {
			"limits:\n  api: {limit: 10, window: 1m, overrides: [{client: bob, limit: 7}]}\n  login: {limit: 6, window: 1m}\n" +
				"  month: {algorithm: fixed_window, limit: 9, window: month, time_zone: Europe/Paris, ids: address}\n  new: {limit: 4, window: 1h, shadow: true}\n" +
				"  same: {limit: 5, window: 1m, burst: 3}\n  set: {limit: 60, window: 1m}\n",
			[]string{
				"api: 10 per 1m, overrides 1 -> 10 per 1m, overrides 1, in other words or for other clients",
				"gone: 2 per 1m -> none, but only after DELETE /v1/limits/gone: until then what somebody set by PUT holds",
				"month: 9 per month (Europe/Berlin), fixed_window, ids address -> 9 per month (Europe/Paris), fixed_window, ids address",
				"new: none -> 4 per 1h, shadow",
				"old: 3 per 1h -> none",
				"same: 5 per 1m, burst 2 -> 5 per 1m, burst 3",
				"set: 50 per 1m -> 60 per 1m, but only after DELETE /v1/limits/set: until then what somebody set by PUT holds",
			},
		},
	} {
		want := "on node n1 at " + p.url + ", no limit would change\n"
		if c.want != nil {
			want = "on node n1 at " + p.url + ", these limits would change:\n  " + strings.Join(c.want, "\n  ") + "\n"
		}
		for _, addr := range []string{p.url, strings.TrimPrefix(p.url, "http://")} {
			stdout, _, err := runIn(t, nil, "-check", write(t, "new.yaml", c.text), "-against", addr)
			if _, got, _ := strings.Cut(stdout, "\nratelimitd: "); err != nil || got != want {
				t.Errorf("%s, %s: %v\ngot  %swant %s", name, addr, err, got, want)
			}
		}
	}
	if !p.limitIs("set", 50)() {
		t.Error("a comparison changed a limit")
	}
}

func TestCheckAgainstWhatIsNoNodeFails(t *testing.T) {
	for answer, want := range map[string]string{
		"<html>":               "/v1/limits",
		"{}":                   "/v1/status",
		`{"limits":{"a":{}}}`:  "limit",
		`{"limits":{"a":"b"}}`: "limits.a",
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/v1/limits" {
				_, _ = w.Write([]byte(answer))
				return
			}
			w.WriteHeader(http.StatusNotFound)
		}))
		stdout, _, err := runIn(t, nil, "-check", "-against", server.URL)
		server.Close()
		if err == nil || exitCode(err) != exitFailed || !strings.Contains(err.Error(), "-against "+server.URL) || strings.Contains(stdout, "would change") {
			t.Errorf("%s: %v, want %s\n%s", answer, err, want, stdout)
		}
	}
	if _, _, err := runIn(t, nil, "-check", "-against", "http://127.0.0.1:1"); exitCode(err) != exitFailed {
		t.Errorf("nobody there: %v", err)
	}
}

func TestCheckAgainstANodeThatWantsATokenSendsTheOneOfTheSettings(t *testing.T) {
	api, admin := write(t, "api", "api-0123456789abcdef\n"), write(t, "admin", "admin-0123456789abcdef\n")
	p := runDaemon(t, nil, "-api-token-file", api, "-admin-token-file", admin)
	for _, args := range [][]string{{"-api-token-file", api}, {"-admin-token-file", admin}, {"-api-token-file", api, "-admin-token-file", admin}} {
		if stdout, _, err := runIn(t, nil, append(args, "-check", "-against", p.url)...); err != nil || !strings.Contains(stdout, "no limit would change") {
			t.Errorf("%v: %v, %s", args, err, stdout)
		}
	}
	if _, _, err := runIn(t, nil, "-check", "-against", p.url); exitCode(err) != exitFailed || !strings.Contains(err.Error(), "-api-token-file") {
		t.Errorf("without a token: %v", err)
	}
}
