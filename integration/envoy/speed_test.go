package envoy

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	ratelimit "github.com/envoyproxy/go-control-plane/envoy/extensions/common/ratelimit/v3"
	rls "github.com/envoyproxy/go-control-plane/envoy/service/ratelimit/v3"
	"github.com/go-redis/redis_rate/v10"
	"github.com/redis/go-redis/v9"
	"google.golang.org/grpc"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/envoyrls"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/httpapi"
)

// TestSpeed compares services over loopback in alternation: this project's doors, for each a bare
// server that returns the same bytes, and two limiters that ask the same Redis. ROUNDS is the number
// of rounds. DOCUMENT, if set, is the file whose tables it writes.
func TestSpeed(t *testing.T) {
	rounds, err := strconv.Atoi(os.Getenv("ROUNDS"))
	if err != nil || rounds < 1 {
		rounds = 9
	}
	all := subjects(t)
	callers := []int{1, 16, 64}
	walls, cpus := newSpeeds(all, callers), newSpeeds(all, callers)
	for k, n := range callers {
		for round := range rounds + 1 {
			for i := range all {
				s := &all[(i+round)%len(all)]
				wall, busy := s.measure(t, n, time.Second)
				if round > 0 { // the first one warms up
					walls.of[s.name][k] = append(walls.of[s.name][k], wall)
					cpus.of[s.name][k] = append(cpus.of[s.name][k], busy)
				}
			}
		}
	}
	text := fmt.Sprintf("\nMedians of %d alternating rounds of a second. Requests a second by the clock:\n\n%s\n"+
		"Requests a second of processor time, of all processes that work for a request:\n\n%s\n", rounds, walls, cpus)
	fmt.Print(text)
	if path := os.Getenv("DOCUMENT"); path != "" {
		write(t, path, text)
	}
}

// subject is something that decides, or answers without deciding, and the processes that work for
// a request, the caller's included.
type subject struct {
	name  string
	floor string // the subject that it is compared with
	pids  []int
	// asker makes what one caller asks with.
	asker func(caller int) func() error
}

const (
	bareGRPC = "a bare gRPC server"
	bareHTTP = "a bare net/http server"
)

// subjects starts all services.
func subjects(t *testing.T) []subject {
	t.Helper()
	const rules = "domain: d\ndescriptors:\n  - {key: user, rate_limit: {unit: second, requests_per_unit: 1000000000}}\n"
	n, err := node.Open(context.Background(), node.Config{Limit: 1_000_000_000, Window: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = n.Close() })
	read, err := envoyrls.Read([]envoyrls.File{{Name: "d", Text: []byte(rules)}}, envoyrls.Options{})
	if err != nil {
		t.Fatal(err)
	}
	service := envoyrls.New(envoyrls.Config{Node: n, Rules: read})
	answer, err := service.ShouldRateLimit(t.Context(), rlsRequest(0))
	if err != nil {
		t.Fatal(err)
	}
	there := reference(t, map[string]string{"d.yaml": rules})
	self := []int{os.Getpid()}
	asking := func(client rls.RateLimitServiceClient) func(int) func() error {
		return func(caller int) func() error {
			req := rlsRequest(caller)
			return func() error { _, err := client.ShouldRateLimit(context.Background(), req); return err }
		}
	}
	plain := dial(t, serve(t, func(s *grpc.Server) { rls.RegisterRateLimitServiceServer(s, bare{answer: answer}) }))
	ours := dial(t, serve(t, func(s *grpc.Server) { service.Register(s) }, envoyrls.ServerOptions()...))
	api := httpapi.New(httpapi.Config{Node: n})
	return []subject{
		{bareGRPC, bareGRPC, self, asking(plain)},
		{"this project for Envoy", bareGRPC, self, asking(ours)},
		{"envoyproxy/ratelimit and Redis", bareGRPC, []int{there.service, there.redisProcess, os.Getpid()}, asking(dial(t, there.addr))},
		{bareHTTP, bareHTTP, self, httpAsking(t, recorded(t, api))},
		{"this project over HTTP", bareHTTP, self, httpAsking(t, api)},
		{"redis_rate and Redis", "", []int{there.redisProcess, os.Getpid()}, redisAsking(t, there.redis)},
	}
}

// bare answers every request with one answer that it made before: what is left is gRPC.
type bare struct {
	rls.UnimplementedRateLimitServiceServer
	answer *rls.RateLimitResponse
}

func (b bare) ShouldRateLimit(context.Context, *rls.RateLimitRequest) (*rls.RateLimitResponse, error) {
	return b.answer, nil
}

func rlsRequest(user int) *rls.RateLimitRequest {
	return &rls.RateLimitRequest{Domain: "d", Descriptors: []*ratelimit.RateLimitDescriptor{{
		Entries: []*ratelimit.RateLimitDescriptor_Entry{{Key: "user", Value: "user-" + strconv.Itoa(user)}},
	}}}
}

// serve serves a gRPC service on loopback.
func serve(t *testing.T, register func(*grpc.Server), options ...grpc.ServerOption) string {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := grpc.NewServer(options...)
	register(s)
	go s.Serve(l)
	t.Cleanup(s.Stop)
	return l.Addr().String()
}

// httpRequest is a caller's request as bytes.
func httpRequest(user int) string {
	return "POST /v1/take?client=user-" + strconv.Itoa(user) + " HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n"
}

// recorded is a handler that answers every request with what h answers to one: what is left is
// net/http.
func recorded(t *testing.T, h http.Handler) http.Handler {
	t.Helper()
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(httpRequest(0))))
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	if h.ServeHTTP(w, r); w.Code != http.StatusOK {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	return http.HandlerFunc(func(to http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		maps.Copy(to.Header(), w.Header())
		_, _ = to.Write(w.Body.Bytes())
	})
}

