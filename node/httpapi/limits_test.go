package httpapi_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/httpapi"
)

// leaper is a node whose clock stands still, and leaps over the time that a change
// needs to be in force.
type leaper struct {
	*node.Node
	ahead *atomic.Int64
}

func (l leaper) SetLimit(name string, p node.Policy) (time.Time, error) {
	from, err := l.Node.SetLimit(name, p)
	l.ahead.Add(int64(250 * time.Millisecond))
	return from, err
}

func (l leaper) DeleteLimit(name string) (time.Time, error) {
	from, err := l.Node.DeleteLimit(name)
	l.ahead.Add(int64(250 * time.Millisecond))
	return from, err
}

func leaping(t *testing.T, cfg node.Config) leaper {
	t.Helper()
	l := leaper{ahead: newAhead(0)}
	cfg.Now = l.now
	l.Node = open(t, cfg)
	return l
}

func newAhead(d time.Duration) *atomic.Int64 {
	ahead := new(atomic.Int64)
	ahead.Store(int64(d))
	return ahead
}

func (l leaper) now() time.Time { return start.Add(time.Duration(l.ahead.Load())) }

func TestWhatALimitAnswersCanBePutBack(t *testing.T) {
	h := httpapi.New(httpapi.Config{Node: leaping(t, several()), Loopback: true})
	const rest = `"max_overshoot":0.1,"on_isolation":"keep","consistency":"eventual","shadow":false`
	for body, want := range map[string]string{
		`{"limit":5,"window":60}`:                                                             `{"limit":5,"window":60,"burst":5,"algorithm":"gcra","resolution":1,"time_zone":"UTC",` + rest + `}`,
		`{"limit":5,"window":"1.5s","burst":9,"max_overshoot":0.1}`:                           `{"limit":5,"window":1.5,"burst":9,"algorithm":"gcra","resolution":1,"time_zone":"UTC",` + rest + `}`,
		`{"limit":5,"window":"month","algorithm":"fixed_window","time_zone":"Europe/Berlin"}`: `{"limit":5,"window":"month","burst":5,"algorithm":"fixed_window","resolution":1,"time_zone":"Europe/Berlin",` + rest + `}`,
		`{"limit":5,"window":"15m","algorithm":"fixed_window"}`:                               `{"limit":5,"window":900,"burst":5,"algorithm":"fixed_window","resolution":1,"time_zone":"UTC",` + rest + `}`,
		`{"limit":5,"window":60,"algorithm":"sliding_window"}`:                                `{"limit":5,"window":60,"burst":5,"algorithm":"sliding_window","resolution":1,"time_zone":"UTC",` + rest + `}`,
		`{"limit":5,"window":60,"algorithm":"sliding_window","resolution":12}`:                `{"limit":5,"window":60,"burst":5,"algorithm":"sliding_window","resolution":12,"time_zone":"UTC",` + rest + `}`,
		`{"limit":5,"window":60,"on_isolation":"share","consistency":"eventual","max_overshoot":0.01,"shadow":true}`: `{"limit":5,"window":60,"burst":5,"algorithm":"gcra","resolution":1,"time_zone":"UTC",` +
			`"max_overshoot":0.01,"on_isolation":"share","consistency":"eventual","shadow":true}`,
		`{"limit":5,"window":60,"ipv6_prefix":56}`: `{"limit":5,"window":60,"burst":5,"algorithm":"gcra","resolution":1,"time_zone":"UTC",` + rest + `,"ipv6_prefix":56}`,
		`{"use":"vip","limit":6,"overrides":[{"client":["a","b"],"use":"tenant"},{"prefix":"p-","limit":7,"window":"90s","burst":8},{"cidr":"10.0.0.0/8","block":true}]}`: `{"limit":6,"window":3600,"burst":6,"algorithm":"gcra",` +
			`"resolution":1,"time_zone":"UTC",` + rest + `,"overrides":[{"client":["a","b"],"limit":3,"window":3600},{"prefix":"p-","limit":7,"window":90,"burst":8},{"cidr":"10.0.0.0/8","block":true}]}`,
	} {
		for _, b := range []string{body, want} { // what was answered says the same
			w := ask(t, h, "PUT", "/v1/limits/x", b)
			wantStatus(t, w, http.StatusOK, isJSON)
			if got := strings.TrimSpace(w.Body.String()); got != want {
				t.Errorf("PUT %s:\ngot  %s\nwant %s", b, got, want)
			}
			if got := strings.TrimSpace(ask(t, h, "GET", "/v1/limits/x", "").Body.String()); got != want {
				t.Errorf("GET after %s:\ngot  %s\nwant %s", b, got, want)
			}
		}
	}
	for body, want := range map[string]string{
		`{"block":true}`:     `"block":true`,
		`{"unlimited":true}`: `"unlimited":true`,
	} {
		first := ask(t, h, "PUT", "/v1/limits/x", body)
		if first.Code != http.StatusOK || !strings.Contains(first.Body.String(), want) {
			t.Fatalf("got %d %s", first.Code, first.Body)
		}
		if again := ask(t, h, "PUT", "/v1/limits/x", first.Body.String()); again.Body.String() != first.Body.String() {
			t.Errorf("put back: got %s, want %s", again.Body, first.Body)
		}
	}
}

