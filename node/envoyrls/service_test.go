package envoyrls_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	ratelimit "github.com/envoyproxy/go-control-plane/envoy/extensions/common/ratelimit/v3"
	rls "github.com/envoyproxy/go-control-plane/envoy/service/ratelimit/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	"google.golang.org/grpc/codes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/envoyrls"
)

const users = "domain: d\ndescriptors:\n  - {key: user, rate_limit: {unit: hour, requests_per_unit: 10}}\n"

// descriptor makes a descriptor of keys and values in turn.
func descriptor(pairs ...string) *ratelimit.RateLimitDescriptor {
	d := new(ratelimit.RateLimitDescriptor)
	for i := 0; i < len(pairs); i += 2 {
		d.Entries = append(d.Entries, &ratelimit.RateLimitDescriptor_Entry{Key: pairs[i], Value: pairs[i+1]})
	}
	return d
}

// costing is the descriptor with hits of its own.
func costing(d *ratelimit.RateLimitDescriptor, hits uint64) *ratelimit.RateLimitDescriptor {
	d.HitsAddend = wrapperspb.UInt64(hits)
	return d
}

func request(ds ...*ratelimit.RateLimitDescriptor) *rls.RateLimitRequest {
	return &rls.RateLimitRequest{Domain: "d", Descriptors: ds}
}

func ask(t testing.TB, s *envoyrls.Service, req *rls.RateLimitRequest) *rls.RateLimitResponse {
	t.Helper()
	r, err := s.ShouldRateLimit(context.Background(), req)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// clock is a time that a test sets. The node reads it on its own goroutines too.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func clocked(t testing.TB) (*node.Node, *clock) {
	t.Helper()
	c := &clock{now: time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)}
	n, err := node.Open(context.Background(), node.Config{Limit: 1, Window: time.Second, Now: c.Now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = n.Close() })
	return n, c
}

func TestTheDurationTellsWhenARetryPasses(t *testing.T) {
	n, c := clocked(t)
	s := envoyrls.New(envoyrls.Config{Node: n, Rules: read(t, users)})
	reset := func(d *ratelimit.RateLimitDescriptor) (rls.RateLimitResponse_Code, time.Duration) {
		r := ask(t, s, request(d))
		return r.GetStatuses()[0].GetCode(), r.GetStatuses()[0].GetDurationUntilReset().AsDuration()
	}
	const unit = 6 * time.Minute // in which one drains
	if code, d := reset(costing(descriptor("user", "a"), 10)); code != rls.RateLimitResponse_OK || d != time.Hour {
		t.Errorf("full: %v %v", code, d)
	}
	if code, d := reset(descriptor("user", "a")); code != rls.RateLimitResponse_OVER_LIMIT || d != unit {
		t.Errorf("over: %v %v", code, d)
	}
	c.Add(unit)
	if code, d := reset(descriptor("user", "a")); code != rls.RateLimitResponse_OK || d != time.Hour {
		t.Errorf("after the wait: %v %v", code, d)
	}
	reset(costing(descriptor("user", "a"), 3))
	code, d := reset(costing(descriptor("user", "a"), 0))
	if code != rls.RateLimitResponse_OVER_LIMIT || d != 3*unit {
		t.Errorf("a look at a debt of 3: %v %v", code, d)
	}
	c.Add(d - 1)
	if code, d := reset(costing(descriptor("user", "a"), 0)); code != rls.RateLimitResponse_OVER_LIMIT || d != 1 {
		t.Errorf("a nanosecond early: %v %v", code, d)
	}
	c.Add(1)
	if code, d := reset(costing(descriptor("user", "a"), 0)); code != rls.RateLimitResponse_OK || d != time.Hour {
		t.Errorf("after the wait of a look: %v %v", code, d)
	}
}

func TestADebtIsCapped(t *testing.T) {
	n, c := clocked(t)
	s := envoyrls.New(envoyrls.Config{Node: n, Rules: read(t, users)})
	ask(t, s, request(costing(descriptor("user", "a"), 1<<62)))
	c.Add(2*time.Hour - 6*time.Minute)
	if r := ask(t, s, request(descriptor("user", "a"))); r.GetOverallCode() != rls.RateLimitResponse_OK {
		t.Errorf("a burst and a cap later: %v", r)
	}
}

