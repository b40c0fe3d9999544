package main

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/cmd/internal/bench"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/cmd/internal/replay"
)

func TestLoadPrintsOneTable(t *testing.T) {
	daemon(t, "")
	code, out, errs := ctl("load", "-n", "50", "-rate", "5000", "-clients", "2", "-c", "4", "-timeout", "30s")
	if code != exitOK || errs != "" {
		t.Errorf("%d, %q", code, errs)
	}
	// Two clients with five units each.
	for _, line := range []string{"5000/s offered", "p50 ", "p99.9 ", "allowed  10\n", "denied   40\n", "errors   0\n"} {
		if !strings.Contains(out, line) {
			t.Errorf("no %q in\n%s", line, out)
		}
	}
	code, out, _ = ctl("load", "-n", "5", "-rate", "5000", "-clients", "1", "-o", "json", "-timeout", "30s")
	var r bench.Result
	if err := json.Unmarshal([]byte(out), &r); err != nil || code != exitOK || r.Denied+r.Allowed != 5 {
		t.Errorf("%d, %v, %+v", code, err, r)
	}
}

func TestLoadFailsIfRequestsGotNoDecision(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Method == http.MethodPost:
			w.WriteHeader(http.StatusInternalServerError)
		case r.URL.Path == "/v1/limits":
			_, _ = w.Write([]byte(`{"limits":{}}`))
		default:
			_, _ = w.Write([]byte(`{}`))
		}
	}))
	defer server.Close()
	code, out, errs := ctl("load", "-addr", server.URL, "-n", "3", "-rate", "1000")
	if code != exitError || !strings.Contains(out, "errors   3, the first: 500") || !strings.Contains(errs, "3 of 3 requests got no decision") {
		t.Errorf("%d, %q\n%s", code, errs, out)
	}
}

func TestBenchRunsNodesOfItsOwn(t *testing.T) {
	dir := t.TempDir()
	events := filepath.Join(dir, "events")
	args := []string{
		"bench", "-nodes", "3", "-policy", "limit: 50, window: 1m, burst: 20", "-clients", "2", "-rate", "400", "-duration", "1s", "-events", events,
		"-set", "300ms=100/1h", "-kill", "600ms=2", "-fail", "beyond<1,wrongly-denied<1,errors<1",
	}
	code, out, errs := ctl(args...)
	if code != exitOK || errs != "" {
		t.Errorf("%d, %q\n%s", code, errs, out)
	}
	for _, text := range []string{"n1  ", "n3  ", "limit set to 100/1h", "node 2 killed", "50 per 1m, burst 20", "by one limiter that sees all requests", "wrongly denied", "client", "load-1"} {
		if !strings.Contains(out, text) {
			t.Errorf("no %q in\n%s", text, out)
		}
	}
	log, err := os.ReadFile(events)
	if n := strings.Count(string(log), "\n"); err != nil || n != 402 {
		t.Errorf("%d events of 400 requests and 2 actions, %v", n, err)
	}
	code, out, errs = ctl(append(args, "-fail", "achieved<1")...)
	if code != exitMissed || !strings.Contains(out, "FAILED achieved<1: it is ") || !strings.Contains(errs, "achieved<1") {
		t.Errorf("%d, %q\n%s", code, errs, out)
	}
}

func TestBenchKnowsTheDaemonsLimitAndBound(t *testing.T) {
	daemon(t, "secret")
	addr := os.Getenv(envAddr)
	args := []string{"bench", "-target", addr + "," + addr, "-limit", "login", "-n", "60", "-rate", "300", "-clients", "3", "-prefix", "p-", "-o", "json", "-set", "0s=4/1h", "-timeout", "30s"}
	code, out, errs := ctl(args...)
	var r bench.Result
	if err := json.Unmarshal([]byte(out), &r); err != nil || code != exitOK || len(r.Happened) != 1 || !strings.Contains(r.Happened[0].Error, "403") {
		t.Errorf("%d, %v, %q, %+v", code, err, errs, r.Happened)
	}
	// Three clients with two units each.
	if a := r.Accuracy; a == nil || a.Central != 6 || a.Admitted != 6 || a.Over != 0 || a.Bound == nil || *a.Bound != 0 || a.Limits[0] != "2 per 1h" || !strings.HasPrefix(a.Clients[0].Client, "p-") {
		t.Errorf("%+v", a)
	}
	t.Setenv(envToken, "secret")
	code, out, errs = ctl(append(args, "-rate", "100")...)
	r = bench.Result{}
	if err := json.Unmarshal([]byte(out), &r); err != nil || code != exitOK || len(r.Happened) != 1 || r.Happened[0].Error != "" {
		t.Fatalf("%d, %v, %q, %+v", code, err, errs, r.Happened)
	}
	if a := r.Accuracy; a == nil || len(a.Limits) != 2 {
		t.Errorf("%+v", a)
	}
}

