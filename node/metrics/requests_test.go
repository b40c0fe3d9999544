package metrics_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/metrics"
)

func TestRequestsAreCountedByDoorAndCode(t *testing.T) {
	r := metrics.NewRequests(node.DoorHTTP, node.DoorForward, node.DoorGRPC)
	h := r.HTTP(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		if err := http.NewResponseController(w).Flush(); err != nil {
			t.Errorf("a stream cannot be flushed: %v", err)
		}
		switch q.URL.Path {
		case "/denied":
			w.WriteHeader(http.StatusEarlyHints)
			w.WriteHeader(http.StatusTooManyRequests)
			w.WriteHeader(http.StatusOK) // comes too late
		case "/body":
			_, _ = w.Write([]byte("x"))
			w.WriteHeader(http.StatusTeapot) // comes too late
		}
	}), func(q *http.Request) node.Door {
		if q.URL.Path == "/denied" {
			return node.DoorForward
		}
		return node.DoorHTTP
	})
	for _, path := range []string{"/denied", "/body", "/nothing"} {
		h.ServeHTTP(quiet{httptest.NewRecorder()}, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, http.NoBody))
	}
	r.Count(node.DoorGRPC, "UNAVAILABLE")
	const want = `# HELP ratelimiter_requests_total Requests by door, and by the code of the answer: a status of HTTP, or a code of gRPC. With those that ask for no decision, such as a scrape.
# TYPE ratelimiter_requests_total counter
ratelimiter_requests_total{code="200",door="forward"} 0
ratelimiter_requests_total{code="200",door="http"} 2
ratelimiter_requests_total{code="429",door="forward"} 1
ratelimiter_requests_total{code="OK",door="grpc"} 0
ratelimiter_requests_total{code="UNAVAILABLE",door="grpc"} 1
`
	if err := testutil.CollectAndCompare(r, strings.NewReader(want)); err != nil {
		t.Error(err)
	}
}

// quiet is a server's writer that sends nothing before the handler says what.
type quiet struct{ *httptest.ResponseRecorder }

func (quiet) Flush() {}

func TestDecisionsAreCountedByDoor(t *testing.T) {
	n := open(t)
	ask := func(door node.Door, times int) {
		for range times {
			n.Do(node.Request{Client: "a", Door: door})
		}
	}
	ask(node.DoorHTTP, 2)
	ask(node.DoorForward, 1)
	ask(node.DoorGRPC, 4)
	ask(99, 1)
	n.Allow("b")
	n.Do(node.Request{Client: "b", Door: node.DoorNATS, Peek: true})
	n.Do(node.Request{Client: "", Door: node.DoorNATS})
	n.Do(node.Request{Client: "b", Limit: "nope", Door: node.DoorNATS})
	n.Do(node.Request{Client: "c", Door: node.DoorNATS, Also: []node.Check{{Limit: "login"}}})
	n.Do(node.Request{Client: "c", Door: node.DoorNATS, Also: []node.Check{{Limit: "login"}}}) // login denies, default does not
	n.Do(node.Request{Client: "c", Door: node.DoorNATS, Also: []node.Check{{Limit: "nope"}}})
	n.Reserve(node.Request{Client: "d", Door: node.DoorHTTP}).Cancel()
	got := series(t, metrics.New(n))
	for name, want := range map[string]float64{
		`{door="http",limit="default",outcome="allowed"}`:    3,
		`{door="forward",limit="default",outcome="allowed"}`: 1,
		`{door="grpc",limit="default",outcome="allowed"}`:    2,
		`{door="grpc",limit="default",outcome="denied"}`:     2,
		`{door="go",limit="default",outcome="allowed"}`:      1,
		`{door="go",limit="default",outcome="denied"}`:       1,
		`{door="nats",limit="default",outcome="allowed"}`:    1,
		`{door="nats",limit="default",outcome="denied"}`:     0,
		`{door="nats",limit="login",outcome="allowed"}`:      1,
		`{door="nats",limit="login",outcome="denied"}`:       1,
	} {
		if v, ok := got["ratelimiter_door_decisions_total"+name]; !ok || v != want {
			t.Errorf("%s is %v, want %v", name, v, want)
		}
	}
	for _, outcome := range []string{"allowed", "denied"} { // the doors of a limit sum up to it
		sum := 0.0
		for _, door := range []string{"go", "http", "grpc", "nats", "forward"} {
			sum += got[`ratelimiter_door_decisions_total{door="`+door+`",limit="default",outcome="`+outcome+`"}`]
		}
		if all := got[`ratelimiter_decisions_total{limit="default",outcome="`+outcome+`"}`]; sum != all {
			t.Errorf("%s: the doors have %v, the limit %v", outcome, sum, all)
		}
	}
}
