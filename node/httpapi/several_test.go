package httpapi_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
)

// several are limits that requests pass together.
func several() node.Config {
	return node.Config{Limits: map[string]node.Policy{
		"default": {Limit: 10, Window: time.Second},
		"day":     {Algorithm: node.FixedWindow, Limit: 25, Calendar: 4},
		"tenant":  {Limit: 3, Window: time.Hour},
		"shadow":  {Limit: 1, Window: time.Hour, Shadow: true},
		"vip":     {Limit: 1, Window: time.Hour, Overrides: []node.Override{{Clients: []string{"vip"}, Access: node.Unlimited}, {Clients: []string{"eve"}, Access: node.Blocked}, {Clients: []string{"big"}, Limit: 9}}},
	}}
}

func left(t *testing.T, h http.Handler, query string) (n int64) {
	t.Helper()
	var d struct{ Remaining int64 }
	decode(t, ask(t, h, "GET", "/v1/peek?"+query, ""), &d)
	return d.Remaining
}

func TestSeveralLimitsAnswerTogether(t *testing.T) {
	h := still(t, several())
	const body = `{"client":"alice","cost":2,"also":[{"limit":"day"},{"limit":"tenant","client":"acme","cost":1}]}`
	w := ask(t, h, "POST", "/v1/take", body)
	wantStatus(t, w, http.StatusOK, isJSON)
	const want = `{"allowed":true,"limit":"tenant","quota":3,"window_ms":3600000,"burst":3,"remaining":2,"retry_after_ms":0,"reset_after_ms":1200000,"cost":2,"limits":[` +
		`{"allowed":true,"limit":"default","quota":10,"window_ms":1000,"burst":10,"remaining":8,"retry_after_ms":0,"reset_after_ms":200,"cost":2},` +
		`{"allowed":true,"limit":"day","quota":25,"window_ms":86400000,"burst":25,"remaining":23,"retry_after_ms":0,"reset_after_ms":86400000,"cost":2},` +
		`{"allowed":true,"limit":"tenant","quota":3,"window_ms":3600000,"burst":3,"remaining":2,"retry_after_ms":0,"reset_after_ms":1200000,"cost":1}]}`
	if got := strings.TrimSpace(w.Body.String()); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	for range 2 {
		ask(t, h, "POST", "/v1/take", body)
	}
	// The tenant's is used up: the others are charged nothing, and say that they would have admitted.
	w = ask(t, h, "POST", "/v1/take", body)
	wantStatus(t, w, http.StatusTooManyRequests, isJSON)
	var d struct {
		Limit, Reason string
		Cost          int64
		Limits        []struct {
			Allowed bool
			Cost    int64
		}
	}
	decode(t, w, &d)
	if d.Limit != "tenant" || d.Reason != "over_limit" || d.Cost != 0 || fmt.Sprint(d.Limits) != "[{true 0} {true 0} {false 0}]" || w.Header().Get("Retry-After") != "1200" {
		t.Errorf("got %s %v", w.Body, w.Header())
	}
	if a, b := left(t, h, "client=alice"), left(t, h, "client=alice&limit=day"); a != 4 || b != 19 {
		t.Errorf("%d and %d are left, want 4 and 19: a denial charges none", a, b)
	}
}

func TestAtMostTakesWhatFits(t *testing.T) {
	h := still(t, several())
	for _, c := range []struct {
		target, body string
		want         string
	}{
		{"/v1/take", `{"client":"a","limit":"day","cost":20,"at_most":true}`, `"allowed":true,"limit":"day","quota":25,"window_ms":86400000,"burst":25,"remaining":5,"retry_after_ms":0,"reset_after_ms":86400000,"cost":20}`},
		{"/v1/take?client=a&limit=day&cost=1000&at_most=true", "", `"cost":5}`},
		{"/v1/take?client=a&limit=day&cost=1000&at_most=true", "", `"reason":"over_limit","cost":0}`},
		{"/v1/take?client=b&limit=day&cost=2&at_most=false", "", `"remaining":23,"retry_after_ms":0,"reset_after_ms":86400000}`},
	} {
		if w := ask(t, h, "POST", c.target, c.body); !strings.HasSuffix(strings.TrimSpace(w.Body.String()), c.want) {
			t.Errorf("%s %s: got %s", c.target, c.body, w.Body)
		}
	}
}

