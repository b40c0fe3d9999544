package httpapi_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/httpapi"
)

// contract is openapi.yaml, and which of its answers were seen.
type contract struct {
	doc  *openapi3.T
	seen map[string]bool // such as "POST /v1/take 200"
}

func readContract(t *testing.T) *contract {
	t.Helper()
	doc, err := openapi3.NewLoader().LoadFromData(httpapi.OpenAPIDocument())
	if err != nil {
		t.Fatal(err)
	}
	if err := doc.Validate(t.Context()); err != nil {
		t.Fatal(err)
	}
	closed := map[*openapi3.Schema]bool{}
	for _, item := range doc.Paths.Map() {
		for _, op := range item.Operations() {
			for _, r := range op.Responses.Map() {
				for _, m := range r.Value.Content {
					closeSchema(m.Schema, closed)
				}
			}
		}
	}
	return &contract{doc: doc, seen: map[string]bool{}}
}

// closeSchema takes out of an answer's schema that members may be added: here all have
// to be described.
func closeSchema(s *openapi3.SchemaRef, closed map[*openapi3.Schema]bool) {
	if s == nil || s.Value == nil || closed[s.Value] {
		return
	}
	v := s.Value
	closed[v] = true
	if len(v.Properties) > 0 {
		no := false
		v.AdditionalProperties.Has = &no
	}
	for _, p := range v.Properties {
		closeSchema(p, closed)
	}
	for _, one := range v.OneOf {
		closeSchema(one, closed)
	}
	closeSchema(v.Items, closed)
	closeSchema(v.AdditionalProperties.Schema, closed)
}

// call is one request, by the path as it is documented.
type call struct {
	method, path, name string // the limit's name, where the path has one
	query, body        string
	inPath             string // of a path with options
	headers            []string
}

func (c call) String() string {
	return fmt.Sprintf("%s %s?%s %.200s", c.method, c.path, c.query, c.body)
}

// filled is the path with its parameters.
func (c call) filled() string {
	return strings.NewReplacer("{name}", c.name, "{limit}", c.name, "{options}", c.options(), "{path}", "a", "{file}", "app.js").Replace(c.path)
}

// options are those of a proxy that has them in the path.
func (c call) options() string { return cmp.Or(c.inPath, "key=path&cost=2") }

func (c call) send(t *testing.T, h http.Handler) *httptest.ResponseRecorder {
	t.Helper()
	target := c.filled()
	if c.query != "" {
		target += "?" + c.query
	}
	return ask(t, h, c.method, target, c.body, c.headers...)
}

func (c *contract) input(t *testing.T, one call) *openapi3filter.RequestValidationInput {
	t.Helper()
	item := c.doc.Paths.Value(one.path)
	if item == nil || item.GetOperation(one.method) == nil {
		t.Fatalf("%s %s is not described", one.method, one.path)
	}
	r := httptest.NewRequestWithContext(t.Context(), one.method, "http://127.0.0.1:8080"+one.filled()+"?"+one.query, strings.NewReader(one.body))
	if one.body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	return &openapi3filter.RequestValidationInput{
		Request: r, PathParams: map[string]string{"name": one.name, "limit": one.name, "options": one.options(), "path": "a", "file": "app.js"},
		Route:   &routers.Route{Spec: c.doc, Path: one.path, PathItem: item, Method: one.method, Operation: item.GetOperation(one.method)},
		Options: &openapi3filter.Options{AuthenticationFunc: openapi3filter.NoopAuthenticationFunc, IncludeResponseStatus: true},
	}
}

// checkRequest says how a request differs from what is described.
func (c *contract) checkRequest(t *testing.T, one call) error {
	t.Helper()
	return openapi3filter.ValidateRequest(t.Context(), c.input(t, one))
}