func TestLimitsThatUseEachOtherAreReadOnceAndGoInNoCircle(t *testing.T) {
	h := httpapi.New(httpapi.Config{Node: leaping(t, several()), Loopback: true})
	for _, step := range []struct{ name, body, want string }{
		{"a", `{"use":"tenant"}`, `{"limit":3,"window":3600,`},
		{"b", `{"use":"a","limit":4}`, `{"limit":4,"window":3600,`},
		{"a", `{"use":"b","window":60}`, `{"limit":4,"window":60,`},
		{"b", `{"use":"a","overrides":[{"client":"x","use":"b"}]}`, `{"limit":4,"window":60,`},
	} {
		if w := ask(t, h, "PUT", "/v1/limits/"+step.name, step.body); w.Code != http.StatusOK || !strings.HasPrefix(w.Body.String(), step.want) {
			t.Errorf("%s %s: got %d %s", step.name, step.body, w.Code, w.Body)
		}
	}
}

func TestBadOverridesAndNamesAreRefusedAndChangeNothing(t *testing.T) {
	h := httpapi.New(httpapi.Config{Node: leaping(t, several()), Loopback: true})
	before := ask(t, h, "GET", "/v1/limits", "").Body.String()
	with := func(overrides string) string { return `{"limit":5,"window":60,"overrides":[` + overrides + `]}` }
	list := func(n int, one string) string {
		all := make([]string, n)
		for i := range all {
			all[i] = strings.ReplaceAll(one, "#", fmt.Sprintf("%06d", i))
		}
		return strings.Join(all, ",")
	}
	long := strings.Repeat("x", node.MaxClientID+1)
	for _, c := range []struct {
		name, body, field, detail string
		status                    int
	}{
		{"vip", with(`{"client":"a","limit":1},{"client":["b","a"],"limit":2}`), "overrides[1].client", "is in overrides[0] already", 400},
		{"vip", with(`{"prefix":"a","limit":1},{"prefix":"a","limit":2}`), "overrides[1].prefix", "is in overrides[0] already", 400},
		{"vip", with(`{"cidr":"10.0.0.0/8","limit":1},{"cidr":"10.9.9.9/8","limit":2}`), "overrides[1].cidr", "is in overrides[0] already", 400},
		{"vip", with(`{"cidr":"10.0.0.0/99","limit":1}`), "overrides[0].cidr", "must be a network", 400},
		{"vip", with(`{"client":"","limit":1}`), "overrides[0].client", "must not be empty", 400},
		{"vip", with(`{"prefix":"","limit":1}`), "overrides[0].prefix", "must not be empty", 400},
		{"vip", with(`{"client":"` + long + `","limit":1}`), "overrides[0].client", "at most 1024 bytes", 400},
		{"vip", with(`{"limit":1}`), "overrides[0]", "client, prefix or cidr", 400},
		{"vip", with(`{"client":"a"}`), "overrides[0]", "must have block", 400},
		{"vip", with(`{"client":"a","window":-1}`), "overrides[0].window", "must be from 1ms", 400},
		{"vip", with(`{"client":"a","block":true,"limit":1}`), "overrides[0].limit", "must be left out", 400},
		{"vip", with(`{"client":"a","limit":1,"client":"b"}`), "overrides[0].client", "more than once", 400},
		{"vip", with(`{"client":"a","use":"nope"}`), "overrides[0].use", "is no limit", 400},
		{"vip", with(`{"client":"a","use":"day"}`), "overrides[0].use", "with the algorithm gcra", 400},
		{"vip", with(list(10_001, `{}`)), "overrides", "has 10001 entries", 400},
		{"vip", with(list(1500, `{"client":"client-#","limit":7}`)), "overrides", "must fit into 32768 bytes", 400},
		{"vip", with(list(9_000, `{"client":"c#","limit":7}`)), "body", "larger than 65536 bytes", 413},
		{"vip", with(`{"client":"` + strings.Repeat("x", 1<<20) + `","limit":1}`), "body", "larger than 65536 bytes", 413},
		{"vip", `{"limit":5,"window":60,"overrides":` + strings.Repeat("[", 1000) + strings.Repeat("]", 1000) + `}`, "body", "nested more than 16 deep", 400},
		{"vip", `{"limit":5,"window":60,"ipv6_prefix":129}`, "ipv6_prefix", "from 1 to 128", 400},
		{"vip", `{"limit":5,"window":60,"resolution":61,"algorithm":"sliding_window"}`, "resolution", "60", 400},
		{"vip", `{"limit":5,"window":60,"resolution":2}`, "resolution", "", 400},
		{"vip", `{"limit":5,"window":"month"}`, "window", "", 400},
		{"vip", `{"limit":5,"window":"7s","algorithm":"fixed_window"}`, "window", "", 400},
		{"vip", `{"limit":5,"window":"day","algorithm":"fixed_window","time_zone":"Mars/Olympus"}`, "time_zone", "", 400},
		{"vip", `{"limit":5,"window":60,"burst":9,"algorithm":"sliding_window"}`, "burst", "", 400},
		{"called", `{"limit":5,"window":60}`, "name", "choose another", 400},
		{"a%2Ab", `{"limit":5,"window":60}`, "name", "1 to 64 of", 400},
		{"a%3E", `{"limit":5,"window":60}`, "name", "1 to 64 of", 400},
		{"x", `{"limit":5,"window":60,"overrides":[{"client":"\ud800","block":true}]}`, "body", "must be valid UTF-8", 400},
		{"x", `{"limit":5,"window":60,"overrides":[{"prefix":["a","\udc00b"],"block":true}]}`, "body", "must be valid UTF-8", 400},
		{"a%2Fb", `{"limit":5,"window":60}`, "name", "1 to 64 of", 400},
		{"a%0Ab", `{"limit":5,"window":60}`, "name", "1 to 64 of", 400},
		{"a%22b", `{"limit":5,"window":60}`, "name", "1 to 64 of", 400},
		{"%C3%BCber", `{"limit":5,"window":60}`, "name", "1 to 64 of", 400},
		{"~a", `{"limit":5,"window":60}`, "name", "1 to 64 of", 400},
	} {
		w := ask(t, h, "PUT", "/v1/limits/"+c.name, c.body)
		if detail := wantProblem(t, w, c.status, c.field); !strings.Contains(detail, c.detail) || len(w.Body.String()) > 4096 {
			t.Errorf("%s %.100s: got %q, want %q in it", c.name, c.body, detail, c.detail)
		}
	}
	if after := ask(t, h, "GET", "/v1/limits", "").Body.String(); after != before {
		t.Errorf("the limits changed: %s", after)
	}
	if w := ask(t, h, "GET", "/v1/peek?client="+strings.Repeat("x", 1<<20), ""); w.Code != http.StatusBadRequest || w.Body.Len() > 4096 {
		t.Errorf("got %d and %d bytes", w.Code, w.Body.Len())
	}
}

