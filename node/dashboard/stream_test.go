package dashboard

import (
	"bufio"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
)

// reader reads a dashboard's stream.
type reader struct {
	t     *testing.T
	body  *bufio.Scanner
	close func()
	id    string
}

// event is what tests look at.
type event struct {
	Node     struct{ Name, Cluster, Incarnation string }
	Health   struct{ State string }
	Selected string
	Reset    bool
	Limits   []struct {
		Name, Rule, Configured string
		Inline, Set            bool
		Limit                  int64
		Bound                  *float64
	}
	More   int `json:"more_limits"`
	Nodes  []struct{ Name, State string }
	Points struct {
		At      []int64    `json:"at_ms"`
		Allowed []*float64 `json:"allowed"`
		P50     []*float64 `json:"p50_ns"`
		Bound   []*float64 `json:"bound"`
	}
	Detail struct {
		Heaviest []struct {
			Name   string
			Passes bool
			Rule   string
			Nodes  map[string]uint64
		}
		MostDenied []struct {
			Name   string
			Denied uint64 `json:"denied_units"`
		} `json:"most_denied"`
		Shares map[string]uint64
	}
	Log     []struct{ Text string }
	Pending []struct{ Name, Rule string }
}

func read(t *testing.T, server *httptest.Server, query, last string) *reader {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+"/v1/events"+query, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	if last != "" {
		req.Header.Set("Last-Event-ID", last)
	}
	resp, err := server.Client().Do(req) //nolint:bodyclose // the reader's close does
	if err != nil {
		t.Fatal(err)
	}
	if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != "text/event-stream" {
		t.Fatalf("got %s %s", resp.Status, resp.Header.Get("Content-Type"))
	}
	body := bufio.NewScanner(resp.Body)
	body.Buffer(nil, 8<<20)
	return &reader{t: t, body: body, close: func() { _ = resp.Body.Close() }}
}

// next is the next event, false at the end of the stream.
func (r *reader) next() (e event, ok bool) {
	r.t.Helper()
	for r.body.Scan() {
		name, value, _ := strings.Cut(r.body.Text(), ": ")
		switch name {
		case "id":
			r.id = value
		case "data":
			if err := json.Unmarshal([]byte(value), &e); err != nil {
				r.t.Fatalf("%v in %s", err, value)
			}
			return e, true
		}
	}
	return e, false
}

func serve(t *testing.T, d *Dashboard) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(d)
	t.Cleanup(server.Close)
	t.Cleanup(d.Close) // before the server, which waits for its streams
	return server
}

func TestTheStreamShowsTheNodeAndGoesOn(t *testing.T) {
	log := NewLog()
	n := open(t, node.Config{Cluster: "eu", Logger: slog.New(log.Handler(nil)), Limits: map[string]node.Policy{
		"default": {Limit: 2, Window: time.Minute}, "login": {Limit: 5, Window: time.Minute},
	}})
	for range 5 {
		n.Take("mallory", 1)
	}
	d := New(Config{Node: n, Log: log})
	server := serve(t, d)
	r := read(t, server, "", "")
	defer r.close()
	first, _ := r.next()
	if first.Node.Name != "n1" || first.Node.Cluster != "eu" || first.Health.State != healthy || first.Selected != "default" || !first.Reset {
		t.Errorf("got %+v", first)
	}
	if len(first.Limits) != 2 || first.Limits[1].Name != "login" || first.Limits[1].Rule != "5 per 1m" || first.Limits[0].Bound == nil {
		t.Errorf("got %+v", first.Limits)
	}
	if h := first.Detail.Heaviest; len(h) != 1 || h[0].Name != "mallory" || h[0].Passes || h[0].Rule != "2 per 1m" || h[0].Nodes["n1"] != 2 || first.Detail.Shares["n1"] != 2 {
		t.Errorf("got %+v", first.Detail)
	}
	if m := first.Detail.MostDenied; len(m) != 1 || m[0].Denied != 3 {
		t.Errorf("got %+v", m)
	}
	log.Handler(nil) // a handler more changes nothing
	slog.New(log.Handler(nil)).Info("something happened")
	var later []int64
	happened := 0
	for len(later) < 2 {
		e, ok := r.next()
		if !ok {
			t.Fatal("the stream ended")
		}
		if e.Reset {
			t.Error("a later event starts anew")
		}
		later = append(later, e.Points.At...)
		for _, one := range e.Log {
			if one.Text == "something happened" {
				happened++
			}
		}
	}
	if happened != 1 || later[0] <= first.Points.At[len(first.Points.At)-1] || later[1] <= later[0] {
		t.Errorf("it happened %d times, and the points are %v after %v", happened, later, first.Points.At)
	}

	again := read(t, server, "?limit=login", r.id)
	defer again.close()
	e, _ := again.next()
	if e.Reset || len(e.Points.At) > 2 || e.Selected != "login" || len(e.Detail.Heaviest) != 0 {
		t.Errorf("who comes again gets %+v", e)
	}
	for _, id := range []string{"x", "1-2", "other-1-1", e.Node.Incarnation + "-x-1", e.Node.Incarnation + "-1-x"} {
		stranger := read(t, server, "?limit=nope", id)
		if e, _ := stranger.next(); !e.Reset || e.Selected != "default" {
			t.Errorf("whose last event was %q gets %+v", id, e)
		}
		stranger.close()
	}
	d.Close()
	for {
		if _, ok := r.next(); !ok {
			break
		}
	}
}