func TestReplayOfTheSampleIsTheSameByteForByte(t *testing.T) {
	args := []string{"replay", "-lines", "200", "-limit", "10", "-window", "30", "-seed", "4"}
	code, first, errs := ctl(args...)
	if code != exitOK || errs != "" {
		t.Fatalf("%d, %q", code, errs)
	}
	if _, again, _ := ctl(args...); again != first {
		t.Errorf("equal calls differ:\n%s\n%s", first, again)
	}
	if !strings.Contains(first, "10 per 30s, for each client address") || !strings.Contains(first, "200 requests of ") {
		t.Errorf("got\n%s", first)
	}
}

func TestReplayReadsALogAndNamesItInErrors(t *testing.T) {
	good := filepath.Join(t.TempDir(), "access.log")
	line := `192.0.2.7 - - [17/May/2026:10:05:03 +0000] "GET / HTTP/1.1" 200 1 "-" "-"` + "\n"
	if err := os.WriteFile(good, []byte(strings.Repeat(line, 4)+"no line\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	code, out, errs := ctl("replay", "-log", good, "-limit", "3", "-nodes", "1", "-o", "json")
	var r replay.Result
	if err := json.Unmarshal([]byte(out), &r); err != nil || code != exitOK || errs != "" {
		t.Fatalf("%d, %v, %q", code, err, errs)
	}
	if r.Requests != 4 || r.BadLines != 1 || r.Cluster.Admitted != 3 || r.Cluster != r.Central || r.Excess > 0 || r.Excess < -0.1 || r.Bound != 0 {
		t.Errorf("%+v", r)
	}

	bad := filepath.Join(t.TempDir(), "other.log")
	if err := os.WriteFile(bad, []byte("{}\n{}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	rules := filepath.Join(t.TempDir(), "rules.yaml")
	if err := os.WriteFile(rules, []byte("limits:\n  login: {limit: 2, window: 1h, overrides: [{cidr: 192.0.2.0/24, limit: 3}]}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	page := filepath.Join(t.TempDir(), "replay.html")
	code, out, errs = ctl("replay", good, "-rules", rules, "-name", "login", "-nodes", "1", "-html", page)
	if code != exitOK || errs != "" || !strings.Contains(out, "192.0.2.7  4         1") || !strings.Contains(out, "NEVER MET BY") {
		t.Errorf("%d, %q\n%s", code, errs, out)
	}
	if html, err := os.ReadFile(page); err != nil || !bytes.Contains(html, []byte("192.0.2.7")) || !bytes.Contains(html, []byte("Limits to choose from")) {
		t.Errorf("%v, a page of %d bytes", err, len(html))
	}
	if code, _, errs = ctl("replay", good, "-rules", rules, "-name", "logn"); code != exitError || !strings.Contains(errs, "it has login") {
		t.Errorf("%d, %q", code, errs)
	}
	for path, says := range map[string]string{
		bad:                "no line is of the combined, vhost, syslog or json format",
		bad + ".not-there": "no such file",
	} {
		code, out, errs := ctl("replay", "-log", path)
		if code != exitError || out != "" || strings.Count(errs, "\n") != 1 || !strings.Contains(errs, path) || !strings.Contains(errs, says) {
			t.Errorf("%s: %d, %q, %q", path, code, out, errs)
		}
	}
}