// httpAsking serves h. Each caller has a connection, and a client that does as little as it can.
func httpAsking(t *testing.T, h http.Handler) func(int) func() error {
	t.Helper()
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	return func(caller int) func() error {
		conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", srv.Listener.Addr().String())
		if err != nil {
			return func() error { return err }
		}
		t.Cleanup(func() { _ = conn.Close() })
		request, in := httpRequest(caller), bufio.NewReader(conn)
		return func() error { return exchange(conn, in, request) }
	}
}

// exchange sends a request, and reads an answer that has a length.
func exchange(conn net.Conn, in *bufio.Reader, request string) error {
	if _, err := io.WriteString(conn, request); err != nil {
		return err
	}
	length := 0
	for n := 0; ; n++ {
		line, err := in.ReadSlice('\n')
		if err != nil {
			return err
		}
		if n == 0 && !bytes.HasPrefix(line, []byte("HTTP/1.1 200")) {
			return fmt.Errorf("answer %q", line)
		}
		if value, ok := bytes.CutPrefix(line, []byte("Content-Length: ")); ok {
			length, _ = strconv.Atoi(string(bytes.TrimSpace(value)))
		}
		if len(line) == 2 {
			break
		}
	}
	_, err := in.Discard(length)
	return err
}

// redisAsking asks redis_rate, which decides in Redis by a script.
func redisAsking(t *testing.T, addr string) func(int) func() error {
	t.Helper()
	client := redis.NewClient(&redis.Options{Addr: addr, PoolSize: 64})
	t.Cleanup(func() { _ = client.Close() })
	limiter := redis_rate.NewLimiter(client)
	return func(caller int) func() error {
		key := "user-" + strconv.Itoa(caller)
		return func() error {
			_, err := limiter.Allow(context.Background(), key, redis_rate.PerSecond(1_000_000_000))
			return err
		}
	}
}

// measure lets callers ask for a while. It returns requests a second, and requests a second of
// processor time, which other work on the machine does not change.
func (s *subject) measure(t *testing.T, callers int, d time.Duration) (wall, busy float64) {
	t.Helper()
	asks := make([]func() error, callers)
	for i := range asks {
		asks[i] = s.asker(i)
	}
	var all sync.WaitGroup
	counts := make([]int, callers)
	begin, before := time.Now(), cpu(t, s.pids)
	for i, ask := range asks {
		all.Go(func() {
			for time.Since(begin) < d {
				if err := ask(); err != nil {
					t.Errorf("%s: %v", s.name, err)
					return
				}
				counts[i]++
			}
		})
	}
	all.Wait()
	sum := 0
	for _, n := range counts {
		sum += n
	}
	return float64(sum) / time.Since(begin).Seconds(), float64(sum) / (cpu(t, s.pids) - before).Seconds()
}

// cpu is the processor time that processes have used.
func cpu(t *testing.T, pids []int) time.Duration {
	t.Helper()
	const tick = 10 * time.Millisecond // of the kernel's statistics, on all platforms that Go supports
	sum := time.Duration(0)
	for _, pid := range pids {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			t.Fatal(err)
		}
		fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
		for _, f := range fields[11:13] {
			n, err := strconv.Atoi(f)
			if err != nil {
				t.Fatal(err)
			}
			sum += time.Duration(n) * tick
		}
	}
	return sum
}

// speeds are what rounds said of each subject, by the number of callers.
type speeds struct {
	subjects []subject
	callers  []int
	of       map[string][][]float64
}

func newSpeeds(all []subject, callers []int) *speeds {
	s := &speeds{all, callers, map[string][][]float64{}}
	for i := range all {
		s.of[all[i].name] = make([][]float64, len(callers))
	}
	return s
}

// String is a table in Markdown: medians, and their ratio to the median of the subject's floor.
func (s *speeds) String() string {
	var b strings.Builder
	b.WriteString("| service |")
	for _, n := range s.callers {
		fmt.Fprintf(&b, " callers: %d | of bare |", n)
	}
	b.WriteString("\n|---|" + strings.Repeat("---|---|", len(s.callers)) + "\n")
	for i := range s.subjects {
		of := &s.subjects[i]
		fmt.Fprintf(&b, "| %s |", of.name)
		for k := range s.callers {
			got := s.of[of.name][k]
			switch of.floor {
			case of.name:
				fmt.Fprintf(&b, " %.0f | ± %.0f %% |", median(got), 50*(slices.Max(got)-slices.Min(got))/median(got))
			case "":
				fmt.Fprintf(&b, " %.0f | |", median(got))
			default:
				fmt.Fprintf(&b, " %.0f | %.2f |", median(got), median(got)/median(s.of[of.floor][k]))
			}
		}
		b.WriteString("\n")
	}
	return b.String()
}

func median(all []float64) float64 {
	all = slices.Sorted(slices.Values(all))
	return all[len(all)/2]
}

// write puts the tables between their marks in a document.
func write(t *testing.T, path, tables string) {
	t.Helper()
	const begin, end = "<!-- begin: make bench-network -->\n", "<!-- end: make bench-network -->\n"
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, some := strings.Cut(string(text), begin)
	_, tail, more := strings.Cut(rest, end)
	if !some || !more {
		t.Fatalf("%s has no place for the tables", path)
	}
	if err := os.WriteFile(path, []byte(head+begin+tables+end+tail), 0o600); err != nil {
		t.Fatal(err)
	}
}
