package httpapi_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strings"
	"testing"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/httpapi"
)

// doubled is a node with some answers of its own.
type doubled struct {
	*node.Node
	ready error
	edit  func(*node.Stats)
}

func (d doubled) Ready() error { return d.ready }

func (d doubled) DegradedReasons() []string { return d.Stats().DegradedReasons }

func (d doubled) Stats() node.Stats {
	s := d.Node.Stats()
	if d.edit != nil {
		d.edit(&s)
	}
	return s
}

// paths lists the members of a JSON document, with [] for elements of lists.
func paths(prefix string, v any, into map[string]bool) {
	switch v := v.(type) {
	case map[string]any:
		for k, inner := range v {
			paths(prefix+"."+k, inner, into)
		}
	case []any:
		for _, inner := range v {
			paths(prefix+"[]", inner, into)
		}
	default:
		into[strings.TrimPrefix(prefix, ".")] = true
	}
}

// statusMembers is what readers of /v1/status may rely on: members may be added here,
// never removed.
var statusMembers = []string{
	"node.name", "node.cluster", "node.incarnation", "node.version", "node.now", "node.ready", "node.isolated",
	"node.clients", "node.max_clients", "node.overflowed", "node.clock_ahead_ms", "degraded", "degraded_reasons[]",
	"peers[].node", "peers[].incarnation", "peers[].state", "peers[].joining", "peers[].hears_us", "peers[].hears",
	"peers[].behind", "peers[].heard_ago_ms", "peers[].stale_ms", "peers[].skew_ms", "peers[].delay_ms", "peers[].limits_fingerprint",
	"sync.connected", "sync.ready", "sync.partial", "sync.seq", "sync.staleness_ms", "sync.skew_ms",
	"sync.sent.delta.messages", "sync.sent.delta.bytes", "sync.received.beat.messages", "sync.received.beat.bytes",
	"sync.rows_sent", "sync.rows_received", "sync.dropped.tag", "sync.rows_lost.future", "sync.gaps", "sync.mismatches",
	"sync.repairs", "sync.timeouts", "sync.publish_errors",
	"bound.default.units", "bound.default.bound_known", "bound.default.expected", "bound.default.wrongly_denied_units", "bound.default.wrongly_denied_expected", "bound.default.once.crash", "bound.default.observed_units", "bound.default.observed_peak_units",
	"limits.default.limit", "limits.default.window", "limits.default.burst", "limits.default.since", "limits.default.allowed",
	"limits.default.denied", "limits.default.allowed_units", "limits.default.denied_units",
	"refused.bad_cost", "limits.default.set", "limits.default.configured.limit", "limits.default.shadow_denied", "limits.default.shadow_denied_units",
	"latency.bounds_ns[]", "latency.counts[]", "latency.sum_ns", "latency.one_in",
}

// withPeer adds a peer of which nothing is known yet.
func withPeer(s *node.Stats) {
	s.Sync.Peers = append(s.Sync.Peers, node.PeerStats{})
	p := &s.Sync.Peers[0]
	p.Node, p.Replica, p.StaleFor, p.HeardAgo, p.Skew = "n2", 35*36+1, math.MaxInt64, 1_500_000, -2500
	s.Staleness, s.DegradedReasons = math.MaxInt64, []string{"peer_silent"}
}

func TestStatusKeepsItsMembers(t *testing.T) {
	n := open(t, node.Config{})
	h := httpapi.New(httpapi.Config{Node: doubled{Node: n, edit: withPeer}, Version: "v1.2.3"})
	ask(t, h, "POST", "/v1/take?client=alice&cost=7", "")
	w := ask(t, h, "GET", "/v1/status", "")
	wantStatus(t, w, http.StatusOK, isJSON)
	var doc any
	decode(t, w, &doc)
	got := map[string]bool{}
	paths("", doc, got)
	for _, m := range statusMembers {
		if !got[m] {
			t.Errorf("%s is missing", m)
		}
	}
	for _, part := range []string{
		`"name":"n1"`, `"version":"v1.2.3"`, `"ready":true`, `"clients":1`, `"allowed":1,"denied":0,"allowed_units":7`,
		`"node":"n2","incarnation":"z1","state":"alive"`, `"heard_ago_ms":1.5,"stale_ms":null,"skew_ms":-0.003`, `"staleness_ms":null`,
	} {
		if !strings.Contains(w.Body.String(), part) {
			t.Errorf("%s is not in %s", part, w.Body)
		}
	}
	if strings.Contains(w.Body.String(), "alice") {
		t.Errorf("a client's id is told: %s", w.Body)
	}
}

