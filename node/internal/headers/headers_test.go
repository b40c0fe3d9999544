package headers_test

import (
	"math"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dunglas/httpsfv"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/doortest"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/headers"
)

const s = time.Second

// passed and denied are decisions of a limit of 100 units a minute.
func passed(name string, left int64, reset time.Duration) node.Decision {
	return node.Decision{Allowed: true, Limit: name, Quota: 100, Window: 60 * s, Burst: 100, Remaining: left, ResetAfter: reset}
}

func denied(name string, left int64, retry, reset time.Duration) node.Decision {
	d := passed(name, left, reset)
	d.Allowed, d.RetryAfter, d.Reason = false, retry, node.ReasonOverLimit
	return d
}

func TestFieldsOfDecisions(t *testing.T) {
	last := passed("x", 0, 60*s)
	last.RetryAfter = 600 * time.Millisecond
	short, odd, huge := passed("short", 1, s), passed("odd", 1, s), passed("huge", math.MaxInt64, s)
	short.Window, odd.Window = 100*time.Millisecond, 1500*time.Millisecond
	huge.Quota, huge.Window = math.MaxInt64, math.MaxInt64
	for name, c := range map[string]struct {
		ds             []node.Decision
		policy, limits string
	}{
		"none":           {nil, "", ""},
		"plenty left":    {[]node.Decision{passed("x", 50, 30*s)}, `"x";q=100;w=60`, `"x";r=50;t=30`},
		"rounded up":     {[]node.Decision{passed("x", 50, 29*s+1)}, `"x";q=100;w=60`, `"x";r=50;t=30`},
		"full":           {[]node.Decision{passed("x", 100, 0)}, `"x";q=100;w=60`, `"x";r=100`},
		"the last unit":  {[]node.Decision{last}, `"x";q=100;w=60`, `"x";r=0;t=1`},
		"nobody peeked":  {[]node.Decision{passed("x", 0, 60*s)}, `"x";q=100;w=60`, `"x";r=0;t=60`},
		"over":           {[]node.Decision{denied("x", 0, 500*time.Millisecond, 60*s)}, `"x";q=100;w=60`, `"x";r=0;t=1`},
		"over by a cost": {[]node.Decision{denied("x", 3, 2*s, 50*s)}, `"x";q=100;w=60`, `"x";r=3;t=2`},
		"never":          {[]node.Decision{denied("x", 3, math.MaxInt64, 50*s)}, `"x";q=100;w=60`, `"x";r=3`},
		"no quota":       {[]node.Decision{{Allowed: true, Limit: "free", Reason: node.ReasonUnlimited}}, "", ""},
		"several": {
			[]node.Decision{passed("min", 5, 9*s), {Allowed: true, Limit: "free"}, passed("day", 7, 99*s)},
			`"min";q=100;w=60, "day";q=100;w=60`, `"min";r=5;t=9, "day";r=7;t=99`,
		},
		"one of several denies": {
			[]node.Decision{passed("day", 50, 999*s), denied("min", 0, 2*s, 60*s)},
			`"day";q=100;w=60, "min";q=100;w=60`, `"day";r=50, "min";r=0;t=2`,
		},
		"one name twice":            {[]node.Decision{passed("x", 50, 30*s), passed("x", 20, 40*s)}, `"x";q=100;w=60`, `"x";r=20;t=40`},
		"one name twice, alike":     {[]node.Decision{passed("x", 50, 30*s), passed("x", 50, 30*s)}, `"x";q=100;w=60`, `"x";r=50;t=30`},
		"one name twice, denied":    {[]node.Decision{denied("x", 0, 9*s, 9*s), passed("x", 0, 40*s), denied("x", 0, 5*s, 9*s)}, `"x";q=100;w=60`, `"x";r=0;t=9`},
		"a window below a second":   {[]node.Decision{short}, `"short";q=100`, `"short";r=1;t=1`},
		"a window of a second half": {[]node.Decision{odd}, `"odd";q=100`, `"odd";r=1;t=1`},
		"numbers beyond the format": {[]node.Decision{huge}, `"huge";q=999999999999999`, `"huge";r=999999999999999;t=1`},
		"a name with quotes":        {[]node.Decision{passed(`a"b\c`, 1, s)}, `"a\"b\\c";q=100;w=60`, `"a\"b\\c";r=1;t=1`},
		"a name beyond ASCII":       {[]node.Decision{passed("é\n", 1, s)}, `"???";q=100;w=60`, `"???";r=1;t=1`},
	} {
		if got := string(headers.AppendPolicy(nil, c.ds, nil)); got != c.policy {
			t.Errorf("%s: got policy %s, want %s", name, got, c.policy)
		}
		if got := string(headers.AppendLimits(nil, c.ds, nil)); got != c.limits {
			t.Errorf("%s: got limits %s, want %s", name, got, c.limits)
		}
		wellFormed(t, c.ds)
	}
}