// checkAnswer says how an answer differs from what is described, and notes it.
func (c *contract) checkAnswer(t *testing.T, one call, w *httptest.ResponseRecorder) error {
	t.Helper()
	in := c.input(t, one)
	op := in.Route.Operation
	answer := op.Responses.Status(w.Code)
	if answer == nil {
		return fmt.Errorf("status %d is not described", w.Code)
	}
	contentType, _, _ := strings.Cut(w.Header().Get("Content-Type"), ";")
	if _, described := answer.Value.Content[contentType]; !described && (contentType != "" || len(answer.Value.Content) > 0) {
		return fmt.Errorf("content type %s is not described for status %d", contentType, w.Code)
	}
	c.seen[fmt.Sprintf("%s %s %d", one.method, one.path, w.Code)] = true
	if contentType != "" && !strings.HasSuffix(contentType, "json") {
		return nil
	}
	out := &openapi3filter.ResponseValidationInput{RequestValidationInput: in, Status: w.Code, Header: w.Header(), Options: in.Options}
	out.SetBodyBytes(bytes.Clone(w.Body.Bytes()))
	return openapi3filter.ValidateResponse(t.Context(), out)
}

// described is a handler over the limits that the document's examples name.
func described(t *testing.T) http.Handler {
	t.Helper()
	n := leaping(t, node.Config{Limits: map[string]node.Policy{
		"default": {Limit: 100, Window: time.Minute},
		"day":     {Algorithm: node.FixedWindow, Limit: 1000, Calendar: 4},
		"tenant":  {Limit: 500, Window: time.Minute},
		"api":     {Limit: 100, Window: time.Minute, Overrides: []node.Override{{Clients: []string{"monitoring"}, Access: node.Unlimited}}},
		"pair":    {Limit: 2, Window: time.Minute},
		"search":  {Algorithm: node.SlidingWindow, Limit: 2, Window: time.Second, Shadow: true},
	}})
	return httpapi.New(httpapi.Config{Node: n, Loopback: true, TrustedProxies: testProxies, Metrics: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	}), Dashboard: board(0)})
}

// board answers as a dashboard does, or with another status.
func board(status int) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		kind := map[string]string{"/": "text/html", "/ui/app.js": "text/javascript", "/v1/events": "text/event-stream"}[r.URL.Path]
		if status != 0 {
			kind = "text/plain"
		}
		w.Header().Set("Content-Type", kind)
		w.WriteHeader(cmp.Or(status, http.StatusOK))
	})
}

func TestExactlyWhatIsServedIsDescribed(t *testing.T) {
	got := map[string][]string{}
	for path, item := range readContract(t).doc.Paths.Map() {
		got[path] = slices.Sorted(maps.Keys(item.Operations()))
	}
	if want := httpapi.Routes(); !reflect.DeepEqual(got, want) {
		t.Errorf("described are\n%v, served are\n%v", got, want)
	}
	w := ask(t, described(t), "GET", "/openapi.yaml", "")
	wantStatus(t, w, http.StatusOK, "application/yaml")
	if !bytes.Equal(w.Body.Bytes(), httpapi.OpenAPIDocument()) {
		t.Error("another document is served")
	}
}

// examples are the requests that the document shows: each body, and the query, once with
// all that it may have and once with what it must have.
func (c *contract) examples(t *testing.T) (all []call) {
	t.Helper()
	for path, item := range c.doc.Paths.Map() {
		for method, op := range item.Operations() {
			least, whole := url.Values{}, url.Values{}
			shown := true
			for _, p := range slices.Concat(item.Parameters, op.Parameters) {
				switch {
				case p.Value.In != "query":
				case p.Value.Example == nil:
					shown = false
				default:
					whole.Set(p.Value.Name, fmt.Sprint(p.Value.Example))
					if p.Value.Required || p.Value.Name == "client" {
						least.Set(p.Value.Name, fmt.Sprint(p.Value.Example))
					}
				}
			}
			if op.RequestBody != nil {
				for _, e := range op.RequestBody.Value.Content["application/json"].Examples {
					body, err := json.Marshal(e.Value.Value)
					if err != nil {
						t.Fatal(err)
					}
					all = append(all, call{method: method, path: path, name: "api", body: string(body)})
				}
			}
			if shown && len(whole) > 0 {
				all = append(all, call{method: method, path: path, name: "api", query: whole.Encode()})
			}
			if op.RequestBody == nil || len(least) > 0 {
				all = append(all, call{method: method, path: path, name: "api", query: least.Encode()})
			}
		}
	}
	for i := range all {
		if strings.HasPrefix(all[i].path, "/v1/forward/") {
			all[i].headers = []string{"X-Forwarded-For", "198.51.100.7", "X-Forwarded-Uri", "/a?b"}
		}
	}
	return all
}