func TestAllOrNoneBeyondWhatANodeDecidesAtOnce(t *testing.T) {
	s := envoyrls.New(envoyrls.Config{Node: openNode(t), Rules: read(t, users)})
	var many []*ratelimit.RateLimitDescriptor
	for i := range 2*node.MaxChecks + 7 {
		many = append(many, descriptor("user", fmt.Sprint(i)))
	}
	r := ask(t, s, request(many...))
	if r.GetOverallCode() != rls.RateLimitResponse_OK || r.GetStatuses()[len(many)-1].GetLimitRemaining() != 9 {
		t.Fatalf("got %v", r)
	}
	ask(t, s, request(costing(descriptor("user", "30"), 9)))
	r = ask(t, s, request(many...))
	for i, status := range r.GetStatuses() {
		code, left := rls.RateLimitResponse_OK, uint32(9)
		if i == 30 {
			code, left = rls.RateLimitResponse_OVER_LIMIT, 0
		}
		if status.GetCode() != code || status.GetLimitRemaining() != left {
			t.Errorf("descriptor %d: %v", i, status)
		}
	}
	if r.GetOverallCode() != rls.RateLimitResponse_OVER_LIMIT {
		t.Errorf("got %v", r.GetOverallCode())
	}
}

func TestThousandsOfOverrides(t *testing.T) {
	s := envoyrls.New(envoyrls.Config{Node: openNode(t), Rules: read(t, users)})
	for i := range uint32(node.MaxInlinePolicies - 1) {
		d := descriptor("tenant", fmt.Sprint(i))
		d.Limit = &ratelimit.RateLimitDescriptor_RateLimitOverride{RequestsPerUnit: i + 1, Unit: typev3.RateLimitUnit_HOUR}
		if r := ask(t, s, request(d)); r.GetStatuses()[0].GetLimitRemaining() != i {
			t.Fatalf("tenant %d: %v", i, r)
		}
	}
}

func TestBadRequestsAreRefusedByField(t *testing.T) {
	s := envoyrls.New(envoyrls.Config{Node: openNode(t), Rules: read(t, users)})
	limit := func(unit typev3.RateLimitUnit, times uint32) *rls.RateLimitRequest {
		d := descriptor("user", "a")
		d.Limit = &ratelimit.RateLimitDescriptor_RateLimitOverride{RequestsPerUnit: 1, Unit: unit, UnitMultiplier: wrapperspb.UInt32(times)}
		return request(descriptor("user", "b"), d)
	}
	for says, req := range map[string]*rls.RateLimitRequest{
		"domain: must not be empty":                                                         {Descriptors: request(descriptor("user", "a")).GetDescriptors()},
		"descriptors: must not be empty":                                                    request(),
		"descriptors[1].limit.unit UNKNOWN: must be SECOND":                                 limit(typev3.RateLimitUnit_UNKNOWN, 1),
		"descriptors[1].limit.unit_multiplier 0: must be at least 1":                        limit(typev3.RateLimitUnit_DAY, 0),
		"descriptors[1].limit.unit_multiplier 367: 367 times DAY is more than 366 days":     limit(typev3.RateLimitUnit_DAY, 367),
		"descriptors[1].limit.unit_multiplier 4294967295: 4294967295 times YEAR is more th": limit(typev3.RateLimitUnit_YEAR, 1<<32-1),
	} {
		_, err := s.ShouldRateLimit(t.Context(), req)
		if status.Code(err) != codes.InvalidArgument || !strings.Contains(status.Convert(err).Message(), says) {
			t.Errorf("got %v, want %s", err, says)
		}
	}
	if r := ask(t, s, request(descriptor("user", "b"))); r.GetStatuses()[0].GetLimitRemaining() != 9 {
		t.Errorf("a refused request was charged: %v", r)
	}
}

// refuser is a node that cannot give back.
type refuser struct {
	*node.Node
	err error
}