// wellFormed checks what holds for the fields of any decisions, by the RFC's own library.
func wellFormed(t *testing.T, ds []node.Decision) {
	t.Helper()
	h := http.Header{}
	bound := node.Decision{Allowed: true}
	for i := range ds {
		if !ds[i].Allowed && (bound.Allowed || ds[i].RetryAfter > bound.RetryAfter) {
			bound = ds[i]
		}
	}
	headers.Set(h, ds, nil)
	headers.SetRetryAfter(h, &bound)
	doortest.Fields(t, h)
	if got := h.Get("Retry-After"); (got == "") != bound.Allowed || got == "0" {
		t.Errorf("got Retry-After %q for %+v", got, bound)
	}
}

func TestAFieldListsOnlySoManyLimits(t *testing.T) {
	var ds []node.Decision
	for i := range 1000 {
		ds = append(ds, passed(strings.Repeat("x", i%70+1), 1, s))
	}
	list, err := httpsfv.UnmarshalList([]string{string(headers.AppendLimits(nil, ds, nil))})
	if err != nil || len(list) != 32 {
		t.Errorf("got %d, %v", len(list), err)
	}
}

func TestFieldsAreAddedToThoseOfOtherLimiters(t *testing.T) {
	h := http.Header{}
	one, two := passed("one", 1, s), denied("two", 0, 3*s, 3*s)
	headers.Set(h, []node.Decision{one}, nil)
	headers.Set(h, []node.Decision{two}, nil)
	headers.SetRetryAfter(h, &two)
	list, err := httpsfv.UnmarshalList(h["Ratelimit"])
	if err != nil || len(list) != 2 || h.Get("Retry-After") != "3" {
		t.Errorf("got %v, %v", h, err)
	}
}

func TestTheOlderFields(t *testing.T) {
	h := http.Header{}
	d := denied("x", 3, 2*s, 59*s+1)
	headers.SetLegacy(h, &d, time.Time{})
	if h.Get("X-RateLimit-Limit") != "100" || h.Get("X-RateLimit-Remaining") != "3" || h.Get("X-RateLimit-Reset") != "60" || len(h) != 3 {
		t.Errorf("got %v", h)
	}
	headers.SetLegacy(h, &node.Decision{Allowed: true}, time.Time{})
	if h.Get("X-RateLimit-Limit") != "100" {
		t.Errorf("a client without a quota has %v", h)
	}
	if headers.SetLegacy(h, &d, time.Unix(1000, 1)); h.Get("X-RateLimit-Reset") != "1060" {
		t.Errorf("got %v", h)
	}
}

func TestTheLimitsThatDenyAreViolated(t *testing.T) {
	got := headers.QuotaExceeded(429, []node.Decision{passed("a", 1, s), denied("b", 0, s, s), denied("b", 0, s, s), {Limit: "c", Reason: node.ReasonBlocked}})
	if !slices.Equal(got.Violated, []string{"b", "c"}) || got.Status != 429 {
		t.Errorf("got %+v", got)
	}
	if got := headers.QuotaExceeded(403, nil); got.Violated == nil || len(got.Violated) > 0 {
		t.Errorf("got %+v", got)
	}
}

