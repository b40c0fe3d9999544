package envoy

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	rls "github.com/envoyproxy/go-control-plane/envoy/service/ratelimit/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/envoyrls/rlstest"
)

// patience is how long a program may take to start. It is generous, for machines under load.
const patience = 30 * time.Second

// program is the path of envoyproxy/ratelimit, which `make envoy-reference` builds.
func program(t testing.TB) string {
	t.Helper()
	path := os.Getenv("ENVOY_RATELIMIT")
	if path == "" {
		t.Fatal("ENVOY_RATELIMIT must be the path of envoyproxy/ratelimit's program: run make envoy-reference")
	}
	return path
}

// freePort is a port of loopback that nobody has at the moment.
func freePort(t testing.TB) string {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// run runs a program until the test ends. Its output is shown if the test fails.
func run(t testing.TB, env []string, name string, args ...string) (pid int) {
	t.Helper()
	out, err := os.Create(filepath.Join(t.TempDir(), "out"))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(context.Background(), name, args...)
	cmd.Env, cmd.Stdout, cmd.Stderr, cmd.Dir = append(os.Environ(), env...), out, out, t.TempDir()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		_ = out.Close()
		if t.Failed() {
			text, _ := os.ReadFile(out.Name())
			t.Logf("%s said:\n%s", name, text)
		}
	})
	return cmd.Process.Pid
}

// await waits until somebody listens at an address.
func await(t testing.TB, addr string) {
	t.Helper()
	for begin := time.Now(); ; time.Sleep(20 * time.Millisecond) {
		c, err := new(net.Dialer).DialContext(t.Context(), "tcp", addr)
		if err == nil {
			_ = c.Close()
			return
		}
		if time.Since(begin) > patience {
			t.Fatal(err)
		}
	}
}

// started is envoyproxy/ratelimit with a Redis of its own: their addresses and processes.
type started struct {
	addr, redis           string
	service, redisProcess int
}

// reference starts envoyproxy/ratelimit with these rules.
func reference(t testing.TB, files map[string]string) (r started) {
	t.Helper()
	root := t.TempDir()
	if err := os.Mkdir(filepath.Join(root, "config"), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(root, "config", name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	redis := freePort(t)
	r.redis = "127.0.0.1:" + redis
	r.redisProcess = run(t, nil, "redis-server", "--bind", "127.0.0.1", "--port", redis, "--save", "", "--appendonly", "no")
	await(t, r.redis)
	port := freePort(t)
	r.service = run(t, []string{
		"LOG_LEVEL=error", "USE_STATSD=false", "DISABLE_STATS=true",
		"RUNTIME_ROOT=" + root, "RUNTIME_SUBDIRECTORY=", "RUNTIME_APPDIRECTORY=config", "RUNTIME_WATCH_ROOT=false",
		"REDIS_SOCKET_TYPE=tcp", "REDIS_URL=" + r.redis,
		"HOST=127.0.0.1", "GRPC_HOST=127.0.0.1", "DEBUG_HOST=127.0.0.1",
		"PORT=" + freePort(t), "GRPC_PORT=" + port, "DEBUG_PORT=" + freePort(t),
	}, program(t))
	r.addr = "127.0.0.1:" + port
	await(t, r.addr)
	return r
}

func dial(t testing.TB, addr string) rls.RateLimitServiceClient {
	t.Helper()
	conn, err := grpc.NewClient(addr, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return rls.NewRateLimitServiceClient(conn)
}

// TestReference asks envoyproxy/ratelimit all cases that it can read. Each answer is the one
// that this project's service gives, or the difference that the case names.
func TestReference(t *testing.T) {
	cases, err := rlstest.Cases()
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for i := range cases {
		if !cases[i].Only {
			name, text := cases[i].File()
			files[name] = text
		}
	}
	client := dial(t, reference(t, files).addr)
	asked := 0
	for i := range cases {
		c := &cases[i]
		if c.Only {
			continue
		}
		asked++
		t.Run(c.Name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			for _, fault := range c.Run(ctx, client, true) {
				t.Error(fault)
			}
		})
	}
	fmt.Printf("%d cases asked of envoyproxy/ratelimit, %d need a later version\n", asked, len(cases)-asked)
}
