package main

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/httpapi"
)

// ctl runs the program.
func ctl(args ...string) (code int, stdout, stderr string) {
	var out, errs bytes.Buffer
	code = run(context.Background(), args, &out, &errs)
	return code, out.String(), errs.String()
}

// daemon serves a node with the limits default (5 an hour) and login (2 an hour) as
// ratelimitd does, and points the program at it. token is the admin token.
func daemon(t *testing.T, token string) {
	t.Helper()
	serveWith(t, token, node.Config{
		Name: "n1", Limit: 5, Window: time.Hour, Limits: map[string]node.Policy{"login": {Limit: 2, Window: time.Hour}},
	})
}

// serve serves a node without an admin token, and points the program at it.
func serve(t *testing.T, cfg node.Config) {
	t.Helper()
	serveWith(t, "", cfg)
}

func serveWith(t *testing.T, token string, cfg node.Config) {
	t.Helper()
	n, err := node.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(httpapi.New(httpapi.Config{Node: n, AdminToken: token, Loopback: true}))
	t.Cleanup(func() {
		server.Close()
		_ = n.Close()
	})
	t.Setenv(envAddr, server.URL)
	t.Setenv(envToken, "")
}

func TestAWrongCallIsOneLineAndExitCode2(t *testing.T) {
	t.Setenv(envAddr, "")
	for _, c := range []struct{ args, names string }{
		{"frobnicate", `"frobnicate"`},
		{"-frobnicate", `"-frobnicate"`},
		{"take", "argument is missing: take CLIENT"},
		{"take a b", `"b"`},
		{"take a -cost x", `invalid value "x" for flag -cost: must be a whole number`},
		{"take a -timeout 5", "for flag -timeout: must be a duration such as 90s"},
		{"load -rate x", "for flag -rate: must be max, or a number"},
		{"take a -frob", "-frob"},
		{"take a -o xml", "text or json"},
		{"take \xff", `argument 1, "\xff", must be valid UTF-8`},
		{"reset a\xed\xa0\x80", "must be valid UTF-8"},
		{"limits get \xff", "must be valid UTF-8"},
		{"peek", "CLIENT"},
		{"peek a -cost x", "-cost"},
		{"reserve", "CLIENT"},
		{"reserve a -for -1s", "-for"},
		{"commit t", "TOKEN N"},
		{"commit t x", `N "x"`},
		{"commit t -- -1", `N "-1"`},
		{"cancel", "TOKEN"},
		{"cancel t 5", `"5"`},
		{"reset", "CLIENT"},
		{"limits get", "argument is missing: limits get NAME"},
		{"limits put x", `"limits put"; did you mean limits get?`},
		{"limits dlete x", "did you mean limits delete?"},
		{"stauts", "did you mean status?"},
		{"limit", "did you mean limits?"},
		{"help stauts", "did you mean status?"},
		{"limits list x", `"x"`},
		{"limits get x y", `"y"`},
		{"limits set", "argument is missing: limits set NAME"},
		{"limits set x", "-limit"},
		{"limits set x -limit 5", "-window"},
		{"limits set x -limit 5 -window soon", "-window"},
		{"limits delete", "argument is missing: limits delete NAME"},
		{"limits delete x -limit 5", "-limit"},
		{"limits -burst 5", "-burst"},
		{"limits get x -f y", "-f"},
		{"limits set x -f y -n 5", "-n"},
		{"limits set x -f y -burst 5", "-burst cannot be beside -f"},
		{"limits set x -limit 5 -window 1d", "-window"},
		{"limits watch x y", `"y"`},
		{"limits watch -interval 0s", "-interval"},
		{"limits watch -n -1", "-n"},
		{"explain", "CLIENT"},
		{"shadow x", `"x"`},
		{"top x", `"x"`},
		{"status x", `"x"`},
		{"status -addr ftp://127.0.0.1", "-addr"},
		{"status -addr http://", "-addr"},
		{"status -timeout 0s", "-timeout"},
		{"health x", `"x"`},
		{"version x", `"x"`},
		{"load x", `"x"`},
		{"load -rate 0", "-rate"},
		{"load -rate -5", "-rate"},
		{"load -c 0 -clients 0", "-clients 0"},
		{"load -dist normal", "-dist"},
		{"bench x", `"x"`},
		{"bench -cost 0", "-cost 0"},
		{"bench -warmup 1m", "-warmup"},
		{"bench -n -1", "-n -1"},
		{"bench -ramp 5s", "-ramp"},
		{"bench -rate max -ramp 5s=10", "-ramp"},
		{"bench -nodes 0", "-nodes 0"},
		{"bench -nodes 3", "-policy is missing"},
		{"bench -nodes 3 -policy 100/1m -addr 127.0.0.1:1", "-addr cannot be beside -nodes"},
		{"bench -nodes 3 -policy 100", "-policy"},
		{"bench -nodes 3 -policy limt:5", "limt is unknown"},
		{"bench -kill 1s=2", "-kill"},
		{"bench -nodes 3 -policy 100/1m -kill 1s=4", "-kill 1s=4"},
		{"bench -nodes 3 -policy 100/1m -kill soon=4", "-kill"},
		{"bench -set 5=100/1m", "-set"},
		{"bench -set 5s=100", "-set"},
		{"bench -target 127.0.0.1:8080", "-target"},
		{"bench -target ftp://127.0.0.1", "-target"},
		{"bench -target http://127.0.0.1 -addr 127.0.0.1:1", "-addr cannot be beside -target"},
		{"bench -target grpc://127.0.0.1:8081", "-descriptor is missing"},
		{"bench -target grpc://127.0.0.1:8081 -descriptor x", "-descriptor"},
		{"bench -cluster x", "-cluster: no -target is nats"},
		{"bench -subject-prefix x", "-subject-prefix: no -target is nats"},
		{"bench -fail p98<1ms", "-fail"},
		{"bench -fail overshoot<1", "-fail"},
		{"bench -nodes 1 -policy 9/1s -events /nonexistent/x", "-events"},
		{"bench -nodes 1 -policy 9/1s -html /nonexistent/x", "-html"},
		{"replay -html /nonexistent/x", "-html"},
		{"load -duration 10", "-duration"},
		{"replay x y", `"y"`},
		{"replay x -log y", "-log"},
		{"replay -policy 5", "-policy"},
		{"replay -policy 5/1m -limit 5", "-limit cannot be beside -policy"},
		{"replay -rules f -window 5", "-window cannot be beside -rules"},
		{"replay -name x", "-name"},
		{"replay -format apache", "-format"},
		{"replay -propose 101", "-propose"},
		{"replay -windows 5", "-windows"},
		{"replay -max-lines 0", "-max-lines 0"},
		{"replay -window minute", "-window"},
		{"replay -window -5", "-window"},
		{"replay -delay 5", "-delay"},
		{"replay -nodes 0", "nodes 0"},
		{"replay -limit 0", "limit 0"},
		{"replay -spread everywhere", `spread "everywhere"`},
		{"replay -lines 0", "-lines 0"},
	} {
		code, out, errs := ctl(strings.Fields(c.args)...)
		if code != exitUsage || out != "" || strings.Count(errs, "\n") != 1 || !strings.Contains(errs, c.names) {
			t.Errorf("%s: exit code %d, stdout %q, stderr %q", c.args, code, out, errs)
		}
	}
}