func TestExamplesAreAnsweredAsDescribed(t *testing.T) {
	c := readContract(t)
	examples := c.examples(t)
	for _, one := range examples {
		h := described(t)
		ask(t, h, "POST", "/v1/take?client=alice", "")
		ask(t, h, "POST", "/v1/take?client=alice&limit=search&cost=2", "")
		if err := c.checkRequest(t, one); err != nil {
			t.Errorf("%v: %v", one, err)
		}
		w := one.send(t, h)
		if w.Code != http.StatusOK {
			t.Errorf("%v: got %d %s", one, w.Code, w.Body)
		}
		if err := c.checkAnswer(t, one, w); err != nil {
			t.Errorf("%v: %v in %s", one, err, w.Body)
		}
	}
	if len(examples) < 40 {
		t.Errorf("there are %d examples", len(examples))
	}
}

// stubborn is a node that cannot do what it is asked.
type stubborn struct {
	leaper
	err error
}

func (s stubborn) SetLimit(string, node.Policy) (time.Time, error) { return time.Time{}, s.err }
func (s stubborn) DeleteLimit(string) (time.Time, error)           { return time.Time{}, s.err }
func (s stubborn) Reset(string, string) error                      { return s.err }
func (s stubborn) Refund(context.Context, node.Request) (node.Refund, error) {
	return node.Refund{}, s.err
}
func (s stubborn) Ready() error { return s.err }

func (s stubborn) DoDetailed(node.Request) node.Detail {
	return node.Detail{Decision: node.Decision{Reason: node.ReasonTooManyPolicies}, Fault: node.ErrTooManyPolicies}
}

func (s stubborn) Charge(node.Request) node.ChargeDetail {
	return node.ChargeDetail{Decision: node.Decision{Reason: node.ReasonTooManyPolicies}, Fault: node.ErrTooManyPolicies}
}