func TestChangesThatComeTooFastAreToldToWait(t *testing.T) {
	h := httpapi.New(httpapi.Config{Node: quick{open(t, node.Config{})}, Loopback: true})
	w := ask(t, h, "PUT", "/v1/limits/default", `{"limit":5,"window":60}`)
	wantProblem(t, w, http.StatusServiceUnavailable, "")
	if w.Header().Get("Retry-After") != "1" {
		t.Errorf("got %v", w.Header())
	}
}

// quick is a node whose limits were changed a moment ago, often.
type quick struct{ *node.Node }

func (quick) SetLimit(string, node.Policy) (time.Time, error) {
	return time.Time{}, node.ErrTooManyChanges
}

// An entry that was set as often as its time allows is no reason to refuse an operator.
func TestALimitAtTheEndOfItsEpochsCanBeSet(t *testing.T) {
	at := start.Add(-time.Hour).UnixNano()
	const entry = `{"at":%d,"by":7,"policy":{"Limit":5,"Window":60000000000},"epoch":%d}`
	saved := fmt.Sprintf(`{"version":1,"limits":[{"name":"default","at":%d,"by":7,"revisions":[`+entry+`]}]}`, at, at, at/int64(time.Millisecond))
	l := leaping(t, node.Config{SavedLimits: []byte(saved)})
	h := httpapi.New(httpapi.Config{Node: l, Loopback: true})
	if w := ask(t, h, http.MethodGet, "/v1/limits/default", ""); !strings.Contains(w.Body.String(), `"limit":5,`) {
		t.Fatalf("the entry was not taken over: %s", w.Body)
	}
	for _, limit := range []int{7, 8} {
		w := ask(t, h, http.MethodPut, "/v1/limits/default", fmt.Sprintf(`{"limit":%d,"window":60}`, limit))
		if w.Code != http.StatusOK || !strings.Contains(w.Body.String(), fmt.Sprintf(`"limit":%d,`, limit)) {
			t.Errorf("PUT: %d %s", w.Code, w.Body)
		}
	}
	if w := ask(t, h, http.MethodDelete, "/v1/limits/default", ""); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), `"limit":100,`) {
		t.Errorf("DELETE: %d %s", w.Code, w.Body)
	}
}

