package main

import (
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
)

// limitIs says that the daemon has the limit in force.
func (p *process) limitIs(name string, want int) func() bool {
	return func() bool {
		_, body := p.ask("GET", "/v1/limits/"+name, "")
		return strings.Contains(body, fmt.Sprintf(`"limit":%d,`, want))
	}
}

// metric is one line of the metrics, without its name.
func (p *process) metric(name string) string {
	_, body := p.ask("GET", "/metrics", "")
	for line := range strings.Lines(body) {
		if value, ok := strings.CutPrefix(line, name+" "); ok {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// replace writes a file as editors and deployment tools do: beside it, then over it.
func replace(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path+".new", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

func TestAFileIsReloadedWhenItChanges(t *testing.T) {
	path := write(t, "c.yaml", "limits:\n  default: {limit: 10, window: 1h}\n  old: {limit: 3, window: 1h}\n")
	p := runDaemon(t, nil, "-config", path)
	if v := p.metric("ratelimiter_config_last_reload_successful"); v != "1" {
		t.Errorf("at the start: %q", v)
	}
	for range 4 {
		p.ask("POST", "/v1/take?client=alice", "")
	}
	replace(t, path, "limits:\n  default: {limit: 20, window: 1h}\n  new: {limit: 5, window: 1h}\n")
	eventually(t, "the new limit", p.limitIs("default", 20))
	eventually(t, "a limit that is new", p.limitIs("new", 5))
	eventually(t, "a limit that is gone", func() bool {
		resp, _ := p.ask("GET", "/v1/limits/old", "")
		return resp.StatusCode == http.StatusNotFound
	})
	if _, body := p.ask("GET", "/v1/peek?client=alice", ""); !strings.Contains(body, `"remaining":16,`) {
		t.Errorf("what was used is not kept: %s", body)
	}
	if names := p.await("configuration reloaded")["limits_changed"]; names != "default,new,old" {
		t.Errorf("changed are %v", names)
	}

	// A broken one changes nothing, and is said with its line; the next good one holds.
	replace(t, path, "limits:\n  default: {limit: 30, window: 1h}\n  new: {limt: 5, window: 1h}\n")
	if text, _ := p.await("configuration not reloaded")["error"].(string); !strings.Contains(text, path+":3") || !strings.Contains(text, "limit") {
		t.Errorf("got %q", text)
	}
	if v := p.metric("ratelimiter_config_last_reload_successful"); v != "0" || !p.limitIs("default", 20)() {
		t.Errorf("after a broken file: %q", v)
	}
	replace(t, path, "http: 127.0.0.1:1\nlimits:\n  default: {limit: 40, window: 1h}\n")
	eventually(t, "the limit of the mended file", p.limitIs("default", 40))
	if v := p.metric(`ratelimiter_config_reloads_total{result="failure"}`); v != "1" {
		t.Errorf("%q failures", v)
	}
	if p.logged("settings changed that need a restart") != nil {
		t.Error("http is set by a flag, which the file does not override")
	}
}

// Kubernetes turns a link to another directory; SIGHUP reads at once.
func TestAConfigMapIsReloaded(t *testing.T) {
	dir := t.TempDir()
	version := func(name, text string) {
		if err := os.Mkdir(filepath.Join(dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name, "c.yaml"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(name, filepath.Join(dir, "..data.new")); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(filepath.Join(dir, "..data.new"), filepath.Join(dir, "..data")); err != nil {
			t.Fatal(err)
		}
	}
	version("..1", "limit: 10\n")
	if err := os.Symlink(filepath.Join("..data", "c.yaml"), filepath.Join(dir, "c.yaml")); err != nil {
		t.Fatal(err)
	}
	p := runDaemon(t, nil, "-config", filepath.Join(dir, "c.yaml"), "-window", "1h")
	version("..2", "limit: 20\n")
	eventually(t, "the limit of the new directory", p.limitIs("default", 20))
	version("..3", "limit: 30\nnodes: 3\n")
	if err := p.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the limit that SIGHUP reads", p.limitIs("default", 30))
	if s := p.await("settings changed that need a restart")["settings"]; s != "nodes" {
		t.Errorf("got %v", s)
	}
}

// While it reloads, every request is answered, and one node's file changes all nodes.
func TestAReloadUnderLoadChangesAllNodes(t *testing.T) {
	path := write(t, "c.yaml", "limits: {default: {limit: 1000000, window: 1h}}\n")
	hub := runDaemon(t, nil, "-config", path, "-nats-listen", "127.0.0.1:0")
	join := func(name string) *process {
		return runDaemon(t, nil, "-limit", "1000000", "-window", "1h", "-name", name, "-nats", hub.clientURL())
	}
	all := []*process{hub, join("n2"), join("n3")}
	together(t, 2, all...)
	var asked, failed atomic.Int64
	stop := make(chan struct{})
	var load sync.WaitGroup
	for _, p := range all {
		load.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				req, err := http.NewRequest(http.MethodPost, p.url+"/v1/take?client=alice", nil) //nolint:noctx // it ends with the load
				if err != nil {
					return
				}
				resp, err := http.DefaultClient.Do(req)
				asked.Add(1)
				if err != nil || resp.StatusCode != http.StatusOK {
					failed.Add(1)
				}
				if err == nil {
					_ = resp.Body.Close()
				}
			}
		})
	}
	for i := range 3 {
		limit := 2_000_000 + i
		replace(t, path, fmt.Sprintf("limits: {default: {limit: %d, window: 1h}}\n", limit))
		if err := hub.cmd.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		for _, p := range all {
			eventually(t, "the new limit", p.limitIs("default", limit))
		}
	}
	close(stop)
	load.Wait()
	if failed.Load() > 0 || asked.Load() < 100 {
		t.Errorf("%d of %d requests failed", failed.Load(), asked.Load())
	}
	eventually(t, "nodes that agree on what was used", func() bool {
		var seen []string
		for _, p := range all {
			_, body := p.ask("GET", "/v1/peek?client=alice", "")
			_, rest, _ := strings.Cut(body, `"remaining":`)
			remaining, _, _ := strings.Cut(rest, ",")
			seen = append(seen, remaining)
		}
		return seen[0] == seen[1] && seen[1] == seen[2]
	})
}

// What was set outlives all nodes; what a file says meanwhile holds where nothing is set.
func TestWhatWasSetOutlivesTheCluster(t *testing.T) {
	dir, path := t.TempDir(), write(t, "c.yaml", "limits: {default: {limit: 10, window: 1h}, plain: {limit: 3, window: 1h}}\n")
	args := []string{"-config", path, "-state-dir", filepath.Join(dir, "made", "here")}
	p := runDaemon(t, nil, args...)
	p.ask("PUT", "/v1/limits/default", `{"limit":50,"window":"1h"}`)
	eventually(t, "a saved limit", func() bool {
		text, err := os.ReadFile(filepath.Join(dir, "made", "here", limitsFile))
		return err == nil && strings.Contains(string(text), `"Limit":50`)
	})
	if code, _, stderr := finish(t, nil, append(args, "-http", "127.0.0.1:0")...); code != exitUsage || !strings.Contains(stderr, "in use by another ratelimitd") {
		t.Errorf("a second one: code %d, %s", code, stderr)
	}
	p.stop(syscall.SIGKILL)
	replace(t, path, "limits: {default: {limit: 20, window: 1h}, plain: {limit: 4, window: 1h}}\n")
	p = runDaemon(t, nil, args...)
	if !p.limitIs("default", 50)() || !p.limitIs("plain", 4)() {
		t.Error("after the restart: not what was set, or not what the file says")
	}
	p.ask("DELETE", "/v1/limits/default", "")
	eventually(t, "what the file says", p.limitIs("default", 20))
	if p.stop(syscall.SIGTERM) != 0 {
		t.Error("it did not stop in order")
	}
	p = runDaemon(t, nil, args...)
	if !p.limitIs("default", 20)() {
		t.Error("a deletion was not saved")
	}
	p.stop(syscall.SIGTERM)

	saved := filepath.Join(dir, "made", "here", limitsFile)
	replace(t, saved, "{ broken")
	p = runDaemon(t, nil, args...)
	if aside, _ := p.await("saved limits cannot be used")["put_aside"].(string); !strings.HasPrefix(aside, saved+".bad-") {
		t.Errorf("put aside as %q", aside)
	}
	if bad, err := filepath.Glob(saved + ".bad-*"); err != nil || len(bad) != 1 {
		t.Errorf("%v, %v", bad, err)
	}
}

// A limit of the file that a PUT shadows is told as that, at a reload and at the start.
func TestTheLogTellsWhatAFileSaysInVain(t *testing.T) {
	const (
		before = "limits:\n  api: {limit: 10, window: 1h, overrides: [{client: alice, limit: 1}]}\n  login: {limit: 5, window: 1m}\n  plain: {limit: 3, window: 1h}\n"
		after  = "limits:\n  api: {limit: 10, window: 1h, overrides: [{client: bob, limit: 1}]}\n  login: {limit: 5, window: 1m}\n  plain: {limit: 4, window: 1h}\n"
	)
	path := write(t, "c.yaml", before)
	args := []string{"-config", path, "-state-dir", t.TempDir()}
	p := runDaemon(t, nil, args...)
	for name, body := range map[string]string{"api": `{"use":"api","burst":4}`, "login": `{"limit":50,"window":60}`} {
		if resp, text := p.ask("PUT", "/v1/limits/"+name, body); resp.StatusCode != http.StatusOK {
			t.Fatal(text)
		}
	}
	told := func(p *process, msg string) map[string]string {
		got := map[string]string{}
		for _, entry := range p.lines() {
			if text, _ := entry["msg"].(string); strings.HasPrefix(text, msg) && strings.HasSuffix(text, fmt.Sprint("what somebody set by PUT holds until DELETE /v1/limits/", entry["limit"])) {
				got[fmt.Sprint(entry["limit"])] = fmt.Sprint(entry["in_force"], " | ", entry["file"])
			}
		}
		return got
	}
	replace(t, path, after)
	eventually(t, "the file's own limit", p.limitIs("plain", 4))
	p.await("the file's change of this limit is not in force")
	want := map[string]string{"api": "10 per 1h, burst 4, overrides 1 | 10 per 1h, overrides 1"}
	if got := told(p, "the file's change of this limit is not in force: "); !maps.Equal(got, want) {
		t.Errorf("at the reload: told %v, want %v", got, want)
	}
	if p.stop(syscall.SIGTERM) != 0 {
		t.Error("it did not stop in order")
	}
	p = runDaemon(t, nil, args...)
	want["login"] = "50 per 1m | 5 per 1m"
	eventually(t, "what the file says in vain", func() bool { return maps.Equal(told(p, "the file's limit is not in force: "), want) })

	// Without the PUT, the file's word holds, and nothing is told.
	for name := range want {
		p.ask("DELETE", "/v1/limits/"+name, "")
	}
	replace(t, path, strings.Replace(after, "limit: 5", "limit: 6", 1))
	eventually(t, "the file's limit", p.limitIs("login", 6))
	p.await("configuration reloaded")
	if entry := p.logged("the file's change of this limit is not in force"); entry != nil {
		t.Errorf("told %v", entry)
	}
}

func TestAStateDirectoryThatCannotBeIsOneLine(t *testing.T) {
	file := write(t, "file", "")
	code, _, stderr := finish(t, nil, "-http", "127.0.0.1:0", "-state-dir", filepath.Join(file, "dir"))
	if code != exitUsage || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, "flag -state-dir") {
		t.Errorf("code %d, %s", code, stderr)
	}
}