func TestALimitComesWithTheRequest(t *testing.T) {
	h := still(t, several())
	for i, body := range []string{
		`{"client":"a","limit":"gate-1","policy":{"limit":2,"window":60}}`,
		`{"client":"a","limit":"gate-1","policy":{"limit":2,"window":"1m","burst":2,"algorithm":"gcra","time_zone":"UTC","max_overshoot":0.1}}`,
		`{"client":"a","limit":"gate-1","policy":{"window":60.0,"limit":2}}`,
	} {
		w := ask(t, h, "POST", "/v1/take", body)
		if denied := w.Code == http.StatusTooManyRequests; denied != (i == 2) || !strings.Contains(w.Body.String(), `"limit":"gate-1","quota":2,`) {
			t.Errorf("%s: got %d %s", body, w.Code, w.Body)
		}
	}
	w := ask(t, h, "POST", "/v1/take", `{"client":"a","also":[{"policy":{"limit":7,"window":"month","algorithm":"fixed_window"},"limit":"gate-2"}]}`)
	if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), `"limit":"gate-2","quota":7,"window_ms":2678400000,`) {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
	if w := ask(t, h, "POST", "/v1/take", `{"client":"a","policy":{"block":true}}`); w.Code != http.StatusTooManyRequests || !strings.Contains(w.Body.String(), `"reason":"blocked"`) {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
}

func TestReasonsHaveTheirStatus(t *testing.T) {
	h := still(t, several())
	ask(t, h, "POST", "/v1/take?client=a&limit=shadow", "")
	for _, c := range []struct {
		query, reason, retry string
		status               int
	}{
		{"client=vip&limit=vip&cost=77", "unlimited", "", 200},
		{"client=a&limit=shadow", "shadow", "", 200},
		{"client=eve&limit=vip", "blocked", "31536000", 429},
	} {
		w := ask(t, h, "POST", "/v1/take?"+c.query, "")
		if w.Code != c.status || !strings.Contains(w.Body.String(), `"reason":"`+c.reason+`"`) || w.Header().Get("Retry-After") != c.retry {
			t.Errorf("%s: got %d %s %v", c.query, w.Code, w.Body, w.Header())
		}
	}
	if w := ask(t, h, "POST", "/v1/take?client=eve&limit=vip", ""); !strings.Contains(w.Body.String(), `"retry_after_ms":31536000000,`) {
		t.Errorf("got %s", w.Body)
	}
}

// badRequests are what take and reserve refuse in bodies of more than one limit.
var badRequests = []struct {
	body, field, detail string
	status              int
}{
	{`{"client":"a","also":{}}`, "also", "must be a list of at most 15", 400},
	{`{"client":"a","also":[` + strings.Repeat(`{"limit":"day"},`, 15) + `{"limit":"day"}]}`, "also", "must be a list of at most 15", 400},
	{`{"client":"a","also":["day"]}`, "also[0]", "must be a mapping", 400},
	{`{"client":"a","also":[{}]}`, "also[0].limit", "must be the name", 400},
	{`{"client":"a","also":[{"limit":"day"},{"limit":"nope"}]}`, "also[1].limit", `no limit "nope"`, 404},
	{`{"client":"a","limit":"nope","also":[{"limit":"nope"}]}`, "limit", `no limit "nope"`, 404},
	{`{"client":"a","also":[{"limit":"day","client":""}]}`, "also[0].client", "must not be empty", 400},
	{`{"client":"a","also":[{"limit":"day","client":"` + strings.Repeat("x", 1025) + `"}]}`, "also[0].client", "at most 1024", 400},
	{`{"client":"a","also":[{"limit":"day","cost":0}]}`, "also[0].cost", "at least 1", 400},
	{`{"client":"a","also":[{"limit":"day","cost":-1}]}`, "also[0].cost", "at least 1", 400},
	{`{"client":"a","also":[{"limit":"day","cost":1.5}]}`, "also[0].cost", "whole number", 400},
	{`{"client":"a","also":[{"limit":"day"},{"limit":"tenant","cost":4}]}`, "also[1].cost", "above the burst of 3 of limit tenant", 400},
	{`{"client":"a","cost":4,"also":[{"limit":"day"},{"limit":"tenant"}]}`, "cost", "above the burst of 3 of limit tenant", 400},
	{`{"client":"big","limit":"vip","cost":9,"also":[{"limit":"vip","client":"a","cost":2}]}`, "also[0].cost", "cost 2: is above the burst of 1", 400},
	{`{"client":"","also":[{"limit":"day"}]}`, "client", "must not be empty", 400},
	{`{"client":"a","cost":0,"also":[{"limit":"day"}]}`, "cost", "at least 1", 400},
	{`{"client":"a","also":[{"limit":"day","at_most":true}]}`, "also[0].at_most", "is unknown", 400},
	{`{"client":"a","also":[{"limit":"day","limit":"day"}]}`, "also[0].limit", "more than once", 400},
	{`{"client":"a","at_most":1}`, "at_most", "true or false", 400},
	{`{"client":"a","at_most":"true"}`, "at_most", "true or false", 400},
	{`{"client":"a","policy":7}`, "policy", "must be a mapping", 400},
	{`{"client":"a","policy":{}}`, "policy.limit", "must be at least 1", 400},
	{`{"client":"a","policy":{"limit":0,"window":60}}`, "policy.limit", "block: true", 400},
	{`{"client":"a","policy":{"limit":5,"window":-60}}`, "policy.window", "must be from 1ms", 400},
	{`{"client":"a","policy":{"limit":5,"window":60,"burst":-1}}`, "policy.burst", "must be", 400},
	{`{"client":"a","policy":{"limit":5,"window":60,"burst":9,"algorithm":"sliding_window"}}`, "policy.burst", "", 400},
	{`{"client":"a","policy":{"limit":5,"window":60,"overrides":[]}}`, "policy.overrides", "must be left out", 400},
	{`{"client":"a","policy":{"limit":5,"window":60,"use":"default"}}`, "policy.use", "must be left out", 400},
	{`{"client":"a","policy":{"limit":5,"window":60,"ipv6_prefix":64}}`, "policy.ipv6_prefix", "must be left out", 400},
	{`{"client":"a","policy":{"limit":5,"window":"day","algorithm":"fixed_window","time_zone":"Europe/Berlin"}}`, "policy.time_zone", "must be UTC", 400},
	{`{"client":"a","policy":{"limit":5,"window":60,"max_overshoot":0.5}}`, "policy.max_overshoot", "must be 0.1", 400},
	{`{"client":"a","policy":{"limit":5,"window":60,"quota":1}}`, "policy.quota", "known are limit, window", 400},
	{`{"client":"a","limit":"a b","policy":{"limit":5,"window":60}}`, "limit", "1 to 64 of", 400},
	{`{"client":"a","limit":"called","policy":{"limit":5,"window":60}}`, "limit", "choose another", 400},
	{`{"client":"a","also":[{"limit":"day"},{"policy":{"limit":-5,"window":60}}]}`, "also[1].policy.limit", "must be from 1", 400},
	{`{"client":"a","also":[{"limit":"no/name","policy":{"limit":5,"window":60}}]}`, "also[0].limit", "1 to 64 of", 400},
	{`{"client":"a","cost":6,"policy":{"limit":5,"window":60}}`, "cost", "above the burst of 5 of limit default", 400},
	{`{"client":"a","also":` + strings.Repeat("[", 40) + strings.Repeat("]", 40) + `}`, "body", "16 deep", 400},
	{`{"client":"` + strings.Repeat("x", 1<<20) + `"}`, "body", "larger than 16384", 413},
}

func TestBadRequestsOnSeveralLimitsNameTheirFieldAndTakeNothing(t *testing.T) {
	h := still(t, several())
	for _, path := range []string{"/v1/take", "/v1/reserve"} {
		for _, c := range badRequests {
			if detail := wantProblem(t, ask(t, h, "POST", path, c.body), c.status, c.field); !strings.Contains(detail, c.detail) {
				t.Errorf("%s %.200s: got %q, want %q in it", path, c.body, detail, c.detail)
			}
		}
		for _, name := range []string{"also", "policy"} {
			if detail := wantProblem(t, ask(t, h, "POST", path+"?client=a&"+name+"=x", ""), 400, name); !strings.Contains(detail, "JSON body") {
				t.Errorf("got %q", detail)
			}
		}
	}
	for limit, want := range map[string]int64{"default": 10, "day": 25, "tenant": 3, "vip": 1} {
		if got := left(t, h, "client=a&limit="+limit); got != want {
			t.Errorf("%d of %s are left, want %d", got, limit, want)
		}
	}
}

func TestTooManyPoliciesAreToldToWait(t *testing.T) {
	h := still(t, several())
	for i := range node.MaxInlinePolicies {
		if w := ask(t, h, "POST", "/v1/take", fmt.Sprintf(`{"client":"a","policy":{"limit":%d,"window":60}}`, i+1)); w.Code != http.StatusOK {
			t.Fatalf("got %d %s", w.Code, w.Body)
		}
	}
	w := ask(t, h, "POST", "/v1/take", `{"client":"a","also":[{"policy":{"limit":99999,"window":60}}]}`)
	wantProblem(t, w, http.StatusServiceUnavailable, "policy")
	if w.Header().Get("Retry-After") != "60" {
		t.Errorf("got %v", w.Header())
	}
	// Others find room, and so do those whose policies are known.
	for body, from := range map[string]string{
		`{"client":"a","policy":{"limit":99999,"window":60}}`: "198.51.100.7:4711",
		`{"client":"a","policy":{"limit":99998,"window":60}}`: "[2001:db8::7]:4711",
		`{"client":"a","policy":{"limit":5000,"window":60}}`:  "192.0.2.1:1234",
	} {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "http://localhost:8080/v1/take", strings.NewReader(body))
		r.RemoteAddr = from
		w := httptest.NewRecorder()
		if h.ServeHTTP(w, r); w.Code != http.StatusOK {
			t.Errorf("%s from %s: got %d %s", body, from, w.Code, w.Body)
		}
	}
}

// Whatever one client of the API reserves, another one can.
func TestOneClientOfTheAPIDoesNotHoldAllReservations(t *testing.T) {
	h := still(t, node.Config{Limit: 1 << 40, Window: time.Second})
	from := func(address string) int {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "http://localhost:8080/v1/reserve?client=a&timeout=10m", http.NoBody)
		r.RemoteAddr = address
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w.Code
	}
	took := 0
	for i := range node.MaxHeld {
		// One client has many addresses of its own network.
		if from(fmt.Sprintf("[2001:db8::%x]:%d", i&0xffff, 1024+i&0xfff)) != http.StatusOK {
			break
		}
		took++
	}
	if took != node.MaxHeld/2 {
		t.Errorf("one client holds %d, want half of %d", took, node.MaxHeld)
	}
	if code := from("198.51.100.7:4711"); code != http.StatusOK {
		t.Errorf("another client: got %d", code)
	}
}
