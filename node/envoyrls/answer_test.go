package envoyrls_test

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"

	ratelimit "github.com/envoyproxy/go-control-plane/envoy/extensions/common/ratelimit/v3"
	rls "github.com/envoyproxy/go-control-plane/envoy/service/ratelimit/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/envoyrls"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/doortest"
)

// fields are the fields that an answer adds. Those of the draft have to parse.
func fields(t *testing.T, r *rls.RateLimitResponse) map[string]string {
	t.Helper()
	all := map[string]string{}
	header := http.Header{}
	for _, h := range r.GetResponseHeadersToAdd() {
		all[h.GetKey()] = h.GetValue()
		header.Add(h.GetKey(), h.GetValue())
	}
	doortest.Fields(t, header)
	return all
}

func TestAnswersTellEnvoyWhichFieldsToAdd(t *testing.T) {
	rules := read(t, users+`  - {key: path, value: "/é\"x", rate_limit: {unit: day, requests_per_unit: 3}}`+"\n")
	for _, c := range []struct {
		name       string
		headers    envoyrls.Headers
		over       bool
		path, want string
	}{
		{name: "free", path: "/free", want: ""},
		{name: "admitted", path: "/é\"x", want: `Ratelimit="path_/??\"x";r=2;t=28800 Ratelimit-Policy="path_/??\"x";q=3;w=86400`},
		{name: "denied", over: true, want: `Ratelimit="user";r=0;t=360 Ratelimit-Policy="user";q=10;w=3600 Retry-After=360`},
		{name: "both", over: true, path: "/é\"x", want: `Ratelimit="user";r=0;t=360, "path_/??\"x";r=3 Ratelimit-Policy="user";q=10;w=3600, "path_/??\"x";q=3;w=86400 Retry-After=360`},
		{name: "off", headers: envoyrls.Headers{Off: true}, over: true, want: ""},
		{name: "legacy", headers: envoyrls.Headers{Off: true, Limit: "X-L", Remaining: "X-R", Reset: "X-T"}, over: true, path: "/é\"x", want: "X-L=10 X-R=0 X-T=360"},
		{name: "legacy admitted", headers: envoyrls.Headers{Off: true, Limit: "X-L", Remaining: "X-R", Reset: "X-T"}, path: "/é\"x", want: "X-L=3 X-R=2 X-T=28800"},
	} {
		t.Run(c.name, func(t *testing.T) {
			n, _ := clocked(t)
			s := envoyrls.New(envoyrls.Config{Node: n, Rules: rules, Headers: c.headers})
			var ds []*ratelimit.RateLimitDescriptor
			if c.over {
				ask(t, s, request(costing(descriptor("user", "a"), 10)))
				ds = append(ds, descriptor("user", "a"))
			}
			if c.path != "" {
				ds = append(ds, descriptor("path", c.path))
			}
			var got []string
			all := fields(t, ask(t, s, request(ds...)))
			for _, name := range []string{"Ratelimit", "Ratelimit-Policy", "Retry-After", "X-L", "X-R", "X-T"} {
				if v, has := all[name]; has {
					got = append(got, name+"="+v)
				}
			}
			if text := strings.Join(got, " "); text != c.want {
				t.Errorf("got  %s\nwant %s", text, c.want)
			}
		})
	}
}

func TestMetadataOfTheRulesThatPassIsMerged(t *testing.T) {
	s := envoyrls.New(envoyrls.Config{Node: openNode(t), Metadata: true, Rules: read(t, `
domain: d
descriptors:
  - {key: a, metadata: {team: one, route: {tier: 2, deep: {x: true}}}, rate_limit: {unit: hour, requests_per_unit: 10}}
  - {key: b, metadata: {team: two, route: {tier: 3, deep: {y: "no"}}, list: [1, null, x]}, rate_limit: {unit: hour, requests_per_unit: 10}}
  - {key: c, metadata: {team: three, secret: 1}, quota_mode: true, rate_limit: {unit: hour, requests_per_unit: 1}}
`)})
	req := request(descriptor("a", "1", "z", ""), costing(descriptor("a", "1"), 2), descriptor("b", "2"), costing(descriptor("c", "3"), 5))
	req.HitsAddend = 3
	limited := descriptor("o", "4")
	limited.Limit = &ratelimit.RateLimitDescriptor_RateLimitOverride{RequestsPerUnit: 9, Unit: typev3.RateLimitUnit_DAY}
	req.Descriptors = append(req.Descriptors, limited)
	for range 2 { // merging changes no rule
		got := ask(t, s, req).GetDynamicMetadata().AsMap()
		of, _ := got["descriptors"].([]any)
		if len(of) != 5 {
			t.Fatalf("got %v", got)
		}
		override, _ := of[4].(map[string]any)
		if text, _ := override["limit"].(string); !strings.Contains(text, "requests_per_unit:9") {
			t.Errorf("got %v", override)
		}
		delete(override, "limit") // protobuf varies its text
		want := map[string]any{
			"domain": "d", "hitsAddend": 3.0,
			"descriptors": []any{
				map[string]any{"entries": []any{"a=1", "z="}},
				map[string]any{"entries": []any{"a=1"}, "hitsAddend": 2.0},
				map[string]any{"entries": []any{"b=2"}},
				map[string]any{"entries": []any{"c=3"}, "hitsAddend": 5.0},
				map[string]any{"entries": []any{"o=4"}},
			},
			"metadata": map[string]any{
				"team": "one", "list": []any{1.0, nil, "x"},
				"route": map[string]any{"tier": 2.0, "deep": map[string]any{"x": true, "y": "no"}},
			},
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("got  %v\nwant %v", got, want)
		}
	}
}