// The last unit of a bucket of 5 a minute is followed by another after 12 s, and that of a
// window when the window is over.
func TestTheNextUnitAfterTheLastIsFoundOut(t *testing.T) {
	at := time.Date(2026, 1, 1, 0, 0, 20, 0, time.UTC)
	n, err := node.Open(t.Context(), node.Config{
		Limits: map[string]node.Policy{
			"bucket": {Limit: 5, Window: time.Minute}, "window": {Algorithm: node.FixedWindow, Limit: 5, Window: time.Minute},
			"more": {Limit: 50, Window: time.Minute},
		},
		Now: func() time.Time { return at },
	})
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	ten := node.Policy{Limit: 10, Window: 10 * time.Second, Burst: 5}
	q := node.Request{Client: "a", Limit: "bucket", Cost: 5, Also: []node.Check{
		{Limit: "more"}, {Limit: "window"}, {Limit: "window", Client: "b", Cost: 1}, {Limit: "inline", Policy: &ten},
	}}
	ds := slices.Clone(n.DoDetailed(q).Each)
	headers.Complete(&q, ds, n.Do)
	const want = `"bucket";r=0;t=12, "more";r=45;t=6, "window";r=0;t=40, "inline";r=0;t=1`
	if got := string(headers.AppendLimits(nil, ds, nil)); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	one := node.Request{Client: "c", Limit: "inline", Policy: &ten, Cost: 5}
	ds = []node.Decision{n.Do(one)}
	if headers.Complete(&one, ds, n.Do); ds[0].RetryAfter != time.Second {
		t.Errorf("got %+v", ds[0])
	}
	no := node.Request{Client: "c", Limit: "inline", Policy: &ten, Cost: 2}
	ds = []node.Decision{n.Do(no), {Allowed: true, Limit: "free"}}
	headers.Complete(&no, ds, func(node.Request) node.Decision {
		t.Error("a limit was asked that needs not be")
		return node.Decision{}
	})
}

func TestFieldsAllocateNothing(t *testing.T) {
	ds := []node.Decision{passed("minute", 1, s), denied("day", 0, s, s)}
	var room [512]byte
	if n := testing.AllocsPerRun(100, func() {
		headers.AppendLimits(headers.AppendPolicy(room[:0], ds, nil), ds, nil)
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

func FuzzFieldsParse(f *testing.F) {
	f.Add("default", "day", int64(100), int64(60), int64(5), int64(9), int64(0), true, true)
	f.Add(`"\`, "\x00\xff", int64(-1), int64(math.MaxInt64), int64(math.MinInt64), int64(-5), int64(math.MaxInt64), false, true)
	f.Fuzz(func(t *testing.T, one, two string, quota, window, left, reset, retry int64, a, b bool) {
		d := node.Decision{Allowed: a, Limit: one, Quota: quota, Window: time.Duration(window), Burst: 1, Remaining: left, ResetAfter: time.Duration(reset), RetryAfter: time.Duration(max(0, retry))}
		e := d
		e.Limit, e.Allowed, e.RetryAfter = two, b, e.RetryAfter/2
		wellFormed(t, []node.Decision{d, e, d})
	})
}

// Whose quota it is stands in both fields, and tells nothing of the client.
func TestPartitionKeys(t *testing.T) {
	p := headers.Partition("a secret of tests")
	q := &node.Request{Client: "alice", Also: []node.Check{{Client: "192.0.2.1"}, {Limit: "b"}}}
	ds := []node.Decision{passed("a", 5, 0), passed("c", 6, 0), passed("b", 7, 0)}
	h := http.Header{}
	headers.Set(h, ds, p.Keys(q, 3))
	doortest.Fields(t, h)
	if want := `"a";r=5;pk=:NPC2Nq1+MGxd:, "c";r=6;pk=:j+tdGcpksTRh:, "b";r=7;pk=:NPC2Nq1+MGxd:`; h.Get("RateLimit") != want {
		t.Errorf("got  %s\nwant %s", h.Get("RateLimit"), want)
	}
	if p.Keys(q, 2) != nil || headers.Partition(nil).Keys(q, 3) != nil || p.Key("alice") == headers.Partition("another secret").Key("alice") {
		t.Error("keys without an owner, or the same ones with another secret")
	}
}