func TestEveryAnswerThatIsDescribedIsGiven(t *testing.T) {
	c := readContract(t)
	for _, one := range c.examples(t) {
		w := one.send(t, described(t))
		if err := c.checkAnswer(t, one, w); err != nil {
			t.Errorf("%v: %v", one, err)
		}
	}
	h := described(t)
	n := leaping(t, node.Config{})
	token := reserve(t, h, `{"client":"bob","cost":40}`)
	closed := httpapi.New(httpapi.Config{Node: n})
	long := `{"x":"` + strings.Repeat("x", 70<<10) + `"}`
	failing := func(err error) http.Handler {
		return httpapi.New(httpapi.Config{Node: stubborn{n, err}, Loopback: true})
	}
	for _, one := range []struct {
		call
		h http.Handler
	}{
		{call{method: "POST", path: "/v1/take", query: "client=x&cost=100"}, h},
		{call{method: "POST", path: "/v1/take", body: `{"client":"x","also":[{"limit":"day"}]}`}, h},
		{call{method: "POST", path: "/v1/take", body: `{"client":"x","policy":{"limit":0}}`}, h},
		{call{method: "POST", path: "/v1/take", body: `{"client":"x","also":[{"limit":"nope"}]}`}, h},
		{call{method: "POST", path: "/v1/take", body: long}, h},
		{call{method: "POST", path: "/v1/take", query: "client=x"}, failing(nil)},
		{call{method: "POST", path: "/v1/take", body: `{"client":"x","policy":{"block":true}}`}, h},
		{call{method: "POST", path: "/v1/charge", query: "client=x&cost=250"}, h},
		{call{method: "POST", path: "/v1/charge", body: `{"client":"x","also":[{"limit":"day"}]}`}, h},
		{call{method: "POST", path: "/v1/charge", body: `{"client":"x","at_most":true}`}, h},
		{call{method: "POST", path: "/v1/charge", query: "client=x&limit=nope"}, h},
		{call{method: "POST", path: "/v1/charge", body: long}, h},
		{call{method: "POST", path: "/v1/charge", query: "client=x"}, failing(nil)},
		{call{method: "POST", path: "/v1/refund", query: "client=y&cost=250"}, h},
		{call{method: "POST", path: "/v1/refund", body: `{"client":"x","also":[{"limit":"day"}]}`}, h},
		{call{method: "POST", path: "/v1/refund", query: "client=x"}, closed},
		{call{method: "POST", path: "/v1/refund", query: "client=x&limit=nope"}, h},
		{call{method: "POST", path: "/v1/refund", body: long}, h},
		{call{method: "POST", path: "/v1/refund", query: "client=x"}, failing(node.ErrTooManyHeld)},
		{call{method: "GET", path: "/v1/peek", query: "client=x"}, h},
		{call{method: "GET", path: "/v1/peek", query: "client="}, h},
		{call{method: "GET", path: "/v1/peek", query: "client=x&limit=nope"}, h},
		{call{method: "POST", path: "/v1/reserve", body: `{"client":"x","cost":7}`}, h},
		{call{method: "POST", path: "/v1/reserve", body: `{"client":"x","timeout":0}`}, h},
		{call{method: "POST", path: "/v1/reserve", body: `{"client":"x","limit":"nope"}`}, h},
		{call{method: "POST", path: "/v1/reserve", body: long}, h},
		{call{method: "POST", path: "/v1/reserve", query: "client=x"}, httpapi.New(httpapi.Config{Node: settling{Node: n.Node, err: node.ErrTooManyHeld}})},
		{call{method: "POST", path: "/v1/commit", body: `{"reservation":"` + token + `","actual":50}`}, h},
		{call{method: "POST", path: "/v1/cancel", query: "reservation=" + token}, h},
		{call{method: "POST", path: "/v1/batch", body: `{"requests":[{"client":"x","cost":100},{"client":"x"}],"all_or_nothing":true}`}, h},
		{call{method: "POST", path: "/v1/batch", body: `{"requests":[{"client":"x","limit":"nope"}],"all_or_nothing":true}`}, h},
		{call{method: "POST", path: "/v1/batch", body: `{"requests":[]}`}, h},
		{call{method: "POST", path: "/v1/batch", body: long + strings.Repeat(" ", 300<<10)}, h},
		{call{method: "POST", path: "/v1/batch", body: `{"requests":[{"client":"x"}],"all_or_nothing":true}`}, failing(nil)},
		{call{method: "GET", path: "/v1/limits", headers: []string{"If-None-Match", "*"}}, h},
		{call{method: "GET", path: "/v1/limits/{name}", name: "api", headers: []string{"If-None-Match", "*"}}, h},
		{call{method: "PUT", path: "/v1/limits/{name}", name: "api", body: `{"limit":1,"window":1}`, headers: []string{"If-None-Match", "*"}}, h},
		{call{method: "DELETE", path: "/v1/limits/{name}", name: "api", headers: []string{"If-Match", `"x"`}}, h},
		{call{method: "GET", path: "/v1/forward/{limit}", name: "api"}, h},
		{call{method: "GET", path: "/v1/forward/{limit}", name: "api", headers: []string{"X-Forwarded-For", "x"}}, h},
		{call{method: "GET", path: "/v1/forward/{limit}", name: "api"}, closed},
		{call{method: "GET", path: "/v1/forward/{limit}", name: "api", query: "deny=403"}, closed},
		{call{method: "GET", path: "/v1/forward/{limit}", name: "api", query: "key=header:K&cost=100", headers: []string{"K", "a"}}, h},
		{call{method: "GET", path: "/v1/forward/{limit}", name: "api", query: "key=header:K", headers: []string{"K", "a"}}, h},
		{call{method: "GET", path: "/v1/forward/{limit}", name: "api", query: "key=header:K&deny=403", headers: []string{"K", "a"}}, h},
		{call{method: "GET", path: "/v1/forward/{limit}", name: "nope", query: "key=header:K", headers: []string{"K", "a"}}, h},
		{call{method: "GET", path: "/v1/forward/{limit}/{options}/{path}", name: "nope"}, h},
		{call{method: "GET", path: "/v1/forward/{limit}/{options}/{path}", name: "pair", inPath: "key=color"}, h},
		{call{method: "GET", path: "/v1/forward/{limit}/{options}/{path}", name: "pair", inPath: "-"}, closed},
		{call{method: "GET", path: "/v1/forward/{limit}/{options}/{path}", name: "pair", inPath: "deny=403"}, closed},
		{call{method: "GET", path: "/v1/forward/{limit}/{options}/{path}", name: "pair"}, h},
		{call{method: "GET", path: "/v1/forward/{limit}/{options}/{path}", name: "pair"}, h},
		{call{method: "POST", path: "/v1/reset", body: `{"client":""}`}, h},
		{call{method: "POST", path: "/v1/reset", query: "client=x"}, closed},
		{call{method: "POST", path: "/v1/reset", query: "client=x&limit=nope"}, h},
		{call{method: "POST", path: "/v1/reset", body: long}, h},
		{call{method: "POST", path: "/v1/reset", query: "client=x"}, failing(node.ErrTooManyResets)},
		{call{method: "GET", path: "/v1/explain", query: "client=x"}, h},
		{call{method: "GET", path: "/v1/explain", query: "client=monitoring&limit=api"}, h},
		{call{method: "GET", path: "/v1/explain", query: "client="}, h},
		{call{method: "GET", path: "/v1/explain", query: "client=x&limit=nope"}, h},
		{call{method: "GET", path: "/v1/limits/{name}", name: "nope"}, h},
		{call{method: "PUT", path: "/v1/limits/{name}", name: "x", body: `{"limit":1,"window":"day","algorithm":"fixed_window","overrides":[{"client":["a","b"],"block":true}]}`}, h},
		{call{method: "GET", path: "/v1/limits"}, h},
		{call{method: "GET", path: "/v1/status"}, h},
		{call{method: "GET", path: "/v1/shadow"}, h},
		{call{method: "PUT", path: "/v1/limits/{name}", name: "x", body: `{"limit":-1}`}, h},
		{call{method: "PUT", path: "/v1/limits/{name}", name: "x", body: `{"limit":1,"window":1}`}, closed},
		{call{method: "PUT", path: "/v1/limits/{name}", name: "x", body: `{"limit":1,"window":1}`}, failing(node.ErrTooManyLimits)},
		{call{method: "PUT", path: "/v1/limits/{name}", name: "x", body: long}, h},
		{call{method: "PUT", path: "/v1/limits/{name}", name: "x", body: `{"limit":1,"window":1}`}, failing(node.ErrTooManyChanges)},
		{call{method: "DELETE", path: "/v1/limits/{name}", name: "x"}, h},
		{call{method: "DELETE", path: "/v1/limits/{name}", name: "x"}, h},
		{call{method: "DELETE", path: "/v1/limits/{name}", name: "default"}, closed},
		{call{method: "DELETE", path: "/v1/limits/{name}", name: "default"}, failing(node.ErrTooManyChanges)},
		{call{method: "GET", path: "/v1/top", query: "n=5"}, h},
		{call{method: "GET", path: "/v1/top", query: "limit=nope"}, h},
		{call{method: "POST", path: "/v1/forget", query: "node="}, h},
		{call{method: "POST", path: "/v1/forget", query: "node=n2"}, closed},
		{call{method: "POST", path: "/v1/forget", body: long}, h},
		{call{method: "GET", path: "/readyz"}, failing(errors.New("joining"))},
		{call{method: "GET", path: "/v1/status"}, httpapi.New(httpapi.Config{Node: doubled{Node: n.Node, edit: withPeer}})},
		{call{method: "GET", path: "/v1/events"}, httpapi.New(httpapi.Config{Node: n, Dashboard: board(http.StatusServiceUnavailable)})},
	} {
		w := one.send(t, one.h)
		if err := c.checkAnswer(t, one.call, w); err != nil {
			t.Errorf("%v: %v in %s", one.call, err, w.Body)
		}
	}
	for _, path := range []string{"/v1/commit", "/v1/cancel"} {
		actual := ""
		if path == "/v1/commit" {
			actual = `,"actual":1`
		}
		for _, one := range []struct {
			body string
			h    http.Handler
		}{
			{`{"reservation":"1.2"` + actual + `}`, h},
			{`{"reservation":"x"` + actual + `}`, h},
			{long, h},
			{`{"reservation":"1.2"` + actual + `}`, httpapi.New(httpapi.Config{Node: settling{Node: n.Node, err: node.ErrUnconfirmed}})},
			{`{"reservation":"1.2"` + actual + `}`, httpapi.New(httpapi.Config{Node: settling{Node: n.Node, err: node.ErrTooManyHeld}})},
		} {
			is := call{method: "POST", path: path, body: one.body}
			w := is.send(t, one.h)
			if err := c.checkAnswer(t, is, w); err != nil {
				t.Errorf("%v: %v in %s", is, err, w.Body)
			}
		}
	}
	for path, item := range c.doc.Paths.Map() {
		for method, op := range item.Operations() {
			for status := range op.Responses.Map() {
				if !c.seen[method+" "+path+" "+status] {
					t.Errorf("%s %s: nothing is answered with %s", method, path, status)
				}
			}
		}
	}
}

