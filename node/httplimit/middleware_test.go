package httplimit_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/httplimit"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/doortest"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/racing"
)

const from = "192.0.2.1:1234"

func TestRequestsPassUntilTheLimitIsUsedUp(t *testing.T) {
	h := limited(t, httplimit.Config{Limiter: doortest.Open(t, nil), Key: httplimit.ByRemoteAddr()}, nil)
	for i, want := range []string{`"default";r=4;t=12`, `"default";r=3;t=24`, `"default";r=2;t=36`, `"default";r=1;t=48`, `"default";r=0;t=12`} {
		w := get(t, h, from)
		if got := w.Header().Get("RateLimit"); w.Code != http.StatusNoContent || got != want || w.Header().Get("RateLimit-Policy") != `"default";q=5;w=60` {
			t.Errorf("request %d: got %d %s, want %s", i, w.Code, got, want)
		}
	}
	w := get(t, h, from)
	if w.Code != http.StatusTooManyRequests || w.Header().Get("RateLimit") != `"default";r=0;t=12` || w.Header().Get("Retry-After") != "12" ||
		w.Header().Get("Content-Type") != "application/problem+json" {
		t.Errorf("got %d %v", w.Code, w.Header())
	}
	const problem = `{"type":"https://iana.org/assignments/http-problem-types#quota-exceeded","title":"Request cannot be satisfied as assigned quota has been exceeded","status":429,"violated-policies":["default"]}`
	if got := strings.TrimSpace(w.Body.String()); got != problem {
		t.Errorf("got %s", got)
	}
	if w := get(t, h, "192.0.2.2:1"); w.Code != http.StatusNoContent {
		t.Errorf("another client got %d", w.Code)
	}
}

// A client that is unlimited has no quota, so its answers have no fields of one.
func TestAnUnlimitedClientHasNoFields(t *testing.T) {
	n := doortest.Open(t, map[string]node.Policy{"default": {Limit: 1, Window: time.Minute, Overrides: []node.Override{
		{CIDRs: []string{"192.0.2.0/24"}, Access: node.Unlimited}, {CIDRs: []string{"198.51.100.0/24"}, Access: node.Blocked},
	}}})
	h := limited(t, httplimit.Config{Limiter: n, Key: httplimit.ByRemoteAddr(), Headers: httplimit.HeadersBoth}, nil)
	for range 3 {
		if w := get(t, h, from); w.Code != http.StatusNoContent || len(w.Header()) != 0 {
			t.Errorf("got %d %v", w.Code, w.Header())
		}
	}
	if w := get(t, h, "198.51.100.1:1"); w.Code != http.StatusTooManyRequests || w.Header().Get("Retry-After") != "31536000" || w.Header().Get("RateLimit") != "" {
		t.Errorf("got %d %v", w.Code, w.Header())
	}
}

func TestSeveralLimitsAllHaveToAdmit(t *testing.T) {
	n := doortest.Open(t, map[string]node.Policy{"tenant": {Limit: 3, Window: time.Second}, "site": {Limit: 100, Window: time.Hour}})
	h := limited(t, httplimit.Config{
		Limiter: n, Key: httplimit.ByRemoteAddr(),
		Limits: []httplimit.Limit{
			{Name: "site", Cost: func(*http.Request) int64 { return 10 }},
			{Name: "tenant", Key: httplimit.ByHeader("Tenant")},
			{},
		},
	}, nil)
	w := get(t, h, from, "Tenant", "acme")
	if got := w.Header().Get("RateLimit"); w.Code != http.StatusNoContent || got != `"tenant";r=2;t=1, "site";r=90;t=360, "default";r=4;t=12` {
		t.Errorf("got %d %s", w.Code, got)
	}
	get(t, h, from, "Tenant", "acme")
	get(t, h, from, "Tenant", "acme")
	w = get(t, h, from, "Tenant", "acme")
	if got := w.Header().Get("RateLimit"); w.Code != http.StatusTooManyRequests || got != `"tenant";r=0;t=1, "site";r=70, "default";r=2` || !strings.Contains(w.Body.String(), `"violated-policies":["tenant"]`) {
		t.Errorf("got %d %s %s", w.Code, got, w.Body)
	}
	if w := get(t, h, from, "Tenant", "other"); w.Code != http.StatusNoContent || !strings.Contains(w.Header().Get("RateLimit"), `"site";r=60;`) {
		t.Errorf("a denial was charged: %d %v", w.Code, w.Header())
	}
	if w := get(t, h, from); w.Code != http.StatusBadRequest {
		t.Errorf("without a tenant: got %d", w.Code)
	}
}