func TestHelpListsEveryCommandAndEachHasItsOwn(t *testing.T) {
	if code, out, errs := ctl(); code != exitUsage || out != "" || !strings.Contains(errs, "usage:") {
		t.Errorf("without a command: %d, %q, %q", code, out, errs)
	}
	code, help, errs := ctl("help")
	if code != exitOK || errs != "" {
		t.Errorf("help: %d, %q", code, errs)
	}
	for _, text := range []string{envAddr, envToken, "Exit codes: 0 done, 1 failed, 2 wrong call", "3 denied"} {
		if !strings.Contains(help, text) {
			t.Errorf("help does not tell of %s", text)
		}
	}
	for _, c := range commands() {
		if !strings.Contains(help, "  "+c.name+" ") || !strings.Contains(help, c.help) {
			t.Errorf("help does not list %s", c.name)
		}
		for _, flag := range []string{"-h", "--help"} {
			code, out, errs := ctl(append(strings.Fields(c.name), flag)...)
			if code != exitOK || errs != "" || !strings.HasPrefix(out, "usage: ratelimitctl "+c.name+" ") || !strings.Contains(out, "Exit codes:") {
				t.Errorf("%s %s: %d, %q, %q", c.name, flag, code, out, errs)
			}
			_, examples, _ := strings.Cut(out, "\nExamples:\n")
			if n := strings.Count(examples, "  ratelimitctl "+c.name); n != 2 {
				t.Errorf("%s has %d examples:\n%s", c.name, n, out)
			}
		}
	}
	_, own, _ := ctl("take", "-h")
	if code, out, errs := ctl("help", "take"); code != exitOK || errs != "" || out != own {
		t.Errorf("help take: %d, %q, %q", code, out, errs)
	}
	_, own, _ = ctl("limits", "set", "-h")
	if code, out, errs := ctl("help", "limits", "set"); code != exitOK || errs != "" || out != own {
		t.Errorf("help limits set: %d, %q, %q", code, out, errs)
	}
	if code, out, errs := ctl("limits", "-h"); code != exitOK || errs != "" || !strings.Contains(out, "  limits watch ") || strings.Contains(out, "  peek ") {
		t.Errorf("limits -h: %d, %q, %q", code, out, errs)
	}
}

