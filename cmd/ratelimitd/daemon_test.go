package main

import (
	"fmt"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

func TestTenOfFifteenPass(t *testing.T) {
	p := runDaemon(t, nil, "-limit", "10")
	got := map[int]int{}
	for range 15 {
		resp, body := p.ask("POST", "/v1/take?client=alice", "")
		got[resp.StatusCode]++
		retry := resp.Header.Get("Retry-After")
		if denied := resp.StatusCode == http.StatusTooManyRequests; denied != (retry != "") || denied && retry != "6" {
			t.Errorf("%d with Retry-After %q: %s", resp.StatusCode, retry, body)
		}
	}
	if got[200] != 10 || got[429] != 5 {
		t.Errorf("got %v, want ten 200 and five 429", got)
	}
}

func TestItIsReadyAtOnceWhereNobodyIsExpected(t *testing.T) {
	for name, args := range map[string][]string{
		"no flag":            nil,
		"first of a mesh":    {"-nats-cluster", "127.0.0.1:0"},
		"a server to others": {"-nats-listen", "127.0.0.1:0"},
	} {
		t.Run(name, func(t *testing.T) {
			p := runDaemon(t, nil, args...)
			if resp, body := p.ask("GET", "/readyz", ""); resp.StatusCode != http.StatusOK {
				t.Errorf("got %d %s", resp.StatusCode, body)
			}
			if resp, _ := p.ask("GET", "/livez", ""); resp.StatusCode != http.StatusOK {
				t.Errorf("livez: got %d", resp.StatusCode)
			}
			if s := p.status(); !s.Node.Ready || s.Node.Isolated || s.Degraded {
				t.Errorf("got %+v", s)
			}
			if why := p.await("ready")["detail"]; why != "no peers are expected" {
				t.Errorf("got %v", why)
			}
		})
	}
}

func TestMetricsParse(t *testing.T) {
	p := runDaemon(t, nil)
	p.ask("POST", "/v1/take?client=alice", "")
	resp, body := p.ask("GET", "/metrics", "")
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("got %d", resp.StatusCode)
	}
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"ratelimiter_decisions_total", "ratelimiter_overshoot_bound_units", "ratelimiter_build_info", "ratelimiter_ready", "go_goroutines", "process_start_time_seconds"} {
		if families[name] == nil {
			t.Errorf("%s is missing", name)
		}
	}
	for name := range families {
		if !strings.HasPrefix(name, "ratelimiter_") && !strings.HasPrefix(name, "go_") && !strings.HasPrefix(name, "process_") {
			t.Errorf("%s is no name of ours", name)
		}
	}
	if strings.Contains(body, "alice") {
		t.Error("a client is named")
	}
	if got := families["ratelimiter_ready"].GetMetric()[0].GetGauge().GetValue(); got != 1 {
		t.Errorf("ready is %v", got)
	}
}

func TestAPlainStartWarnsOfNothing(t *testing.T) {
	p := runDaemon(t, nil)
	p.await("ready") // the last that a start logs
	p.stop(syscall.SIGTERM)
	for _, entry := range p.lines() {
		if entry["level"] != "INFO" {
			t.Errorf("got %v", entry)
		}
	}
}

func TestASignalStopsItInOrder(t *testing.T) {
	for _, sig := range stopSignals {
		p := runDaemon(t, nil)
		if code := p.stop(sig); code != 0 {
			t.Errorf("%v: exit code %d", sig, code)
		}
		if p.logged("stopped") == nil {
			t.Errorf("%v: it did not say that it stopped: %v", sig, p.lines())
		}
	}
}

func TestAHangupIsNoEnd(t *testing.T) {
	p := runDaemon(t, nil)
	if err := p.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	p.await("nothing to reload")
	if resp, _ := p.ask("POST", "/v1/take?client=a", ""); resp.StatusCode != http.StatusOK {
		t.Errorf("got %d", resp.StatusCode)
	}
}

func TestAPortInUseIsOneClearLine(t *testing.T) {
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	taken := l.Addr().String()
	free := []string{"-http", "127.0.0.1:0"}
	for flag, args := range map[string][]string{
		"-http":         {"-http", taken},
		"-admin":        append(free, "-admin", taken),
		"-nats-listen":  append(free, "-nats-listen", taken),
		"-nats-cluster": append(free, "-nats-cluster", taken),
	} {
		code, stdout, stderr := finish(t, nil, args...)
		stderr = withoutLog(stderr)
		if code != exitUsage || stdout != "" || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, taken) || !strings.Contains(stderr, "in use") {
			t.Errorf("%s: code %d, stdout %q, stderr %q", flag, code, stdout, stderr)
		}
	}
}

