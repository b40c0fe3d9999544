package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// module is what the lab works on, and simulator the package whose tests look at a whole
// cluster.
const (
	module    = "github.com/distributed-rate-limiter/distributed-rate-limiter"
	simulator = "./node/sim"
)

// simulations are the simulator's tests in the order in which the lab tries them: quick
// ones that were made for it first, then chance. More seeds find rarer mistakes; each
// 100 cost about a second.
var simulations = [][]string{
	{"-test.run", "^(TestAdversaries|TestWhoConforms|TestARepeated|TestShar)"},
	{"-test.run", "^(TestRandom|TestCorrelated|TestRefunds|TestBounded)", "-sim.seeds", "400"},
	{"-test.run", "^(TestOneNode|TestExcess|TestUrgent)"},
}

// lab builds and tries patched copies of the module.
type lab struct {
	root string // of the module
	tmp  string
}

func newLab() (*lab, error) {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", module).Output() //nolint:noctx // takes no time
	if err != nil {
		return nil, fmt.Errorf("find %s (run this within the module): %w", module, err)
	}
	tmp, err := os.MkdirTemp("", "mutants")
	if err != nil {
		return nil, err
	}
	return &lab{root: strings.TrimSpace(string(out)), tmp: tmp}, nil
}

func (l *lab) close() { _ = os.RemoveAll(l.tmp) }

// try plants one mistake and looks for a test that fails: first among those of the
// packages that it is in, which are quick to build, then in the simulator.
func (l *lab) try(ctx context.Context, m *mistake) finding {
	t := trial{lab: l}
	f := t.run(ctx, m)
	f.took = t.took
	return f
}

// trial is one mistake being tried.
type trial struct {
	*lab
	overlay string        // the file that puts the mistake in place
	took    time.Duration // CPU time of its commands: time of day says little on a busy machine
}

func (l *trial) run(ctx context.Context, m *mistake) finding {
	dir, err := os.MkdirTemp(l.tmp, "")
	if err != nil {
		return finding{err: err}
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if l.overlay, err = l.plant(m, dir); err != nil {
		return finding{err: err}
	}
	for _, folder := range m.folders() {
		if f, end := l.suite(ctx, folder, "go", "test", "-count=1", "-short", "-failfast", "-vet=off", folder); end {
			return f
		}
	}
	binary := filepath.Join(dir, "sim.test")
	if out, err := l.command(ctx, "go", "test", "-c", "-o", binary, simulator); err != nil {
		return finding{err: fmt.Errorf("build: %w\n%s", err, out)}
	}
	for _, simulation := range simulations {
		if f, end := l.suite(ctx, simulator, binary, append([]string{"-test.timeout", "3m"}, simulation...)...); end {
			return f
		}
	}
	return finding{}
}

// suite runs the tests of a package. It is the end of a trial if one of them fails, or
// if the suite proves nothing.
func (l *trial) suite(ctx context.Context, folder, name string, args ...string) (f finding, end bool) {
	out, err := l.command(ctx, name, args...)
	switch {
	case ctx.Err() != nil:
		return finding{err: ctx.Err()}, true
	case err == nil && (bytes.Contains(out, []byte("no tests to run")) || bytes.Contains(out, []byte("no test files"))):
		return finding{err: fmt.Errorf("%s %s runs no test", name, strings.Join(args, " "))}, true
	case err == nil:
		return finding{}, false
	}
	f = caught(out)
	if f.caughtBy == "" {
		return finding{err: fmt.Errorf("%w\n%s", err, out)}, true
	}
	f.caughtBy = strings.TrimPrefix(folder, "./") + " " + f.caughtBy
	return f, true
}

func (l *trial) command(ctx context.Context, name string, args ...string) ([]byte, error) {
	c := exec.CommandContext(ctx, name, args...)
	c.Dir = l.root
	// What a mistake breaks is no case to keep. Tests that build a program get one with the mistake.
	c.Env = append(os.Environ(), "RAPID_NOFAILFILE=1", strings.TrimSpace("GOFLAGS="+os.Getenv("GOFLAGS")+" -overlay="+l.overlay))
	out, err := c.CombinedOutput()
	if s := c.ProcessState; s != nil {
		l.took += s.UserTime() + s.SystemTime()
	}
	return out, err
}

// plant writes the patched files and the overlay that puts them in place.
func (l *lab) plant(m *mistake, dir string) (overlay string, err error) {
	patched := map[string][]byte{}
	for i := range m.edits {
		e := &m.edits[i]
		text, some := patched[e.file]
		if !some {
			if text, err = os.ReadFile(filepath.Join(l.root, e.file)); err != nil {
				return "", err
			}
		}
		if e.old == "" {
			continue // as it is
		}
		if n := bytes.Count(text, []byte(e.old)); n != 1 {
			return "", fmt.Errorf("%s holds %d times, and not once: %q", e.file, n, e.old)
		}
		patched[e.file] = bytes.Replace(text, []byte(e.old), []byte(e.new), 1)
	}
	replace := map[string]string{}
	for name, text := range patched {
		copied := filepath.Join(dir, strings.ReplaceAll(name, "/", "_"))
		if err := os.WriteFile(copied, text, 0o600); err != nil {
			return "", err
		}
		replace[filepath.Join(l.root, name)] = copied
	}
	text, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	overlay = filepath.Join(dir, "overlay.json")
	return overlay, errors.Join(err, os.WriteFile(overlay, text, 0o600))
}

var (
	failed  = regexp.MustCompile(`(?m)^\s*--- FAIL: (\S+)`)
	said    = regexp.MustCompile(`(?m)^\s*\w+_test\.go:\d+: (.*)$`)
	crashed = regexp.MustCompile(`(?m)^(panic: .*)$`)
)

// caught reads what a failing test printed.
func caught(out []byte) finding {
	f := finding{}
	if m := failed.FindSubmatch(out); m != nil {
		f.caughtBy, _, _ = strings.Cut(string(m[1]), "/")
	}
	if m := said.FindSubmatch(out); m != nil {
		f.seen = string(m[1])
	}
	if m := crashed.FindSubmatch(out); m != nil {
		f.seen = string(m[1])
		if f.caughtBy == "" {
			f.caughtBy = "panic"
		}
	}
	return f
}
