package doors

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dunglas/httpsfv"
)

// patience is for programs to start and stop on a machine that does other work.
const patience = 30 * time.Second

// page is what docs/doors.md shows in a block of this language, which is a file of deploy/ too.
func page(t *testing.T, language, file string) string {
	t.Helper()
	text, err := os.ReadFile("../../docs/doors.md")
	if err != nil {
		t.Fatal(err)
	}
	_, block, found := strings.Cut(string(text), "```"+language+"\n")
	block, _, closed := strings.Cut(block, "```\n")
	if !found || !closed {
		t.Fatalf("docs/doors.md has no block of %s", language)
	}
	if deployed, err := os.ReadFile("../../deploy/" + file); err != nil || string(deployed) != block {
		t.Errorf("deploy/%s is not what docs/doors.md shows: %v", file, err)
	}
	return block
}

// log keeps what programs say, for a test that fails.
type log struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// run starts a program, which the test's end kills. A program that is missing fails the test:
// `make doors-check` fetches what there is not.
func run(t *testing.T, name string, args ...string) *log {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Fatalf("%v: make doors-check fetches it", err)
	}
	said := &log{}
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), path, args...)
	cmd.Stdout, cmd.Stderr = said, said
	cmd.Env = append(os.Environ(), "HOME="+t.TempDir(), "XDG_CONFIG_HOME="+t.TempDir(), "XDG_DATA_HOME="+t.TempDir())
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("%s: %s", name, said)
		}
	})
	return said
}

// freePort is an address that nobody listens on.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// accepts waits until somebody listens there.
func accepts(t *testing.T, addr string) {
	t.Helper()
	for until := time.Now().Add(patience); ; time.Sleep(10 * time.Millisecond) {
		conn, err := (&net.Dialer{Timeout: patience}).DialContext(t.Context(), "tcp", addr)
		if err == nil {
			_ = conn.Close()
			return
		}
		if time.Now().After(until) {
			t.Fatalf("nobody listens on %s: %v", addr, err)
		}
	}
}

// daemon builds and starts ratelimitd with a limit api of 5 an hour, and trusts proxies on
// this machine. It returns its address.
func daemon(t *testing.T) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "ratelimitd")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", program, "./cmd/ratelimitd")
	build.Dir = "../.."
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	file := filepath.Join(t.TempDir(), "limits.yaml")
	if err := os.WriteFile(file, []byte("limits:\n  api: {limit: 5, window: 1h}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	addr := freePort(t)
	run(t, program, "-config", file, "-http", addr, "-trusted-proxies", "127.0.0.1")
	accepts(t, addr)
	return addr
}

// site is what the proxy protects. It counts what reaches it.
type site struct {
	*httptest.Server

	mu  sync.Mutex
	got []string // method, path with query, and body
}

func newSite(t *testing.T) *site {
	s := &site{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		s.mu.Lock()
		s.got = append(s.got, r.Method+" "+r.RequestURI+" "+string(body))
		s.mu.Unlock()
		if r.URL.Path == "/forbidden" {
			w.WriteHeader(http.StatusForbidden)
		}
		_, _ = io.WriteString(w, "the site")
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *site) requests() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.got)
}

// curl sends a request as the client with this address, and reads the answer.
func curl(t *testing.T, from string, args ...string) (*http.Response, string) {
	t.Helper()
	args = append([]string{"-sS", "-i", "--path-as-is", "--max-time", "30", "--interface", from}, args...)
	out, err := exec.CommandContext(t.Context(), "curl", args...).Output()
	if failed := new(exec.ExitError); errors.As(err, &failed) {
		t.Fatalf("curl %q: %v: %s", args, err, failed.Stderr)
	} else if err != nil {
		t.Fatal(err)
	}
	asked := &http.Request{Method: http.MethodGet}
	if slices.Contains(args, "--head") {
		asked.Method = http.MethodHead
	}
	resp, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(out)), asked)
	if err != nil {
		t.Fatalf("curl %q: %v in %q", args, err, out)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(body)
}

// front is a proxy that runs by what the page shows, with other addresses.
func front(t *testing.T, proxy, limiter, site string) (addr string) {
	t.Helper()
	addr = freePort(t)
	dir := t.TempDir()
	put := func(name, text string) string {
		path := filepath.Join(dir, name)
		text = strings.NewReplacer("127.0.0.1:8080", limiter, "127.0.0.1:9000", site, "127.0.0.1:8000", addr, ":8000 {", "http://"+addr+" {").Replace(text)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	switch proxy {
	case "caddy":
		run(t, "caddy", "run", "--adapter", "caddyfile", "--config", put("Caddyfile", "{\n\tadmin off\n}\n"+page(t, "caddyfile", "caddy/Caddyfile")))
	case "nginx":
		var paths strings.Builder
		for _, name := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
			fmt.Fprintf(&paths, "%s_temp_path %s/%s;\n", name, dir, name)
		}
		conf := put("nginx.conf", "daemon off;\nmaster_process off;\npid "+dir+"/pid;\nerror_log stderr;\nevents {}\nhttp {\naccess_log off;\n"+paths.String()+page(t, "nginx", "nginx/ratelimit.conf")+"}\n")
		run(t, "nginx", "-p", dir, "-e", "stderr", "-c", conf)
	}
	accepts(t, addr)
	return addr
}