func TestTheRequestChoosesItsLimits(t *testing.T) {
	n := doortest.Open(t, map[string]node.Policy{"gold": {Limit: 50, Window: time.Minute}})
	h := limited(t, httplimit.Config{
		Limiter: n, Key: httplimit.ByRemoteAddr(),
		By: func(r *http.Request) []httplimit.Limit {
			switch r.Header.Get("Plan") {
			case "gold":
				return []httplimit.Limit{{Name: "gold"}}
			case "staff":
				return nil
			case "odd":
				return []httplimit.Limit{{Key: httplimit.ByHeader("?")}}
			}
			return []httplimit.Limit{{}}
		},
	}, nil)
	for plan, want := range map[string]string{"gold": `"gold";r=49;t=2`, "staff": "", "": `"default";r=4;t=12`} {
		if w := get(t, h, from, "Plan", plan); w.Code != http.StatusNoContent || w.Header().Get("RateLimit") != want {
			t.Errorf("%s: got %d %v", plan, w.Code, w.Header())
		}
	}
	if w := get(t, h, from, "Plan", "odd"); w.Code != http.StatusInternalServerError {
		t.Errorf("got %d", w.Code)
	}
}

func TestCostsAndSkips(t *testing.T) {
	h := limited(t, httplimit.Config{
		Limiter: doortest.Open(t, nil), Key: httplimit.ByRemoteAddr(),
		Cost: func(r *http.Request) int64 {
			var n int64
			_, _ = fmt.Sscan(r.Header.Get("Cost"), &n)
			return n
		},
		Skip: func(r *http.Request) bool { return r.Header.Get("Health") != "" },
	}, nil)
	for _, c := range []struct {
		headers []string
		status  int
		want    string
	}{
		{[]string{"Cost", "-7"}, 204, `"default";r=4;t=12`},
		{[]string{"Cost", "0"}, 204, `"default";r=3;t=24`},
		{[]string{"Cost", "4"}, 429, `"default";r=3;t=12`},
		{[]string{"Cost", "3"}, 204, `"default";r=0;t=12`},
		{[]string{"Health", "1"}, 204, ""},
		{[]string{"Cost", "1"}, 429, `"default";r=0;t=12`},
		{[]string{"Cost", "6"}, 429, `"default";r=0`},
	} {
		w := get(t, h, from, c.headers...)
		if w.Code != c.status || w.Header().Get("RateLimit") != c.want {
			t.Errorf("%v: got %d %v, want %d %s", c.headers, w.Code, w.Header(), c.status, c.want)
		}
	}
	if w := get(t, h, from, "Cost", "6"); w.Header().Get("Retry-After") != "31536000" {
		t.Errorf("a cost that can never pass: got %v", w.Header())
	}
}

func TestFieldsAreAChoice(t *testing.T) {
	for choice, want := range map[httplimit.Headers][]string{
		httplimit.HeadersIETF:   {"Ratelimit", "Ratelimit-Policy"},
		httplimit.HeadersLegacy: {"X-Ratelimit-Limit", "X-Ratelimit-Remaining", "X-Ratelimit-Reset"},
		httplimit.HeadersBoth:   {"Ratelimit", "Ratelimit-Policy", "X-Ratelimit-Limit", "X-Ratelimit-Remaining", "X-Ratelimit-Reset"},
		httplimit.HeadersNone:   nil,
	} {
		h := limited(t, httplimit.Config{Limiter: doortest.Open(t, nil), Key: httplimit.ByRemoteAddr(), Headers: choice}, nil)
		w := get(t, h, from)
		for _, name := range want {
			if w.Header().Get(name) == "" {
				t.Errorf("%d: %s is missing", choice, name)
			}
		}
		if len(w.Header()) != len(want) {
			t.Errorf("%d: got %v", choice, w.Header())
		}
		if x := w.Header().Get("X-RateLimit-Reset"); x != "" && (x != "12" || w.Header().Get("X-RateLimit-Limit") != "5" || w.Header().Get("X-RateLimit-Remaining") != "4") {
			t.Errorf("%d: got %v", choice, w.Header())
		}
	}
	before := time.Now().Unix()
	h := limited(t, httplimit.Config{Limiter: doortest.Open(t, nil), Key: httplimit.ByRemoteAddr(), Headers: httplimit.HeadersLegacy, ResetEpoch: true}, nil)
	var reset int64
	if _, err := fmt.Sscan(get(t, h, from).Header().Get("X-RateLimit-Reset"), &reset); err != nil || reset < before+12 || reset > time.Now().Unix()+13 {
		t.Errorf("got %d, %v", reset, err)
	}
}

// Two middlewares around one another, and a handler that is itself a limiter, add their items.
func TestFieldsOfSeveralLimitersStandTogether(t *testing.T) {
	n := doortest.Open(t, map[string]node.Policy{"outer": {Limit: 9, Window: time.Minute}})
	inner := limited(t, httplimit.Config{Limiter: n, Key: httplimit.ByRemoteAddr()}, nil)
	h := limited(t, httplimit.Config{Limiter: n, Key: httplimit.ByRemoteAddr(), Limits: []httplimit.Limit{{Name: "outer"}}}, inner.ServeHTTP)
	if got := strings.Join(get(t, h, from).Header().Values("RateLimit"), ", "); got != `"outer";r=8;t=7, "default";r=4;t=12` {
		t.Errorf("got %s", got)
	}
}

