package main

import (
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
		if r.Method == http.MethodPost {
			w.WriteHeader(http.StatusInternalServerError)
		}
	}))
	defer server.Close()
	code, out, errs := ctl("load", "-addr", server.URL, "-n", "3", "-rate", "1000")
	if code != exitError || !strings.Contains(out, "errors   3, the first: 500") || !strings.Contains(errs, "3 of 3 requests got no decision") {
		t.Errorf("%d, %q\n%s", code, errs, out)
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
	if !strings.Contains(first, "10 per 30s, burst 10") || !strings.Contains(first, "200 requests of ") {
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