// A flag of one command is not in the help of another, and each example is a call that the
// command understands.
func TestEachCommandHasFlagsOfItsOwn(t *testing.T) {
	_, list, _ := ctl("limits", "list", "-h")
	_, set, _ := ctl("limits", "set", "-h")
	_, watch, _ := ctl("limits", "watch", "-h")
	if strings.Contains(list, "-burst") || !strings.Contains(set, "-burst N ") || strings.Contains(set, "-interval") ||
		!strings.Contains(watch, "-interval DURATION ") || strings.Contains(watch, "-burst") || !strings.Contains(set, "-shadow ") {
		t.Errorf("got\n%s\n%s\n%s", list, set, watch)
	}
	for _, c := range commands() {
		for _, example := range c.examples {
			example, _, _ = strings.Cut(example, " >")
			args := append(strings.Fields(c.name), strings.Fields(example)...)
			if code, _, errs := ctl(append(args, "-h")...); code != exitOK {
				t.Errorf("%q: %d, %s", args, code, errs)
			}
		}
	}
}

func TestTakeTellsByItsExitCode(t *testing.T) {
	daemon(t, "")
	code, out, errs := ctl("take", "alice", "-limit", "login", "-cost", "2")
	if code != exitOK || errs != "" || !strings.Contains(out, "allowed         yes\n") || !strings.Contains(out, "remaining       0\n") {
		t.Errorf("first: %d, %q\n%s", code, errs, out)
	}
	code, out, errs = ctl("take", "--limit=login", "-o", "json", "alice")
	var d struct {
		Allowed    bool  `json:"allowed"`
		RetryAfter int64 `json:"retry_after_ms"`
	}
	if err := json.Unmarshal([]byte(out), &d); err != nil {
		t.Errorf("%v in %q", err, out)
	}
	if code != exitDenied || errs != "" || d.Allowed || d.RetryAfter < 1 {
		t.Errorf("second: %d, %q\n%s", code, errs, out)
	}
	code, out, errs = ctl("peek", "alice", "-limit", "login")
	if code != exitOK || errs != "" || !strings.Contains(out, "allowed         no\n") {
		t.Errorf("peek: %d, %q\n%s", code, errs, out)
	}
	if code, _, errs = ctl("reset", "alice", "-limit", "login"); code != exitOK || errs != "" {
		t.Errorf("reset: %d, %q", code, errs)
	}
	if code, out, _ = ctl("take", "alice", "-limit", "login"); code != exitOK {
		t.Errorf("after the reset: %d\n%s", code, out)
	}
}