// Spans that round to nothing are 0, whatever their sign.
func TestNoSpanIsMinusZero(t *testing.T) {
	tiny := func(s *node.Stats) {
		withPeer(s)
		p := &s.Sync.Peers[0]
		s.ClockAhead, s.Skew, s.Staleness, p.Skew, p.Delay, p.HeardAgo, p.StaleFor = -1, -300, -400, -499, -1, -1, -1
	}
	h := httpapi.New(httpapi.Config{Node: doubled{Node: open(t, node.Config{}), edit: tiny}})
	if body := ask(t, h, "GET", "/v1/status", "").Body.String(); strings.Contains(body, ":-0") {
		t.Errorf("got %s", body)
	}
}

func TestTopListsTheHeaviestAndTheMostDenied(t *testing.T) {
	n := open(t, node.Config{})
	// The table samples decisions, so its counts are given here.
	h := func(redact bool) http.Handler {
		return httpapi.New(httpapi.Config{RedactClients: redact, Node: topped{n, []node.TopClient{
			{Client: "big", Allowed: 90}, {Client: "greedy", Allowed: 10, Denied: 70}, {Client: "little", Denied: 3},
		}}})
	}
	n.Take("greedy", 7)
	const greedy, little = `{"client":"greedy","allowed_units":10,"denied_units":70,"cluster_units":7,"nodes":{"n1":7}}`, `{"client":"little","allowed_units":0,"denied_units":3,"cluster_units":0,"nodes":{}}`
	const want = `{"heaviest":[{"client":"big","allowed_units":90,"denied_units":0,"cluster_units":0,"nodes":{}},` + greedy + "," + little + `],"limit":"default","most_denied":[` + greedy + "," + little + `]}`
	for _, query := range []string{"", "?limit=default", "?limit="} {
		w := ask(t, h(false), "GET", "/v1/top"+query, "")
		wantStatus(t, w, http.StatusOK, isJSON)
		if got := strings.TrimSpace(w.Body.String()); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
	redacted := ask(t, h(true), "GET", "/v1/top", "").Body.String()
	var names struct {
		Heaviest   []struct{ Client string }
		MostDenied []struct{ Client string } `json:"most_denied"`
	}
	if err := json.Unmarshal([]byte(redacted), &names); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(redacted, "greedy") || len(names.MostDenied) != 2 || names.Heaviest[1].Client != names.MostDenied[0].Client ||
		names.Heaviest[0].Client == names.Heaviest[1].Client {
		t.Errorf("got %s, want made-up names that tell clients apart", redacted)
	}
	wantProblem(t, ask(t, h(false), "GET", "/v1/top?limit=nope", ""), http.StatusNotFound, "limit")
	wantProblem(t, ask(t, h(false), "GET", "/v1/top?n=5", ""), http.StatusBadRequest, "n")
}

type topped struct {
	*node.Node
	clients []node.TopClient
}

func (d topped) Top(limit string) ([]node.TopClient, error) {
	if limit != node.DefaultLimit {
		return nil, fmt.Errorf("%w: %q", node.ErrUnknownLimit, limit)
	}
	return d.clients, nil
}

func TestPeersAreListedByName(t *testing.T) {
	h := httpapi.New(httpapi.Config{Node: doubled{Node: open(t, node.Config{}), edit: func(s *node.Stats) {
		for i, name := range []string{"n3", "n2", "n4"} {
			s.Sync.Peers = append(s.Sync.Peers, node.PeerStats{})
			s.Sync.Peers[i].Node = name
		}
	}}})
	var got struct{ Peers []struct{ Node string } }
	decode(t, ask(t, h, "GET", "/v1/status", ""), &got)
	if names := fmt.Sprint(got.Peers); names != "[{n2} {n3} {n4}]" {
		t.Errorf("got %s", names)
	}
}

func TestHealthTellsLifeFromReadinessAndWhy(t *testing.T) {
	n := open(t, node.Config{})
	const (
		facts    = "node: n1 of cluster default, version unknown\npeers: 0 alive, 0 suspect, 0 gone\nconnected: false\nisolated: false\n"
		degraded = "degraded by not_connected: no connection to the network; until the node is connected\n"
	)
	for _, c := range []struct {
		ready   error
		reasons []string
		path    string
		status  int
		body    string
	}{
		{nil, nil, "/livez", 200, "ok\n"},
		{errors.New("joining"), []string{"not_connected"}, "/livez", 200, "ok\n"},
		{nil, nil, "/readyz", 200, "ready\n"},
		{nil, []string{"not_connected"}, "/readyz", 200, "ready\n" + degraded},
		{errors.New("joining"), nil, "/readyz", 503, "not ready: joining\n"},
		{errors.New("joining"), []string{"not_connected"}, "/readyz", 503, "not ready: joining\n" + degraded},
		{nil, nil, "/readyz?verbose", 200, "ready\n" + facts + "degraded: false\nclients: 0 of at most 10000000\n"},
		{nil, []string{"not_connected"}, "/readyz?verbose", 200, "ready\n" + degraded + facts + "degraded: true\nclients: 0 of at most 10000000\n"},
	} {
		h := httpapi.New(httpapi.Config{Node: doubled{Node: n, ready: c.ready, edit: func(s *node.Stats) {
			s.DegradedReasons, s.Degraded = c.reasons, c.reasons != nil
		}}})
		w := ask(t, h, "GET", c.path, "")
		wantStatus(t, w, c.status, isText)
		if w.Body.String() != c.body {
			t.Errorf("%s: got %q, want %q", c.path, w.Body, c.body)
		}
	}
}

func TestTheDashboardIsMountedWhereThereIsOne(t *testing.T) {
	n := open(t, node.Config{})
	with, without := httpapi.New(httpapi.Config{Node: n, Loopback: true, Dashboard: board(0)}), httpapi.New(httpapi.Config{Node: n})
	for path, kind := range map[string]string{"/": "text/html", "/ui/app.js": "text/javascript", "/v1/events": "text/event-stream"} {
		wantStatus(t, ask(t, with, "GET", path, ""), http.StatusOK, kind)
		wantStatus(t, ask(t, with, "POST", path, ""), http.StatusMethodNotAllowed, isProblem)
		wantStatus(t, ask(t, with, "GET", path, "", "Origin", "https://example.com"), http.StatusForbidden, isProblem)
		wantStatus(t, ask(t, without, "GET", path, ""), http.StatusNotFound, isProblem)
	}
	guarded := httpapi.New(httpapi.Config{Node: n, APIToken: "secret", Dashboard: board(0)})
	wantStatus(t, ask(t, guarded, "GET", "/v1/events", ""), http.StatusUnauthorized, isProblem)
}

func TestMetricsAreMountedWhereThereAreAny(t *testing.T) {
	h := httpapi.New(httpapi.Config{Node: open(t, node.Config{}), Metrics: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusTeapot)
	})})
	if w := ask(t, h, "GET", "/metrics", ""); w.Code != http.StatusTeapot {
		t.Errorf("got %d", w.Code)
	}
	if w := ask(t, h, "POST", "/metrics", ""); w.Code != http.StatusMethodNotAllowed {
		t.Errorf("got %d", w.Code)
	}
}
