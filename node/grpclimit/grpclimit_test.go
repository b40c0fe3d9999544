package grpclimit_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/grpclimit"
)

// details are the wait and the violated limits that a denial tells.
func details(err error) (wait time.Duration, violations []*errdetails.QuotaFailure_Violation) {
	for _, d := range status.Convert(err).Details() {
		switch d := d.(type) {
		case *errdetails.RetryInfo:
			wait = d.GetRetryDelay().AsDuration()
		case *errdetails.QuotaFailure:
			violations = d.GetViolations()
		}
	}
	return wait, violations
}

func TestCallsPassUntilTheLimitIsUsedUp(t *testing.T) {
	conn := dial(t, grpclimit.Config{Limiter: open(t, nil), Key: grpclimit.ByPeer()})
	for range 3 {
		if trailer, err := once(t, conn, "hello"); err != nil || len(trailer["grpc-retry-pushback-ms"]) > 0 {
			t.Fatalf("got %v, %v", trailer, err)
		}
	}
	trailer, err := once(t, conn, "hello")
	wait, violations := details(err)
	if status.Code(err) != codes.ResourceExhausted || wait != 20*time.Second || len(violations) != 1 || fmt.Sprint(trailer["grpc-retry-pushback-ms"]) != "[20000]" {
		t.Fatalf("got %v with %v, %v and trailer %v", err, wait, violations, trailer)
	}
	v := violations[0]
	if v.GetSubject() != "limit:default" || v.GetQuotaId() != "default" || v.GetQuotaValue() != 3 || v.GetDescription() != "3 units per 1m0s: over_limit" {
		t.Errorf("got %v", v)
	}
	if got := status.Convert(err).Message(); got != "rate limit default: retry after 20s" {
		t.Errorf("got %q", got)
	}
}

func TestSeveralLimitsAllHaveToAdmit(t *testing.T) {
	n := open(t, map[string]node.Policy{"tenant": {Limit: 2, Window: time.Minute}, "site": {Limit: 100, Window: time.Hour}, "shut": {Access: node.Blocked}})
	conn := dial(t, grpclimit.Config{
		Limiter: n, Key: grpclimit.ByMetadata("Key"),
		By: func(c grpclimit.Call) []grpclimit.Limit {
			switch md, _ := metadata.FromIncomingContext(c.Context); md.Get("plan")[0] {
			case "free":
				return nil
			case "shut":
				return []grpclimit.Limit{{Name: "shut"}}
			}
			return []grpclimit.Limit{
				{Name: "site", Cost: length},
				{Name: "tenant", Key: grpclimit.ByMetadata("tenant")},
				{},
			}
		},
	})
	for range 2 {
		if _, err := once(t, conn, "abc", "key", "a", "tenant", "acme", "plan", "x"); err != nil {
			t.Fatal(err)
		}
	}
	_, err := once(t, conn, "abc", "key", "a", "tenant", "acme", "plan", "x")
	if wait, violations := details(err); wait != 30*time.Second || len(violations) != 1 || violations[0].GetQuotaId() != "tenant" {
		t.Errorf("got %v with %v", err, violations)
	}
	if got := n.Do(node.Request{Client: "key=a", Limit: "site", Peek: true}).Remaining; got != 94 {
		t.Errorf("%d are left: a cost of its own, and none for a denial", got)
	}
	if _, err := once(t, conn, "abc", "plan", "free"); err != nil {
		t.Errorf("got %v", err)
	}
	trailer, err := once(t, conn, "abc", "plan", "shut", "key", "a")
	if wait, violations := details(err); wait != 0 || len(violations) != 1 || violations[0].GetDescription() != "blocked" || fmt.Sprint(trailer["grpc-retry-pushback-ms"]) != "[-1]" {
		t.Errorf("a client that never passes: got %v, %v, %v, %v", err, wait, violations, trailer)
	}
	if _, err := once(t, conn, strings.Repeat("x", 101), "key", "a", "tenant", "b", "plan", "x"); status.Code(err) != codes.ResourceExhausted || !strings.Contains(err.Error(), "can never pass") {
		t.Errorf("a cost that never passes: got %v", err)
	}
}

// length is what a message costs.
func length(c grpclimit.Call) int64 {
	m, _ := c.Message.(*text)
	return int64(len(m.GetValue()))
}