// A reader that does not read holds nothing up, and misses no point.
func TestASlowReaderMissesNothing(t *testing.T) {
	n := open(t, node.Config{Limit: 5, Window: time.Minute})
	d := quiet(t, Config{Node: n})
	tick, _ := d.tick("", cursor{})
	for range 7 {
		d.sample() // nobody waits for the reader
	}
	late, _ := d.tick("", tick.to)
	if got := len(late.Points.At); got != 7 || late.Reset {
		t.Errorf("a reader that comes late gets %d points", got)
	}
}

func TestStreamsAreCapped(t *testing.T) {
	d := quiet(t, Config{Node: open(t, node.Config{Limit: 5, Window: time.Minute})})
	for range MaxStreams {
		d.streams <- struct{}{}
	}
	w := httptest.NewRecorder()
	d.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/v1/events", http.NoBody))
	if w.Code != http.StatusServiceUnavailable || w.Header().Get("Retry-After") == "" {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
}

func TestNamesAreHiddenByConfiguration(t *testing.T) {
	n := open(t, node.Config{Limit: 1, Window: time.Minute})
	n.Take("alice", 1)
	n.Take("alice", 1)
	d := quiet(t, Config{Node: n, RedactClients: true})
	tick, _ := d.tick("", cursor{})
	text, err := json.Marshal(tick)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(text), "alice") || !strings.Contains(string(text), `"name":"redacted-`) {
		t.Errorf("got %s", text)
	}
}

func TestTheStreamShowsWhatIsShadowedAndWhatIsToCome(t *testing.T) {
	n := open(t, node.Config{Limit: 100, Window: time.Minute})
	from, err := n.SetLimit("default", node.Policy{Limit: 5, Window: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	d := quiet(t, Config{Node: n})
	if tick, _ := d.tick("", cursor{}); time.Now().Before(from) && (len(tick.Pending) != 1 || tick.Pending[0].Rule != "5 per 1h") {
		t.Errorf("got %+v", tick.Pending)
	}
	time.Sleep(time.Until(from) + 10*time.Millisecond) // the change names its instant
	d.sample()
	tick, _ := d.tick("", cursor{})
	if l := tick.Limits[0]; !l.Set || l.Rule != "5 per 1h" || l.Configured != "100 per 1m" || l.Since == 0 {
		t.Errorf("got %+v", l)
	}
}

func TestManyLimitsAreCapped(t *testing.T) {
	n := open(t, node.Config{Limit: 5, Window: time.Minute})
	d := quiet(t, Config{Node: edited{n, func(s *node.Stats) {
		for i := range 3 * limitsShown {
			s.Limits = append(s.Limits, node.LimitStats{Name: "x" + strings.Repeat("y", i), Allowed: uint64(i)})
		}
	}}})
	tick, _ := d.tick("x", cursor{})
	if tick.Selected != "x" || len(tick.Limits) != limitsShown+1 || tick.MoreLimits != 2*limitsShown {
		t.Errorf("%d limits, %d more, %q", len(tick.Limits), tick.MoreLimits, tick.Selected)
	}
}
