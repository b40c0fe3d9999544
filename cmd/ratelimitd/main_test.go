package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// program is the real binary, built once.
var program string

func TestMain(m *testing.M) {
	code, err := testMain(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func testMain(m *testing.M) (int, error) {
	dir, err := os.MkdirTemp("", "ratelimitd")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	program = filepath.Join(dir, "ratelimitd")
	if out, err := exec.CommandContext(context.Background(), "go", "build", "-o", program, ".").CombinedOutput(); err != nil {
		return 0, fmt.Errorf("go build: %w\n%s", err, out)
	}
	return m.Run(), nil
}

// deadline is how long a test waits for what must happen; nothing waits that long.
const deadline = 20 * time.Second

// process is a running daemon.
type process struct {
	t    *testing.T
	cmd  *exec.Cmd
	url  string
	done chan struct{} // closed at its end, when code is set
	code int

	mu  sync.Mutex
	log []map[string]any
}

// runDaemon starts the program and waits until it serves. env is name=value, the rest
// are arguments.
func runDaemon(t *testing.T, env []string, args ...string) *process {
	t.Helper()
	p := &process{t: t, done: make(chan struct{})}
	args = append([]string{"-log-format", "json", "-http", "127.0.0.1:0", "-name", "n1", "-drain-delay", "0"}, args...)
	p.cmd = exec.CommandContext(context.WithoutCancel(t.Context()), program, args...)
	p.cmd.Env = append(os.Environ(), env...)
	stderr, err := p.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go p.follow(stderr)
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		<-p.done
		if t.Failed() {
			for _, line := range p.lines() {
				t.Log(line)
			}
		}
	})
	p.url, _ = p.await("ratelimitd serves")["http"].(string)
	return p
}

func (p *process) follow(stderr io.Reader) {
	lines := bufio.NewScanner(stderr)
	for lines.Scan() {
		entry := map[string]any{}
		if json.Unmarshal(lines.Bytes(), &entry) != nil {
			entry["msg"] = lines.Text()
		}
		p.mu.Lock()
		p.log = append(p.log, entry)
		p.mu.Unlock()
	}
	_ = p.cmd.Wait()
	p.code = p.cmd.ProcessState.ExitCode()
	close(p.done)
}

func (p *process) lines() []map[string]any {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]map[string]any(nil), p.log...)
}

// logged is the first log entry whose message begins so, nil if there is none.
func (p *process) logged(msg string) map[string]any {
	for _, entry := range p.lines() {
		if text, _ := entry["msg"].(string); strings.HasPrefix(text, msg) {
			return entry
		}
	}
	return nil
}

// await waits for that log entry.
func (p *process) await(msg string) map[string]any {
	p.t.Helper()
	var entry map[string]any
	eventually(p.t, "the log says "+msg, func() bool {
		entry = p.logged(msg)
		select {
		case <-p.done:
			return entry != nil || p.t.Failed() || p.fail("it ended with code %d: %v", p.code, p.lines())
		default:
			return entry != nil
		}
	})
	return entry
}

func (p *process) fail(format string, args ...any) bool {
	p.t.Helper()
	p.t.Fatalf(format, args...)
	return false
}

// stop sends the signal and returns the exit code.
func (p *process) stop(sig os.Signal) int {
	p.t.Helper()
	if err := p.cmd.Process.Signal(sig); err != nil {
		p.t.Fatal(err)
	}
	select {
	case <-p.done:
	case <-time.After(deadline):
		p.t.Fatalf("still running %v after %v", deadline, sig)
	}
	return p.code
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(deadline); !ok(); {
		if time.Now().After(end) {
			t.Fatalf("not within %v: %s", deadline, what)
		}
		<-time.After(10 * time.Millisecond)
	}
}

// ask makes one request and returns the answer with its body read.
func (p *process) ask(method, path, body string, headers ...string) (reply, string) {
	p.t.Helper()
	req, err := http.NewRequestWithContext(p.t.Context(), method, p.url+path, strings.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		p.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	return reply{resp.StatusCode, resp.Header}, string(text)
}

type reply struct {
	StatusCode int
	Header     http.Header
}

// clientURL is where NATS clients reach the daemon's embedded server.
func (p *process) clientURL() string {
	p.t.Helper()
	network, _ := p.logged("ratelimitd serves")["network"].(string)
	_, url, ok := strings.Cut(network, "for clients at ")
	if !ok {
		p.t.Fatalf("no address for clients in %q", network)
	}
	return url
}

func (p *process) status() (s struct {
	Node struct{ Ready, Isolated bool }
	Sync struct {
		Connected     bool
		PublishErrors uint64 `json:"publish_errors"`
	}
	Degraded bool
	Peers    []struct{ Node, State string }
},
) {
	p.t.Helper()
	_, body := p.ask("GET", "/v1/status", "")
	if err := json.Unmarshal([]byte(body), &s); err != nil {
		p.t.Fatalf("%v in %s", err, body)
	}
	return s
}

// finish runs the program to its end.
func finish(t *testing.T, env []string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), deadline)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Env = append(os.Environ(), env...)
	var out, errs strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	if exit := new(exec.ExitError); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	if ctx.Err() != nil {
		t.Fatalf("%v did not end; stderr: %s", args, errs.String())
	}
	return cmd.ProcessState.ExitCode(), out.String(), errs.String()
}

func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

var stopSignals = []os.Signal{syscall.SIGTERM, os.Interrupt}