func TestTheServiceOverHTTP(t *testing.T) {
	s := envoyrls.New(envoyrls.Config{Node: openNode(t), Rules: read(t, users)})
	server := httptest.NewServer(s.Handler(func(r *http.Request) string {
		if r.URL.RawQuery == "may" {
			return ""
		}
		return "send a token"
	}))
	defer server.Close()
	const back = `{"domain":"d","descriptors":[{"entries":[{"key":"none"}]},{"entries":[{"key":"user","value":"a"}],"hitsAddend":"14","isNegativeHits":true}]}`
	const one = `{"domain":"d","descriptors":[{"entries":[{"key":"user","value":"a"}],"hitsAddend":"10"}]}`
	for _, c := range []struct {
		method, path, body string
		code               int
		says               string
	}{
		{"POST", "/json", one, 200, `"overallCode":"OK"`},
		{"POST", "/json", one, 429, `"OVER_LIMIT"`},
		{"POST", "/json", `{"domain":"d"}`, 400, "descriptors: must not be empty"},
		{"POST", "/json", `{"domain":`, 400, "no RateLimitRequest"},
		{"POST", "/json", `{"domian":"d"}`, 400, "domian"},
		{"POST", "/json", `"` + strings.Repeat("x", 1<<20) + `"`, 400, "too large"},
		{"POST", "/json", back, 403, "descriptors[1].is_negative_hits: send a token"},
		{"POST", "/json?may", back, 200, `"limitRemaining":4`},
		{"GET", "/json", one, 405, ""},
		{"GET", "/healthcheck", "", 200, "OK"},
		{"GET", "/other", "", 404, ""},
	} {
		req, err := http.NewRequestWithContext(t.Context(), c.method, server.URL+c.path, bytes.NewReader([]byte(c.body)))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := server.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if says := strings.ReplaceAll(string(body), " ", ""); resp.StatusCode != c.code || !strings.Contains(says, strings.ReplaceAll(c.says, " ", "")) {
			t.Errorf("%s %.60s: got %d %.200s", c.path, c.body, resp.StatusCode, body)
		}
	}
	s.SetServing(false)
	w := httptest.NewRecorder()
	s.Handler(nil).ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/healthcheck", nil))
	if w.Code != 500 {
		t.Errorf("not serving: got %d", w.Code)
	}
	w = httptest.NewRecorder()
	s.Handler(nil).ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/json", strings.NewReader(back)))
	if w.Code != 403 {
		t.Errorf("without a judge: got %d %s", w.Code, w.Body)
	}
}

func TestHitsAreCountedByRule(t *testing.T) {
	s := envoyrls.New(envoyrls.Config{Node: openNode(t), Stats: true, Rules: read(t, `
domain: d
descriptors:
  - {key: user, rate_limit: {unit: hour, requests_per_unit: 10}}
  - {key: user, value: vip, shadow_mode: true, rate_limit: {unit: hour, requests_per_unit: 1}}
  - {key: page, detailed_metric: true, rate_limit: {unit: hour, requests_per_unit: 10}}
  - key: route
    value_to_metric: true
    descriptors:
      - {key: method, rate_limit: {unit: hour, requests_per_unit: 10}}
      - {key: verb, value: "G*", rate_limit: {unit: hour, requests_per_unit: 10}}
  - {key: file, value: "f*", share_threshold: true, detailed_metric: true, rate_limit: {unit: hour, requests_per_unit: 10}}
`)})
	for range 9 {
		ask(t, s, request(descriptor("user", "a")))
	}
	req := request(descriptor("user", "a"))
	req.HitsAddend = 2
	ask(t, s, req)
	ask(t, s, request(costing(descriptor("user", "vip"), 3)))
	ask(t, s, request(costing(descriptor("user", "a"), 0)))
	ask(t, s, request(descriptor("page", "/1"), descriptor("route", "/x", "method", "GET"), descriptor("route", "/x", "verb", "GET"), descriptor("file", "f1"), descriptor("none", "1")))
	want := []envoyrls.RuleStats{
		{Domain: "d", Rule: "file_f*", Total: 1, Within: 1},
		{Domain: "d", Rule: "page_/1", Total: 1, Within: 1},
		{Domain: "d", Rule: "route_/x.method", Total: 1, Within: 1},
		{Domain: "d", Rule: "route_/x.verb_G*", Total: 1, Within: 1},
		{Domain: "d", Rule: "user", Total: 11, Within: 9, Near: 1, Over: 2},
		{Domain: "d", Rule: "user_vip", Total: 3, Over: 3, Shadow: 3},
	}
	if got := s.Stats(); !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

// Clients' values make up names. Long ones cost memory here, and in whatever scrapes.
func TestLongNamesAreCountedAsOne(t *testing.T) {
	s := envoyrls.New(envoyrls.Config{Node: openNode(t), Stats: true, Rules: read(t, "domain: d\ndescriptors:\n  - {key: path, detailed_metric: true, rate_limit: {unit: hour, requests_per_unit: 10}}\n")})
	long := strings.Repeat("x", 256-len("d\x00path_"))
	for _, value := range []string{long, long + "x", long + "y", strings.Repeat("z", 1<<16)} {
		ask(t, s, request(descriptor("path", value)))
	}
	want := []envoyrls.RuleStats{{Rule: envoyrls.OtherRules, Total: 3, Within: 3}, {Domain: "d", Rule: "path_" + long, Total: 1, Within: 1}}
	if got := s.Stats(); !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}