// What the document says is strict enough to find what is wrong.
func TestADifferenceFromTheDescriptionIsFound(t *testing.T) {
	c := readContract(t)
	take := call{method: "POST", path: "/v1/take", body: `{"client":"a"}`}
	good := take.send(t, described(t))
	for name, edit := range map[string]func(string) string{
		"a member more":    func(s string) string { return strings.Replace(s, "{", `{"more":1,`, 1) },
		"a member less":    func(s string) string { return strings.Replace(s, `"allowed":true,`, "", 1) },
		"another type":     func(s string) string { return strings.Replace(s, `"quota":100`, `"quota":"100"`, 1) },
		"a fraction":       func(s string) string { return strings.Replace(s, `"quota":100`, `"quota":1.5`, 1) },
		"another reason":   func(s string) string { return strings.Replace(s, "{", `{"reason":"whim",`, 1) },
		"a negative count": func(s string) string { return strings.Replace(s, `"remaining":99`, `"remaining":-1`, 1) },
		"deep down":        func(s string) string { return strings.Replace(s, "{", `{"limits":[{"allowed":true}],`, 1) },
	} {
		bad := httptest.NewRecorder()
		bad.Header().Set("Content-Type", isJSON)
		if _, err := bad.WriteString(edit(good.Body.String())); err != nil {
			t.Fatal(err)
		}
		if err := c.checkAnswer(t, take, bad); err == nil {
			t.Errorf("%s is not found in %s", name, bad.Body)
		}
	}
	if err := c.checkAnswer(t, take, good); err != nil {
		t.Error(err)
	}
	for name, w := range map[string]*httptest.ResponseRecorder{
		"another status": {Code: http.StatusTeapot, HeaderMap: good.Header(), Body: bytes.NewBufferString("{}")},
		"another type":   {Code: http.StatusOK, HeaderMap: http.Header{"Content-Type": {"text/html"}}, Body: bytes.NewBufferString("{}")},
		"no Retry-After": {Code: http.StatusTooManyRequests, HeaderMap: good.Header(), Body: bytes.NewBufferString(strings.TrimSpace(good.Body.String()))},
	} {
		if err := c.checkAnswer(t, take, w); err == nil {
			t.Errorf("%s is not found", name)
		}
	}
	for _, body := range []string{`{}`, `{"client":"a","cost":0}`, `{"client":"a","more":1}`, `{"client":"a","also":[{}]}`, `{"client":"a","policy":{"overrides":[]}}`} {
		if err := c.checkRequest(t, call{method: "POST", path: "/v1/take", body: body}); err == nil {
			t.Errorf("%s is not found", body)
		}
	}
}