func (r refuser) Refund(context.Context, node.Request) (node.Refund, error) {
	return node.Refund{}, r.err
}

func TestWhatCannotBeGivenBackIsAnError(t *testing.T) {
	back := descriptor("user", "a")
	back.IsNegativeHits = true
	for err, code := range map[error]codes.Code{node.ErrTooManyHeld: codes.ResourceExhausted, node.ErrClosed: codes.Unavailable} {
		s := envoyrls.New(envoyrls.Config{Node: refuser{openNode(t), err}, Rules: read(t, users)})
		if _, got := s.ShouldRateLimit(t.Context(), request(back)); status.Code(got) != code {
			t.Errorf("got %v, want %v", got, code)
		}
	}
}

// distant is a node whose peers do not answer: each refund waits until its caller gives up.
type distant struct {
	*node.Node
	deadlines *[]time.Time
}

func (d distant) Refund(ctx context.Context, _ node.Request) (node.Refund, error) {
	deadline, _ := ctx.Deadline()
	*d.deadlines = append(*d.deadlines, deadline)
	return node.Refund{Unconfirmed: 1}, nil
}

func TestARequestWaitsOnceForAllThatItGivesBack(t *testing.T) {
	var deadlines []time.Time
	s := envoyrls.New(envoyrls.Config{Node: distant{openNode(t), &deadlines}, Rules: read(t, users)})
	var all []*ratelimit.RateLimitDescriptor
	for _, user := range []string{"a", "b", "c"} {
		back := descriptor("user", user)
		back.IsNegativeHits = true
		all = append(all, back)
	}
	ask(t, s, request(all...))
	if len(deadlines) != 3 || deadlines[0].IsZero() || deadlines[0] != deadlines[1] || deadlines[0] != deadlines[2] {
		t.Errorf("got %v", deadlines)
	}
}

// Requests of more descriptors than the node decides at once charge all or none, too, and need
// room for all descriptors of one bucket.
func TestManyDescriptorsAreChargedTogether(t *testing.T) {
	for name, c := range map[string]struct {
		buckets, each int // descriptors
		hits          uint32
		over          bool
	}{
		"17 buckets":                    {17, 1, 10, false},
		"one bucket 17 times, too much": {1, 17, 1, true},
		"one bucket 20 times, none":     {1, 20, 1, true},
		"10 buckets twice":              {10, 2, 5, false},
		"10 buckets twice, too much":    {10, 2, 6, true},
		"8 buckets twice, at once":      {8, 2, 6, true},
	} {
		s := envoyrls.New(envoyrls.Config{Node: openNode(t), Rules: read(t, users)})
		var all []*ratelimit.RateLimitDescriptor
		for range c.each {
			for i := range c.buckets {
				all = append(all, descriptor("user", string(rune('a'+i))))
			}
		}
		req := request(all...)
		req.HitsAddend = c.hits
		if r := ask(t, s, req); (r.GetOverallCode() == rls.RateLimitResponse_OVER_LIMIT) != c.over {
			t.Errorf("%s: got %v", name, r.GetOverallCode())
		}
		left := uint32(10)
		if !c.over {
			left -= uint32(c.each) * c.hits //nolint:gosec // small
		}
		for i := range c.buckets {
			if r := ask(t, s, request(costing(descriptor("user", string(rune('a'+i))), 0))); r.GetStatuses()[0].GetLimitRemaining() != left {
				t.Errorf("%s: bucket %d has %d left, want %d", name, i, r.GetStatuses()[0].GetLimitRemaining(), left)
			}
		}
	}
}

func TestTheHitsOfARequestComeBackToo(t *testing.T) {
	s := envoyrls.New(envoyrls.Config{Node: openNode(t), Rules: read(t, users)})
	ask(t, s, request(costing(descriptor("user", "a"), 12)))
	back := descriptor("user", "a")
	back.IsNegativeHits = true
	req := request(back)
	req.HitsAddend = 5
	if r := ask(t, s, req); r.GetOverallCode() != rls.RateLimitResponse_OK || r.GetStatuses()[0].GetLimitRemaining() != 3 {
		t.Errorf("got %v", r)
	}
}