func TestLimitsStatusAndHealthShowTheDaemon(t *testing.T) {
	daemon(t, "")
	for _, c := range []struct {
		args  string
		shows []string
	}{
		{"limits", []string{"NAME", "LIMIT", "default", "login"}},
		{"limits list", []string{"NAME", "LIMIT", "default", "login"}},
		{"limits get login", []string{"limit", "2\n"}},
		{"limits -o json", []string{`"login": {`}},
		{"status", []string{"n1", "default", "login"}},
		{"status -o json", []string{`"n1"`}},
		{"top", []string{"default"}},
		{"health", []string{"ready\n"}},
		{"health -live", []string{"live\n"}},
		{"health -o json", []string{`"ok": true`}},
		{"version", []string{"ratelimitctl ", "go1."}},
		{"version -o json", []string{`"go": "go1.`}},
		{"-version", []string{"ratelimitctl "}},
	} {
		code, out, errs := ctl(strings.Fields(c.args)...)
		if code != exitOK || errs != "" {
			t.Errorf("%s: %d, %q", c.args, code, errs)
		}
		for _, s := range c.shows {
			if !strings.Contains(out, s) {
				t.Errorf("%s does not show %q:\n%s", c.args, s, out)
			}
		}
		if strings.Contains(c.args, "json") && !json.Valid([]byte(out)) {
			t.Errorf("%s: not JSON:\n%s", c.args, out)
		}
	}
}

func TestARefusalIsToldInTheDaemonsWords(t *testing.T) {
	daemon(t, "secret")
	for _, c := range []struct {
		args  []string
		shows []string
	}{
		{[]string{"take", "alice", "-limit", "nope"}, []string{"404", "nope"}},
		{[]string{"take", "alice", "-cost", "0"}, []string{"400", "cost"}},
		{[]string{"take", ""}, []string{"400", "client"}},
		{[]string{"limits", "get", "no/pe"}, []string{"404"}},
		{[]string{"take", "alice", "-limit", "lgoin"}, []string{"404", "lgoin", "; did you mean login?"}},
		{[]string{"limits", "get", "logni"}, []string{"404", "; did you mean login?"}},
		{[]string{"top", "-limit", "logn"}, []string{"; did you mean login?"}},
		{[]string{"reset", "alice"}, []string{"403", envToken}},
		{[]string{"limits", "set", "x", "-limit", "5", "-window", "60"}, []string{"403", envToken}},
		{[]string{"limits", "delete", "login"}, []string{"403", envToken}},
		{[]string{"top", "-limit", "nope"}, []string{"404", "nope"}},
		{[]string{"load", "-limit", "nope"}, []string{"404", "nope"}},
	} {
		code, out, errs := ctl(c.args...)
		if code != exitError || out != "" || strings.Count(errs, "\n") != 1 {
			t.Errorf("%q: %d, %q, %q", c.args, code, out, errs)
		}
		for _, s := range c.shows {
			if !strings.Contains(errs, s) {
				t.Errorf("%q does not say %q: %q", c.args, s, errs)
			}
		}
	}
	t.Setenv(envToken, "secret")
	if code, _, errs := ctl("reset", "alice"); code != exitOK {
		t.Errorf("reset with the token: %d, %q", code, errs)
	}
}

func TestWhereNothingAnswersOneLineSaysHowToStartTheDaemon(t *testing.T) {
	// A port that was just free: nobody listens there.
	server := httptest.NewServer(nil)
	addr := server.Listener.Addr().String()
	server.Close()
	for _, args := range [][]string{{"take", "a"}, {"peek", "a"}, {"reserve", "a"}, {"commit", "t", "1"}, {"cancel", "t"}, {"reset", "a"}, {"explain", "a"}, {"limits"}, {"limits", "watch"}, {"shadow"}, {"top"}, {"status"}, {"health"}, {"load"}} {
		code, out, errs := ctl(append(args, "-addr", addr)...)
		if code != exitError || out != "" || strings.Count(errs, "\n") != 1 || !strings.Contains(errs, "http://"+addr) || !strings.Contains(errs, "ratelimitd") {
			t.Errorf("%q: %d, %q, %q", args, code, out, errs)
		}
	}
}