func TestStreamsAndTheirMessagesAreLimited(t *testing.T) {
	for _, messages := range []bool{false, true} {
		conn := dial(t, grpclimit.Config{Limiter: open(t, nil), Key: grpclimit.ByPeer(), Messages: messages, Cost: func(c grpclimit.Call) int64 {
			if c.Method != "/test.Echo/Many" {
				t.Errorf("got %s", c.Method)
			}
			return 0
		}})
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		s, err := conn.NewStream(ctx, &echo.Streams[0], "/test.Echo/Many")
		if err != nil {
			t.Fatal(err)
		}
		heard := 0
		for range 5 {
			if err = s.SendMsg(&text{Value: "x"}); err == nil || errors.Is(err, io.EOF) {
				err = s.RecvMsg(&text{})
			}
			if err != nil {
				break
			}
			heard++
		}
		want, code := 5, codes.OK
		if messages {
			want, code = 2, codes.ResourceExhausted // the stream itself took one
		}
		if heard != want || status.Code(err) != code {
			t.Errorf("messages %v: heard %d, then %v", messages, heard, err)
		}
		if messages {
			if wait, _ := details(err); wait != 20*time.Second || len(s.Trailer()["grpc-retry-pushback-ms"]) != 1 {
				t.Errorf("got %v, %v", wait, s.Trailer())
			}
		} else if err := s.CloseSend(); err != nil {
			t.Error(err)
		} else if err := s.RecvMsg(&text{}); !errors.Is(err, io.EOF) {
			t.Error(err)
		}
		cancel()
	}
	n := open(t, nil)
	conn := dial(t, grpclimit.Config{Limiter: n, Key: grpclimit.ByPeer()})
	n.Take("127.0.0.1", 3)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	s, err := conn.NewStream(ctx, &echo.Streams[0], "/test.Echo/Many")
	if err == nil {
		err = s.RecvMsg(&text{})
	}
	if status.Code(err) != codes.ResourceExhausted {
		t.Errorf("a stream beyond the limit: got %v", err)
	}
}