// Caddy and nginx, as the page configures them, let five requests of each client pass, and no
// other, whatever the client writes about itself.
func TestProxiesAskTheDaemon(t *testing.T) {
	limiter := daemon(t)
	for _, proxy := range []string{"caddy", "nginx"} {
		t.Run(proxy, func(t *testing.T) {
			site := newSite(t)
			at := "http://" + front(t, proxy, limiter, site.Listener.Addr().String())
			// Each proxy has clients of its own: the daemon counts them together.
			me, other := map[string]string{"caddy": "127.0.0.2", "nginx": "127.0.0.12"}[proxy], map[string]string{"caddy": "127.0.0.3", "nginx": "127.0.0.13"}[proxy]
			for i, args := range [][]string{
				{at + "/"},
				{at + "/a//b/../c?x=%zz&cost=9", "-H", "X-Forwarded-For: 1.2.3.4"},
				{at + "/post", "-d", "key=value"},
				{at + "/put", "-X", "PUT", "-H", "X-Real-IP: 1.2.3.4", "-d", "more"},
				{at + "/forbidden", "-H", "X-Forwarded-For: 127.0.0.1"},
			} {
				resp, body := curl(t, me, args...)
				want := http.StatusOK
				if i == 4 { // the site's own, which is no denial of the limiter
					want = http.StatusForbidden
				}
				if resp.StatusCode != want || body != "the site" {
					t.Fatalf("request %d: got %d %q %v", i, resp.StatusCode, body, resp.Header)
				}
			}
			got := site.requests()
			if len(got) != 5 || got[2] != "POST /post key=value" || got[3] != "PUT /put more" || !strings.HasPrefix(got[1], "GET /a") {
				t.Errorf("the site got %q", got)
			}
			for i, args := range [][]string{{at + "/"}, {at + "/", "-H", "X-Forwarded-For: 1.2.3.4"}, {at + "//x/../y", "-d", "key=value"}, {at + "/", "--head"}, {at + "/?key=header:Mine&cost=1", "-H", "Mine: any"}} {
				resp, body := curl(t, me, args...)
				denied(t, resp)
				if proxy == "caddy" && i == 0 && (resp.Header.Get("Content-Type") != "application/problem+json" || !strings.Contains(body, `"violated-policies":["api"]`)) {
					t.Errorf("got %v %s", resp.Header, body)
				}
			}
			if got := site.requests(); len(got) != 5 {
				t.Errorf("the site got %q", got)
			}
			if resp, body := curl(t, other, at+"/"); resp.StatusCode != http.StatusOK || body != "the site" {
				t.Errorf("another client: got %d %q", resp.StatusCode, body)
			}
		})
	}
}

// denied checks a denial as the client gets it.
func denied(t *testing.T, resp *http.Response) {
	t.Helper()
	if resp.StatusCode != http.StatusTooManyRequests {
		t.Fatalf("got %d %v", resp.StatusCode, resp.Header)
	}
	if !regexp.MustCompile(`^(7[01][0-9]|720)$`).MatchString(resp.Header.Get("Retry-After")) {
		t.Errorf("got Retry-After %q", resp.Header.Get("Retry-After"))
	}
	for _, name := range []string{"RateLimit", "RateLimit-Policy"} {
		list, err := httpsfv.UnmarshalList(resp.Header.Values(name))
		if err != nil || len(list) != 1 {
			t.Errorf("%s %q: %v", name, resp.Header.Values(name), err)
		}
	}
	if got := resp.Header.Get("RateLimit-Policy"); got != `"api";q=5;w=3600` {
		t.Errorf("got %s", got)
	}
}

// Without the limiter nothing passes: a proxy that cannot ask does not guess.
func TestWithoutTheDaemonNothingPasses(t *testing.T) {
	for _, proxy := range []string{"caddy", "nginx"} {
		site := newSite(t)
		at := front(t, proxy, freePort(t), site.Listener.Addr().String())
		if resp, _ := curl(t, "127.0.0.1", "http://"+at+"/"); resp.StatusCode < 500 || len(site.requests()) > 0 {
			t.Errorf("%s: got %d, the site got %q", proxy, resp.StatusCode, site.requests())
		}
	}
}
