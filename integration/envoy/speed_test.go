package envoy

import (
	"context"
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	ratelimit "github.com/envoyproxy/go-control-plane/envoy/extensions/common/ratelimit/v3"
	rls "github.com/envoyproxy/go-control-plane/envoy/service/ratelimit/v3"
	"google.golang.org/grpc"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/envoyrls"
)

const speedRules = "domain: d\ndescriptors:\n  - {key: user, rate_limit: {unit: second, requests_per_unit: 1000000000}}\n"

// bare answers every request with one answer that it made before: what is left is gRPC.
type bare struct {
	rls.UnimplementedRateLimitServiceServer
	answer *rls.RateLimitResponse
}

func (b bare) ShouldRateLimit(context.Context, *rls.RateLimitRequest) (*rls.RateLimitResponse, error) {
	return b.answer, nil
}

func speedRequest(user int) *rls.RateLimitRequest {
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

// subject is a service, and the processes that work for a request, the caller's included.
type subject struct {
	client rls.RateLimitServiceClient
	pids   []int
}

// speed is what one round says of a subject: requests a second, and requests a second of
// processor time, which other work on the machine does not change.
type speed struct{ wall, cpu float64 }

func (s *subject) measure(t *testing.T, callers int, d time.Duration) speed {
	t.Helper()
	var all sync.WaitGroup
	counts := make([]int, callers)
	begin, before := time.Now(), cpu(t, s.pids)
	for i := range callers {
		all.Go(func() {
			req := speedRequest(i)
			for time.Since(begin) < d {
				if _, err := s.client.ShouldRateLimit(context.Background(), req); err != nil {
					t.Error(err)
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
	return speed{float64(sum) / time.Since(begin).Seconds(), float64(sum) / (cpu(t, s.pids) - before).Seconds()}
}

// TestSpeed compares three services in alternation: ours, a bare gRPC server that returns the
// same answer, and envoyproxy/ratelimit with Redis. ROUNDS is the number of rounds.
func TestSpeed(t *testing.T) {
	rounds, err := strconv.Atoi(os.Getenv("ROUNDS"))
	if err != nil || rounds < 1 {
		rounds = 9
	}
	rules, err := envoyrls.Read([]envoyrls.File{{Name: "d", Text: []byte(speedRules)}}, envoyrls.Options{})
	if err != nil {
		t.Fatal(err)
	}
	n, err := node.Open(context.Background(), node.Config{Limit: 1, Window: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = n.Close() })
	service := envoyrls.New(envoyrls.Config{Node: n, Rules: rules})
	answer, err := service.ShouldRateLimit(t.Context(), speedRequest(0))
	if err != nil {
		t.Fatal(err)
	}
	addr, pids := reference(t, map[string]string{"d.yaml": speedRules})
	self := []int{os.Getpid()}
	subjects := map[string]*subject{
		"bare":  {dial(t, serve(t, func(s *grpc.Server) { rls.RegisterRateLimitServiceServer(s, bare{answer: answer}) })), self},
		"ours":  {dial(t, serve(t, func(s *grpc.Server) { service.Register(s) }, envoyrls.ServerOptions()...)), self},
		"there": {dial(t, addr), append(pids, self...)},
	}
	order := []string{"bare", "ours", "there"}
	fmt.Println("| callers | requests/s | bare | this service | envoyproxy/ratelimit | of bare | times envoyproxy/ratelimit | spread of bare |\n|---|---|---|---|---|---|---|---|")
	for _, callers := range []int{1, 16, 64} {
		walls, cpus := map[string][]float64{}, map[string][]float64{}
		for round := range rounds + 1 {
			for i := range order {
				name := order[(i+round)%len(order)]
				s := subjects[name].measure(t, callers, time.Second)
				if round > 0 { // the first one warms up
					walls[name], cpus[name] = append(walls[name], s.wall), append(cpus[name], s.cpu)
				}
			}
		}
		row(callers, "by the clock", walls)
		row(callers, "by processor time", cpus)
	}
}

func row(callers int, by string, got map[string][]float64) {
	median := func(name string) float64 {
		all := slices.Sorted(slices.Values(got[name]))
		return all[len(all)/2]
	}
	bare, ours, there := median("bare"), median("ours"), median("there")
	fmt.Printf("| %d | %s | %.0f | %.0f | %.0f | %.2f | %.2f | %.0f %% |\n", callers, by, bare, ours, there, ours/bare, ours/there,
		100*(slices.Max(got["bare"])-slices.Min(got["bare"]))/bare)
}