func TestWhatNobodyCanDecideIsRefused(t *testing.T) {
	for name, c := range map[string]struct {
		cfg  grpclimit.Config
		code codes.Code
	}{
		"no key":        {grpclimit.Config{Key: grpclimit.ByMetadata("key")}, codes.InvalidArgument},
		"no first key":  {grpclimit.Config{Key: grpclimit.FirstOf(grpclimit.ByMetadata("key"))}, codes.InvalidArgument},
		"unknown limit": {grpclimit.Config{Key: grpclimit.ByPeer(), Limits: []grpclimit.Limit{{Name: "nope"}}}, codes.Internal},
		"no room":       {grpclimit.Config{Key: grpclimit.ByPeer(), Limiter: full{}}, codes.Unavailable},
		"passed":        {grpclimit.Config{Key: grpclimit.ByMetadata("key"), Failed: grpclimit.Pass}, codes.OK},
		"skipped":       {grpclimit.Config{Key: grpclimit.ByMetadata("key"), Skip: func(c grpclimit.Call) bool { return c.Method == "/test.Echo/Once" }}, codes.OK},
	} {
		if c.cfg.Limiter == nil {
			c.cfg.Limiter = open(t, nil)
		}
		if _, err := once(t, dial(t, c.cfg), "x"); status.Code(err) != c.code {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// full is a limiter without room.
type full struct{}

func (full) DoDetailed(node.Request) node.Detail {
	return node.Detail{Decision: node.Decision{Reason: node.ReasonTooManyPolicies}, Fault: node.ErrTooManyPolicies}
}

type userKey struct{}

func TestWhomACallCountsFor(t *testing.T) {
	user := grpclimit.ByContext("user", userKey{})
	proxies := grpclimit.ByTrustedProxies("10.0.0.0/8")
	for name, c := range map[string]struct {
		key  grpclimit.Key
		from string
		md   []string
		user any
		want string
	}{
		"a peer":                      {grpclimit.ByPeer(), "192.0.2.1:80", nil, nil, "192.0.2.1"},
		"a peer by its network":       {grpclimit.ByPeer(), "[2001:db8:1:2:3::4]:80", nil, nil, "2001:db8:1:2::"},
		"a peer by itself":            {grpclimit.ByPeer().IPv6(128), "[2001:db8::4]:80", nil, nil, "2001:db8::4"},
		"no address":                  {grpclimit.ByPeer(), "", nil, nil, ""},
		"behind a proxy":              {proxies, "10.0.0.1:80", []string{"x-forwarded-for", "1.2.3.4, 192.0.2.7"}, nil, "192.0.2.7"},
		"behind a proxy, two lines":   {proxies, "10.0.0.1:80", []string{"x-forwarded-for", "1.2.3.4", "x-forwarded-for", "192.0.2.7"}, nil, "192.0.2.7"},
		"a proxy that nobody trusts":  {proxies, "192.0.2.1:80", []string{"x-forwarded-for", "192.0.2.7"}, nil, "192.0.2.1"},
		"metadata":                    {grpclimit.ByMetadata("API-Key"), "", []string{"api-key", "abc"}, nil, "api-key=abc"},
		"no metadata":                 {grpclimit.ByMetadata("API-Key"), "", nil, nil, ""},
		"metadata twice":              {grpclimit.ByMetadata("API-Key"), "", []string{"api-key", "a", "api-key", "a"}, nil, ""},
		"a context":                   {user, "", nil, "ann", "user=ann"},
		"no context":                  {user, "", nil, nil, ""},
		"a function":                  {grpclimit.ByFunc("f", func(context.Context) (string, error) { return "v", nil }), "", nil, nil, "f=v"},
		"joined":                      {grpclimit.Join(grpclimit.ByPeer(), user), "192.0.2.1:80", nil, "ann", "192.0.2.1|user=ann"},
		"the first":                   {grpclimit.FirstOf(user, grpclimit.ByPeer()), "192.0.2.1:80", nil, nil, "192.0.2.1"},
		"the second is not there too": {grpclimit.FirstOf(user, grpclimit.ByPeer()), "", nil, nil, ""},
	} {
		ctx := metadata.NewIncomingContext(context.WithValue(t.Context(), userKey{}, c.user), metadata.Pairs(c.md...))
		if c.from != "" {
			addr, err := net.ResolveTCPAddr("tcp", c.from)
			if err != nil {
				t.Fatal(err)
			}
			ctx = peer.NewContext(ctx, &peer.Peer{Addr: addr})
		}
		if got, err := c.key.Find(ctx); got != c.want || (err != nil) != (c.want == "") || err != nil && !errors.Is(err, grpclimit.ErrNoKey) {
			t.Errorf("%s: got %q, %v, want %q", name, got, err, c.want)
		}
	}
}

func TestAConfigurationIsChecked(t *testing.T) {
	many := make([]grpclimit.Limit, 17)
	many[16].Key = grpclimit.ByMetadata("")
	_, err := grpclimit.New(grpclimit.Config{Limits: many, By: func(grpclimit.Call) []grpclimit.Limit { return nil }})
	for _, want := range []string{"Limiter", "no default is safe", "By is given", "Limits 17", "Limits[16].Key"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("nothing is said of %s: %v", want, err)
		}
	}
	for want, k := range map[string]grpclimit.Key{
		"no proxies are named":      grpclimit.ByTrustedProxies(),
		`"x" must be an address`:    grpclimit.ByTrustedProxies("x"),
		"ByContext must have a key": grpclimit.ByContext("a", nil),
		"ByFunc must have":          grpclimit.ByFunc("a", nil),
		"IPv6(0) must be":           grpclimit.Join(grpclimit.ByPeer().IPv6(0)),
	} {
		_, err := grpclimit.New(grpclimit.Config{Limiter: full{}, Key: k})
		if f := new(node.FieldError); !errors.As(err, &f) || f.Field != "Key" || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, got %v", want, err)
		}
	}
}

// Interceptors decide for whoever only wants an error, too.
func TestACallIsDecidedByItsContext(t *testing.T) {
	limits, err := grpclimit.New(grpclimit.Config{Limiter: open(t, nil), Key: grpclimit.ByMetadata("key")})
	if err != nil {
		t.Fatal(err)
	}
	var limiter interface{ Limit(context.Context) error } = limits
	ctx := metadata.NewIncomingContext(t.Context(), metadata.Pairs("key", "a"))
	for i := range 5 {
		if err := limiter.Limit(ctx); (err == nil) != (i < 3) || err != nil && status.Code(err) != codes.ResourceExhausted {
			t.Errorf("call %d: got %v", i, err)
		}
	}
}