func TestTheProgramAnswersItself(t *testing.T) {
	h := limited(t, httplimit.Config{
		Limiter: doortest.Open(t, nil), Key: httplimit.ByHeader("Key"), Cost: func(*http.Request) int64 { return 5 },
		Denied: func(w http.ResponseWriter, _ *http.Request, d node.Detail) {
			http.Error(w, "later: "+d.Limit, http.StatusServiceUnavailable)
		},
		Failed: func(w http.ResponseWriter, r *http.Request, err error) bool {
			return errors.Is(err, httplimit.ErrNoKey) && httplimit.Pass(w, r, err)
		},
	}, nil)
	get(t, h, from, "Key", "a")
	if w := get(t, h, from, "Key", "a"); w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") != "60" || !strings.Contains(w.Body.String(), "later: default") {
		t.Errorf("got %d %v", w.Code, w.Header())
	}
	if w := get(t, h, from); w.Code != http.StatusNoContent || len(w.Header()) > 0 {
		t.Errorf("without a key: got %d %v", w.Code, w.Header())
	}
}

// full is a limiter without room.
type full struct{ asked }

func (full) DoDetailed(node.Request) node.Detail {
	return node.Detail{Decision: node.Decision{Reason: node.ReasonTooManyHeld}, Fault: node.ErrTooManyHeld}
}

func TestWhatNobodyCanDecideIsRefusedAndLoggedOnce(t *testing.T) {
	var log strings.Builder
	logger := slog.New(slog.NewTextHandler(&log, nil))
	for _, c := range []struct {
		cfg    httplimit.Config
		status int
		detail string
		logs   int
	}{
		{httplimit.Config{Limiter: doortest.Open(t, nil), Key: httplimit.ByHeader("Key")}, 400, "the request has no Key", 0},
		{httplimit.Config{Limiter: doortest.Open(t, nil), Key: httplimit.FirstOf(httplimit.ByHeader("Key"))}, 400, "nothing in the request says whom it counts for", 0},
		{httplimit.Config{Limiter: doortest.Open(t, nil), Key: httplimit.ByRemoteAddr(), Limits: []httplimit.Limit{{Name: "nope"}}}, 500, "", 1},
		{httplimit.Config{Limiter: full{}, Key: httplimit.ByRemoteAddr()}, 503, "", 1},
	} {
		log.Reset()
		c.cfg.Logger = logger
		h := limited(t, c.cfg, nil)
		for range 3 {
			w := get(t, h, from)
			var p struct {
				Type, Title, Detail string
				Status              int
			}
			if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil || w.Code != c.status || p.Status != c.status || p.Detail != c.detail || p.Type == "" || p.Title == "" {
				t.Errorf("got %d %s, %v", w.Code, w.Body, err)
			}
			if (w.Header().Get("Retry-After") != "") != (c.status == 503) {
				t.Errorf("got %v", w.Header())
			}
		}
		if got := strings.Count(log.String(), "could not be limited"); got != c.logs {
			t.Errorf("%d: logged %d times: %s", c.status, got, log.String())
		}
	}
}

func TestAConfigurationIsChecked(t *testing.T) {
	many := make([]httplimit.Limit, 17)
	many[16].Key = httplimit.ByHeader("")
	_, err := httplimit.New(httplimit.Config{
		Limits: many, Headers: 9, By: func(*http.Request) []httplimit.Limit { return nil },
	})
	own := []httplimit.Limit{{Cost: func(*http.Request) int64 { return 1 }}}
	if _, err := httplimit.New(httplimit.Config{Limiter: doortest.Open(t, nil), Key: httplimit.ByRemoteAddr(), Limits: own, After: httplimit.AfterHeader("x", 1)}); err == nil || !strings.Contains(err.Error(), "After") {
		t.Errorf("got %v", err)
	}
	for _, field := range []string{"Limiter", "Key", "By", "Limits 17", "Limits[16].Key", "Headers 9"} {
		if err == nil || !strings.Contains(err.Error(), field) {
			t.Errorf("nothing is said of %s: %v", field, err)
		}
	}
}

// A request without fields allocates its key and the list of its limits, and a little more under the race detector.
func TestARequestAllocatesLittle(t *testing.T) {
	n := doortest.Open(t, map[string]node.Policy{"default": {Limit: 1_000_000, Window: time.Second}})
	h := limited(t, httplimit.Config{Limiter: n, Key: httplimit.ByRemoteAddr(), Headers: httplimit.HeadersNone}, func(http.ResponseWriter, *http.Request) {})
	w, r := httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", http.NoBody)
	r.RemoteAddr = from
	most := 4.0
	if racing.Detected {
		most++
	}
	if got := testing.AllocsPerRun(100, func() { h.ServeHTTP(w, r) }); got > most {
		t.Errorf("%v allocations", got)
	}
}