// withoutLog leaves what is not a line of the log.
func withoutLog(stderr string) string {
	var kept []string
	for line := range strings.Lines(stderr) {
		if !strings.HasPrefix(line, "time=") {
			kept = append(kept, line)
		}
	}
	return strings.Join(kept, "")
}

func TestWritesNeedTheToken(t *testing.T) {
	p := runDaemon(t, nil, "-admin-token-file", write(t, "token", "s3cret-0123456789\n"))
	const body = `{"limit":3,"window":60}`
	if resp, text := p.ask("PUT", "/v1/limits/default", body); resp.StatusCode != http.StatusForbidden || !strings.Contains(text, "-admin-token-file") {
		t.Errorf("without: got %d %s", resp.StatusCode, text)
	}
	if resp, text := p.ask("PUT", "/v1/limits/default", body, "Authorization", "Bearer s3cret-0123456789"); resp.StatusCode != http.StatusOK {
		t.Errorf("with: got %d %s", resp.StatusCode, text)
	}
	if _, text := p.ask("POST", "/v1/take?client=a", ""); !strings.Contains(text, `"quota":3,`) {
		t.Errorf("got %s", text)
	}
	for _, entry := range p.lines() {
		for _, v := range entry {
			if text, _ := v.(string); strings.Contains(text, "s3cret") {
				t.Errorf("the token is logged: %v", entry)
			}
		}
	}
}

// Both tokens come from files, and show nowhere: not in the log, the status, the arguments of
// the process, or what it answers to who has none.
func TestDecisionsNeedTheTokenOfTheAPI(t *testing.T) {
	p := runDaemon(t, nil, "-api-token-file", write(t, "api", "api-s3cret-0123456789"), "-admin-token-file", write(t, "admin", "admin-s3cret-0123456789"))
	texts := []string{strings.Join(p.cmd.Args, " ")}
	for _, c := range []struct {
		path, token string
		want        int
	}{
		{"/livez", "", 200},
		{"/v1/status", "", 401},
		{"/metrics", "", 401},
		{"/v1/peek?client=a", "", 401},
		{"/v1/peek?client=a", "wrong", 401},
		{"/v1/peek?client=a", "api-s3cret-0123456789", 200},
		{"/v1/status", "admin-s3cret-0123456789", 200},
		{"/metrics", "api-s3cret-0123456789", 200},
	} {
		resp, text := p.ask("GET", c.path, "", "Authorization", "Bearer "+c.token)
		if texts = append(texts, text); resp.StatusCode != c.want {
			t.Errorf("%s with %q: got %d %s", c.path, c.token, resp.StatusCode, text)
		}
	}
	if resp, text := p.ask("PUT", "/v1/limits/default", `{"limit":3,"window":60}`, "Authorization", "Bearer api-s3cret-0123456789"); resp.StatusCode != http.StatusForbidden {
		t.Errorf("a write with the token of the API: got %d %s", resp.StatusCode, text)
	}
	for _, entry := range p.lines() {
		texts = append(texts, fmt.Sprint(entry))
	}
	for _, text := range texts {
		if strings.Contains(text, "s3cret") {
			t.Errorf("a token is told: %s", text)
		}
	}
}

func TestALoopbackDaemonAnswersToItsNamesOnly(t *testing.T) {
	p := runDaemon(t, nil, "-http-hosts", "limits.example,other.example", "-admin", ":0")
	_, port, _ := strings.Cut(strings.TrimPrefix(p.url, "http://"), ":")
	profiles, _ := p.logged("ratelimitd serves")["admin"].(string)
	if !strings.HasPrefix(profiles, "http://127.0.0.1:") {
		t.Errorf("pprof without a host is at %s", profiles)
	}
	for host, want := range map[string]int{"localhost:" + port: 200, "limits.example": 200, "other.example:1": 200, "attacker.example:" + port: 421} {
		for _, url := range []string{p.url + "/v1/peek?client=a", profiles + "/debug/pprof/"} {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, http.NoBody)
			if err != nil {
				t.Fatal(err)
			}
			req.Host = host
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			if _ = resp.Body.Close(); resp.StatusCode != want {
				t.Errorf("%s for %s: got %d, want %d", url, host, resp.StatusCode, want)
			}
		}
	}
}

func TestProfilesHaveAListenerOfTheirOwn(t *testing.T) {
	p := runDaemon(t, nil, "-admin", "127.0.0.1:0")
	if resp, _ := p.ask("GET", "/debug/pprof/", ""); resp.StatusCode != http.StatusNotFound {
		t.Errorf("on the API's: got %d", resp.StatusCode)
	}
	p.url, _ = p.logged("ratelimitd serves")["admin"].(string)
	if resp, body := p.ask("GET", "/debug/pprof/goroutine?debug=1", ""); resp.StatusCode != http.StatusOK || !strings.Contains(body, "goroutine profile") {
		t.Errorf("on its own: got %d", resp.StatusCode)
	}
}