func TestNothingIsAnsweredBeforeTheFirstRules(t *testing.T) {
	s := envoyrls.New(envoyrls.Config{Node: openNode(t)})
	if _, err := s.ShouldRateLimit(t.Context(), request(descriptor("user", "a"))); status.Code(err) != codes.Unavailable {
		t.Errorf("got %v", err)
	}
	s.SetRules(read(t, users))
	if r := ask(t, s, request(descriptor("user", "a"))); r.GetStatuses()[0].GetLimitRemaining() != 9 {
		t.Errorf("got %v", r)
	}
}

func TestNewRulesKeepTheBucketsOfThoseThatStay(t *testing.T) {
	s := envoyrls.New(envoyrls.Config{Node: openNode(t), Rules: read(t, users)})
	ask(t, s, request(costing(descriptor("user", "a"), 4)))
	s.SetRules(read(t, users+"  - {key: path, rate_limit: {unit: day, requests_per_unit: 3}}\n"))
	if r := ask(t, s, request(descriptor("user", "a"), descriptor("path", "/"))); r.GetStatuses()[0].GetLimitRemaining() != 5 || r.GetStatuses()[1].GetLimitRemaining() != 2 {
		t.Errorf("got %v", r)
	}
}

func TestHealthFollowsServing(t *testing.T) {
	s := envoyrls.New(envoyrls.Config{Node: openNode(t), Rules: read(t, users)})
	_, conn := serve(t, s)
	client := healthpb.NewHealthClient(conn)
	for _, serving := range []bool{true, false, true} {
		s.SetServing(serving)
		want := healthpb.HealthCheckResponse_NOT_SERVING
		if serving {
			want = healthpb.HealthCheckResponse_SERVING
		}
		for _, name := range []string{"", envoyrls.HealthName} {
			if r, err := client.Check(t.Context(), &healthpb.HealthCheckRequest{Service: name}); err != nil || r.GetStatus() != want {
				t.Errorf("%q: got %v, %v, want %v", name, r.GetStatus(), err, want)
			}
		}
	}
}

func TestShadowAndQuotaForAllRules(t *testing.T) {
	rules := read(t, users)
	over := func(cfg envoyrls.Config, ds ...*ratelimit.RateLimitDescriptor) *rls.RateLimitResponse {
		cfg.Node, cfg.Rules = openNode(t), rules
		s := envoyrls.New(cfg)
		ask(t, s, request(costing(descriptor("user", "a"), 11)))
		return ask(t, s, request(ds...))
	}
	a, b := descriptor("user", "a"), descriptor("user", "b")
	if r := over(envoyrls.Config{Shadow: true}, a); r.GetOverallCode() != rls.RateLimitResponse_OK || r.GetStatuses()[0].GetCode() != rls.RateLimitResponse_OVER_LIMIT {
		t.Errorf("shadow: %v", r)
	}
	if r := over(envoyrls.Config{Quota: true}, a, b); r.GetOverallCode() != rls.RateLimitResponse_OK || r.GetStatuses()[1].GetLimitRemaining() != 9 {
		t.Errorf("one quota of two: %v", r)
	}
	if r := over(envoyrls.Config{Quota: true}, a); r.GetOverallCode() != rls.RateLimitResponse_OVER_LIMIT {
		t.Errorf("the only quota: %v", r)
	}
}

