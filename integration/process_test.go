package integration_test

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/httpapi/httpapitest"
)

// programs are built once for all tests, from the module as it is.
var programs struct {
	once   sync.Once
	folder string
	err    error
}

const natsServerModule = "github.com/nats-io/nats-server/v2"

func TestMain(m *testing.M) {
	if ran, code := httpapitest.RanAsCurl(); ran {
		os.Exit(code)
	}
	code := m.Run()
	if programs.folder != "" {
		_ = os.RemoveAll(programs.folder)
	}
	os.Exit(code)
}

// program is the path of nats-server, ratelimitd or ratelimitctl.
func program(t *testing.T, name string) string {
	t.Helper()
	root := moduleRoot(t)
	programs.once.Do(func() {
		//nolint:usetesting // for the tests that come later too
		if programs.folder, programs.err = os.MkdirTemp("", "integration"); programs.err != nil {
			return
		}
		for name, source := range map[string]string{"nats-server": natsServerModule, "ratelimitd": "./cmd/ratelimitd", "ratelimitctl": "./cmd/ratelimitctl"} {
			//nolint:noctx // it outlives the test that happens to be the first
			cmd := exec.Command("go", "build", "-o", filepath.Join(programs.folder, name), source)
			cmd.Dir = root
			if out, err := cmd.CombinedOutput(); err != nil {
				programs.err = errors.Join(programs.err, errors.New("go build "+source+": "+err.Error()+"\n"+string(out)))
			}
		}
	})
	if programs.err != nil {
		t.Fatal(programs.err)
	}
	return filepath.Join(programs.folder, name)
}

// process is a running program whose standard error is kept.
type process struct {
	cmd *exec.Cmd

	mu   sync.Mutex
	text bytes.Buffer
}

// spawn starts a program. It is killed at the end of the test, and its log shown if
// the test failed.
func spawn(t *testing.T, name string, args ...string) *process {
	t.Helper()
	//nolint:noctx // killed by kill
	p := &process{cmd: exec.Command(program(t, name), args...)}
	p.cmd.Stderr = p
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.kill()
		if t.Failed() {
			t.Logf("log of %s %s:\n%s", name, strings.Join(args, " "), p.log())
		}
	})
	return p
}

// kill ends the process as a crash would: it says bye to nobody.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait()
}

// Write implements io.Writer.
func (p *process) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.text.Write(b)
}

func (p *process) log() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.text.String()
}