// A selector that can hardly mean what it says is taken, and told in the log without the id.
func TestAPutWithADoubtfulSelectorIsLogged(t *testing.T) {
	var log bytes.Buffer
	h := httpapi.New(httpapi.Config{Node: leaping(t, several()), Loopback: true, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	body := `{"limit":5,"window":60,"overrides":[{"client":"alice","limit":7},{"client":"203.0.113.09","block":true}]}`
	wantStatus(t, ask(t, h, "PUT", "/v1/limits/x", body), http.StatusOK, isJSON)
	if got := log.String(); strings.Count(got, "hardly mean") != 1 || !strings.Contains(got, "selector=overrides[1].client") || strings.Contains(got, "203.0.113") {
		t.Errorf("got the log %s", got)
	}
}

// The status says whether what holds is what this node's configuration says.
func TestTheStatusSaysWhereALimitDiffersFromItsFile(t *testing.T) {
	named := []node.Override{{Clients: []string{"alice"}, Limit: 3}}
	var month node.Calendar
	if err := month.UnmarshalText([]byte("month")); err != nil {
		t.Fatal(err)
	}
	n := open(t, node.Config{Limits: map[string]node.Policy{
		"api":   {Limit: 5, Window: time.Minute, Overrides: named},
		"month": {Algorithm: node.FixedWindow, Limit: 9, Calendar: month, TimeZone: "UTC"},
	}})
	h := httpapi.New(httpapi.Config{Node: n, Loopback: true})
	for _, c := range []struct {
		method, name, body   string
		set, differs, listed bool
	}{
		{"GET", "api", "", false, false, true},
		{"GET", "month", "", false, false, true},
		{"PUT", "api", `{"use":"api"}`, true, false, true},
		{"PUT", "api", `{"limit":5,"window":60,"burst":5,"overrides":[{"client":"bob","limit":3}]}`, true, true, true},
		{"PUT", "api", `{"use":"api","overrides":[{"client":"alice","limit":4}]}`, true, true, true},
		{"PUT", "api", `{"limit":6,"window":60}`, true, true, true},
		{"DELETE", "api", "", false, false, true},
		{"PUT", "month", `{"algorithm":"fixed_window","limit":9,"window":"month"}`, true, false, true},
		{"PUT", "month", `{"algorithm":"fixed_window","limit":9,"window":"month","time_zone":"Asia/Tokyo"}`, true, true, true},
		{"PUT", "new", `{"limit":6,"window":60}`, true, false, true}, // there is nothing to differ from
		{"DELETE", "new", "", false, false, false},
	} {
		r := httptest.NewRequestWithContext(t.Context(), c.method, "/v1/limits/"+c.name, strings.NewReader(c.body))
		r.Host = "localhost"
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		wantStatus(t, w, http.StatusOK, "application/json")
		var got struct {
			Limits map[string]struct{ Set, Differs bool }
		}
		decode(t, ask(t, h, "GET", "/v1/status", ""), &got)
		if l, listed := got.Limits[c.name]; listed != c.listed || l.Set != c.set || l.Differs != c.differs {
			t.Errorf("%s %s %s: listed %v, %+v", c.method, c.name, c.body, listed, l)
		}
	}
}
