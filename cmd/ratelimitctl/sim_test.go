package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/cmd/internal/simulate"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/sim"
)

// simulated runs sim with -o json and returns what it printed, but for the real time.
func simulated(t *testing.T, args ...string) (report simulate.Report, text string) {
	t.Helper()
	code, out, errs := ctl(append([]string{"sim", "-o", "json"}, args...)...)
	if code != exitOK || errs != "" {
		t.Fatalf("%v: exit code %d, stderr %q", args, code, errs)
	}
	d := json.NewDecoder(strings.NewReader(out))
	d.DisallowUnknownFields()
	if err := d.Decode(&report); err != nil {
		t.Fatalf("%v: %v in %s", args, err, out)
	}
	head, _, some := strings.Cut(out, `"real_ms"`)
	if !some || report.RealMS <= 0 {
		t.Fatalf("%v: no real time in %s", args, out)
	}
	return report, head
}

func TestASimulationRepeatsItself(t *testing.T) {
	args := []string{"-duration", "5s", "-loss", "0.1", "-skew", "5ms", "-crash", "2s+1s:3", "-partition", "1s+500ms:1"}
	first, text := simulated(t, args...)
	if _, again := simulated(t, args...); again != text {
		t.Errorf("the second run differs:\n%s\n%s", text, again)
	}
	if first.Decisions == 0 || first.Incarnations != 4 || first.E > first.Ceiling {
		t.Errorf("%+v", first)
	}
	// What was printed is a scenario file, too.
	file := filepath.Join(t.TempDir(), "scenario.json")
	if err := os.WriteFile(file, []byte(text+`"real_ms":1}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if from, _ := simulated(t, "-scenario", file); from.Trace != first.Trace {
		t.Errorf("from the file: trace %s, want %s", from.Trace, first.Trace)
	}
	if other, _ := simulated(t, "-scenario", file, "-seed", "2"); other.Trace == first.Trace {
		t.Errorf("another seed gave the same trace")
	}
}

func TestFlagsMakeTheScenario(t *testing.T) {
	r, _ := simulated(t, "-nodes", "4", "-limit", "7", "-window", "2", "-burst", "9", "-max-overshoot", "0.5", "-rate", "30", "-clients", "2",
		"-delay", "2ms..4ms", "-flush", "20ms", "-duration", "1s", "-seed", "9", "-load", "zipf",
		"-partition", "100ms+200ms:1,2", "-crash", "300ms+0s:3")
	sc := r.Scenario
	if sc.Nodes != 4 || !reflect.DeepEqual(sc.Policy, node.Policy{Limit: 7, Window: 2 * time.Second, Burst: 9, MaxOvershoot: 0.5}) ||
		sc.Link != (sim.Link{DelayMin: 2 * time.Millisecond, DelayMax: 4 * time.Millisecond}) ||
		sc.Flush != 20*time.Millisecond || sc.Duration != time.Second || sc.Seed != 9 {
		t.Errorf("got %+v", sc)
	}
	if len(sc.Streams) != 2 || sc.Streams[0].Rate != 20 || sc.Streams[1].Rate != 10 {
		t.Errorf("got streams %+v, want them to send 20 and 10 requests/s", sc.Streams)
	}
	if len(sc.Faults) != 2 || sc.Faults[0].For != 200*time.Millisecond || len(sc.Faults[0].Nodes) != 2 || sc.Faults[1].Kind != sim.FaultCrash {
		t.Errorf("got faults %+v", sc.Faults)
	}
}

func TestABurstAtAllNodesReachesTheBound(t *testing.T) {
	r, _ := simulated(t, "-load", "burst", "-duration", "5s")
	if r.E < 2*100-1 || r.E > r.Ceiling {
		t.Errorf("E is %.2f, want at least two bursts of 100 and at most the bound, %.2f", r.E, r.Ceiling)
	}
	if r.Admitted <= r.Central || r.Conforming == 0 || r.WrongDeny != 0 {
		t.Errorf("%+v", r.Result)
	}
}

func TestARandomSeedIsReplayedWithItsTrace(t *testing.T) {
	code, out, errs := ctl("sim", "-random", "-seed", "3", "-trace", "-")
	if code != exitOK || errs != "" || !strings.Contains(out, " start [1]\n") || !strings.Contains(out, "seed 3, trace ") {
		t.Errorf("exit code %d, stderr %q, stdout\n%.500s", code, errs, out)
	}
	file := filepath.Join(t.TempDir(), "trace.txt")
	if _, text := simulated(t, "-random", "-seed", "3", "-trace", file); !strings.Contains(text, `"seed": 3`) {
		t.Errorf("got %s", text)
	}
	trace, err := os.ReadFile(file)
	if err != nil || !strings.HasPrefix(out, string(trace)) || len(trace) == 0 {
		t.Errorf("the trace in the file has %d bytes (%v), and is not the one printed", len(trace), err)
	}
}

func TestACampaignPrintsOneTable(t *testing.T) {
	code, out, errs := ctl("sim", "-random", "-seeds", "6", "-from", "40")
	if code != exitOK || errs != "" || !strings.HasPrefix(out, "seeds 40 to 45\n") || !strings.Contains(out, "violations") {
		t.Errorf("exit code %d, stderr %q, stdout\n%s", code, errs, out)
	}
	code, out, _ = ctl("sim", "-random", "-seeds", "6", "-from", "40", "-o", "json")
	var sum sim.Summary
	if err := json.Unmarshal([]byte(out), &sum); code != exitOK || err != nil || sum.Next != 46 {
		t.Errorf("exit code %d, %v, %s", code, err, out)
	}
}

func TestACampaignThatFailsSaysHowToRepeatIt(t *testing.T) {
	c := &simCall{random: true}
	failed := &sim.Summary{Next: 99, Total: sim.Row{Violations: 3}, Failed: []sim.Failure{{Seed: 17}, {Seed: 40}}}
	const command = "go run ./cmd/ratelimitctl sim -random -seed 17 -trace -"
	if err := c.verdict(failed, false); err == nil || !strings.Contains(err.Error(), "3 violations") || !strings.HasSuffix(err.Error(), command) {
		t.Errorf("got %v", err)
	}
	if err := c.verdict(&sim.Summary{Next: 99}, true); err == nil || !strings.Contains(err.Error(), "-from 99") {
		t.Errorf("interrupted: got %v", err)
	}
	if err := c.verdict(&sim.Summary{Next: 99}, false); err != nil {
		t.Errorf("all well: got %v", err)
	}
}

// greedy claims to conform, and does not: someone else uses its quota.
const greedy = `{"nodes": 2, "policy": {"limit": 10, "window": "1s"}, "duration": "3s", "streams": [
	{"client": "a", "rate": 100}, {"client": "a", "rate": 10, "conforming": true}]}`

func TestABrokenPromiseIsExitCode1(t *testing.T) {
	file := filepath.Join(t.TempDir(), "greedy.json")
	if err := os.WriteFile(file, []byte(greedy), 0o600); err != nil {
		t.Fatal(err)
	}
	code, out, errs := ctl("sim", "-scenario", file, "-seed", "5")
	if code != exitError || !strings.Contains(out, "\nVIOLATION ") || strings.Contains(out, "promises were kept") ||
		!strings.Contains(errs, "violations") || !strings.Contains(errs, "sim -scenario "+file+" -seed 5 -trace -") || strings.Count(errs, "\n") != 1 {
		t.Errorf("exit code %d, stderr %q, stdout\n%s", code, errs, out)
	}
}

func TestAnInterruptedSimulationSaysSo(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	stop()
	for _, args := range []string{"-duration 24h", "-duration 1h -sweep flush=1ms,5ms", "-random -seeds 1000000"} {
		var out, errs bytes.Buffer
		code := run(ctx, append([]string{"sim"}, strings.Fields(args)...), &out, &errs)
		if code != exitError || !strings.Contains(errs.String(), "interrupted") {
			t.Errorf("%s: exit code %d, stderr %q", args, code, errs.String())
		}
	}
}

func TestASweepIsATableAndAPage(t *testing.T) {
	page := filepath.Join(t.TempDir(), "s.html")
	code, out, errs := ctl("sim", "-duration", "2s", "-seeds", "2", "-sweep", "flush=200ms,1ms,20ms", "-html", page)
	if code != exitOK || errs != "" {
		t.Fatalf("exit code %d, stderr %q", code, errs)
	}
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if len(lines) < 4 {
		t.Fatalf("got\n%s", out)
	}
	for i, value := range []string{"flush ", "1ms ", "20ms ", "200ms "} {
		if line := lines[len(lines)-4+i]; !strings.HasPrefix(line, value) {
			t.Errorf("line %q, want the one of %q", line, value)
		}
	}
	html, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"flush interval, ms", "[1,20,200]", "measured, largest", "bound for any load", "messages", "E median"} {
		if !bytes.Contains(html, []byte(want)) {
			t.Errorf("%q is not in the page", want)
		}
	}
}

func TestASweepIsRepeatableWhateverItsWorkers(t *testing.T) {
	var first string
	for _, workers := range []string{"1", "3"} {
		code, out, errs := ctl("sim", "-duration", "2s", "-seeds", "3", "-sweep", "loss=0,0.2", "-workers", workers, "-o", "json")
		if code != exitOK || errs != "" {
			t.Fatalf("exit code %d, stderr %q", code, errs)
		}
		if first == "" {
			first = out
		}
		if out != first {
			t.Errorf("%s workers:\n%s\none:\n%s", workers, out, first)
		}
	}
	var s simulate.Sweep
	if err := json.Unmarshal([]byte(first), &s); err != nil || len(s.Points) != 2 || s.Points[1].X != 0.2 || s.Points[1].Ceiling <= s.Points[0].Ceiling {
		t.Errorf("%v, %s", err, first)
	}
}

func TestEveryParameterCanBeSwept(t *testing.T) {
	values := map[string]string{
		"nodes": "1,2", "clients": "1,3", "rate": "10,20", "limit": "5,10", "burst": "5,10", "max-overshoot": "0.1,1",
		"loss": "0,0.1", "delay": "1ms,2ms..9ms", "flush": "1ms,50ms", "skew": "0s,9ms",
	}
	for _, name := range simulate.Parameters() {
		code, out, errs := ctl("sim", "-duration", "500ms", "-seeds", "1", "-sweep", name+"="+values[name], "-html", filepath.Join(t.TempDir(), "s.html"))
		if code != exitOK || errs != "" {
			t.Errorf("%s: exit code %d, stderr %q, stdout\n%s", name, code, errs, out)
		}
	}
}

func TestAWrongSimulationIsRefusedByFlag(t *testing.T) {
	bad := filepath.Join(t.TempDir(), "bad.json")
	if err := os.WriteFile(bad, []byte(`{"nodes": 2, "lodes": 3}`), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ args, names string }{
		{"x", `"x"`},
		{"-nodes 0", "-nodes 0"},
		{"-nodes 101", "-nodes 101"},
		{"-limit 0", "-limit 0"},
		{"-burst -1", "-burst -1"},
		{"-window minute", "-window"},
		{"-max-overshoot 2", "-max-overshoot 2"},
		{"-load normal", `-load "normal"`},
		{"-load burst -limit 2000000", "-load burst"},
		{"-rate 0", "-rate 0"},
		{"-rate NaN", "-rate NaN"},
		{"-clients 0", "-clients 0"},
		{"-clients 100001", "-clients 100001"},
		{"-load zipf -clients 1001", "-clients 1001"},
		{"-delay 5", "-delay"},
		{"-delay 5ms..1ms", "-delay"},
		{"-loss 1", "-loss 1"},
		{"-flush 0s", "-flush 0s"},
		{"-skew -1s", "-skew -1s"},
		{"-duration 0s", "-duration 0s"},
		{"-duration 25h", "-duration 25h"},
		{"-partition 5s", "-partition"},
		{"-partition 5s+10s", "-partition"},
		{"-partition 5s+0s:1", "-partition"},
		{"-partition 5s+10s:0", "-partition"},
		{"-partition 5s+10s:4", "-partition"},
		{"-crash 5+2:3", "-crash"},
		{"-crash -5s+2s:3", "-crash"},
		{"-crash 1s+2s:9", "-crash"},
		{"-o xml", "text or json"},
		{"-seeds 3", "-seeds"},
		{"-html x.html", "-html"},
		{"-from 3", "-from"},
		{"-random -seeds 0", "-seeds 0"},
		{"-random -workers 0", "-workers 0"},
		{"-random -nodes 3", "-nodes"},
		{"-random -seed 3 -seeds 4", "-seeds"},
		{"-random -trace x", "-trace"},
		{"-random -scenario x.json", "-scenario"},
		{"-trace - -o json", "-trace"},
		{"-trace /no/such/folder/x", "/no/such/folder/x"},
		{"-scenario /no/such/file", "/no/such/file"},
		{"-scenario " + bad, "lodes: no such field"},
		{"-scenario " + bad + " -nodes 3", "-nodes"},
		{"-sweep flush", "-sweep flush"},
		{"-sweep colour=1,2", "-sweep colour"},
		{"-sweep flush=1ms,x", `"x"`},
		{"-sweep flush=1ms,0s", "-flush 0s"},
		{"-sweep flush=1ms,1000us", "twice"},
		{"-sweep nodes=1,2 -nodes 3", "-nodes"},
		{"-sweep nodes=1,2 -random", "-random"},
		{"-random -bounded -quotas", "-quotas"},
		{"-random -restarts -correlated", "-restarts"},
		{"-random -seed 1 -quotas -correlated", "-quotas"},
		{"-sweep nodes=1,2 -trace x", "-trace"},
		{"-sweep nodes=1,2 -seeds 1001", "-seeds 1001"},
	} {
		code, out, errs := ctl(append([]string{"sim"}, strings.Fields(c.args)...)...)
		if code != exitUsage || out != "" || strings.Count(errs, "\n") != 1 || !strings.Contains(errs, c.names) {
			t.Errorf("%s: exit code %d, stdout %q, stderr %q", c.args, code, out, errs)
		}
	}
}

func TestTheDocumentedScenarioRuns(t *testing.T) {
	text, err := os.ReadFile("../../docs/simulator.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "\n    {\n")
	body, _, some := strings.Cut(rest, "\n    }\n")
	if !some {
		t.Fatal("docs/simulator.md has no scenario")
	}
	file := filepath.Join(t.TempDir(), "scenario.json")
	if err := os.WriteFile(file, []byte("{"+body+"}"), 0o600); err != nil {
		t.Fatal(err)
	}
	if r, _ := simulated(t, "-scenario", file); r.Decisions == 0 || len(r.Scenario.Faults) != 3 {
		t.Errorf("got %+v", r)
	}
}