func TestIDsTellValuesApartWhateverClientsWrite(t *testing.T) {
	s := envoyrls.New(envoyrls.Config{Node: openNode(t), Rules: read(t, `
domain: d
descriptors:
  - key: a
    rate_limit: {unit: hour, requests_per_unit: 10}
    descriptors:
      - {key: b, rate_limit: {unit: hour, requests_per_unit: 10}}
`)})
	long := strings.Repeat("x", 3*node.MaxClientID)
	for _, d := range []*ratelimit.RateLimitDescriptor{
		descriptor("a", "1", "b", "2"), descriptor("a", "1|b=2"), descriptor("a", `1\|b=2`), descriptor("a", "1|b", "b", "2"), descriptor("a", `1\`, "b", "|b=2"),
		descriptor("a", "1", "b", ""), descriptor("a", "1|b="), descriptor("a", "1"), descriptor("a", ""), descriptor("a", "|#"), descriptor("a", "é\xff\x00"),
		descriptor("a", long), descriptor("a", long+"y"), descriptor("a", long, "b", long), descriptor("a", long, "b", long+"y"),
	} {
		if r := ask(t, s, request(d)); r.GetStatuses()[0].GetLimitRemaining() != 9 {
			t.Errorf("%q has another's bucket: %v", d, r)
		}
		if r := ask(t, s, request(d)); r.GetStatuses()[0].GetLimitRemaining() != 8 {
			t.Errorf("%q has no bucket of its own: %v", d, r)
		}
	}
}

// TestManyCallersAtOnce lets callers share buckets, buffers and overrides, for the race
// detector, and counts what passed.
func TestManyCallersAtOnce(t *testing.T) {
	s := envoyrls.New(envoyrls.Config{Node: openNode(t), Rules: read(t, users), Stats: true, Metadata: true})
	const callers, each = 8, 40
	var passed [callers]int
	var all sync.WaitGroup
	for i := range callers {
		all.Go(func() {
			for k := range each {
				d := descriptor("tenant", fmt.Sprint(k))
				d.Limit = &ratelimit.RateLimitDescriptor_RateLimitOverride{RequestsPerUnit: 100_000 + uint32(k), Unit: typev3.RateLimitUnit_YEAR}
				r, err := s.ShouldRateLimit(context.Background(), request(descriptor("user", "shared"), d, descriptor("user", fmt.Sprint(i, "-", k))))
				switch {
				case err != nil:
					t.Error(err)
				case r.GetOverallCode() == rls.RateLimitResponse_OK:
					passed[i]++
				}
				s.SetRules(s.Rules())
				_ = s.Stats()
			}
		})
	}
	all.Wait()
	total := 0
	for _, n := range passed {
		total += n
	}
	if total != 10 {
		t.Errorf("%d passed of a limit of 10", total)
	}
}

// brought is a node that notes who asks it.
type brought struct {
	*node.Node
	by map[string]int
}

func (b brought) Do(r node.Request) node.Decision { b.by[r.Origin]++; return b.Node.Do(r) }

func (b brought) DoDetailed(r node.Request) node.Detail {
	b.by[r.Origin]++
	return b.Node.DoDetailed(r)
}

func (b brought) Charge(r node.Request) node.ChargeDetail { b.by[r.Origin]++; return b.Node.Charge(r) }

func (b brought) Refund(ctx context.Context, r node.Request) (node.Refund, error) {
	b.by[r.Origin]++
	return b.Node.Refund(ctx, r)
}

// Each domain fills its own part of the table of policies, however a descriptor is decided.
func TestDomainsShareOutTheRoomForPolicies(t *testing.T) {
	n := brought{openNode(t), map[string]int{}}
	s := envoyrls.New(envoyrls.Config{Node: n, Rules: read(t, users, "domain: other\n")})
	back := costing(descriptor("user", "a"), 1)
	back.IsNegativeHits = true
	for _, all := range [][]*ratelimit.RateLimitDescriptor{
		{descriptor("user", "a")}, {descriptor("user", "a"), descriptor("user", "b")}, {costing(descriptor("user", "a"), 0)}, {costing(descriptor("user", "a"), 2)}, {back},
	} {
		ask(t, s, request(all...))
	}
	own := descriptor("user", "a")
	own.Limit = &ratelimit.RateLimitDescriptor_RateLimitOverride{RequestsPerUnit: 5, Unit: typev3.RateLimitUnit_HOUR}
	req := request(own)
	req.Domain = "other"
	ask(t, s, req)
	if domain := request().GetDomain(); len(n.by) != 2 || n.by[domain] < 5 || n.by["other"] != 1 {
		t.Errorf("got %v", n.by)
	}
}
