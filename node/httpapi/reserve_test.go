package httpapi_test

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/httpapi"
)

// reserve makes a reservation and returns its token.
func reserve(t *testing.T, h http.Handler, body string) string {
	t.Helper()
	w := ask(t, h, "POST", "/v1/reserve", body)
	wantStatus(t, w, http.StatusOK, isJSON)
	var r struct{ Reservation string }
	decode(t, w, &r)
	if r.Reservation == "" {
		t.Fatalf("no token in %s", w.Body)
	}
	return r.Reservation
}

func TestAReservationIsCommittedOrCancelled(t *testing.T) {
	h := still(t, node.Config{})
	for _, c := range []struct {
		path, rest string
		want       string
		left       int64
	}{
		{"/v1/commit", `,"actual":10`, `{"settled":true,"returned":30,"charged":0}`, 90},
		{"/v1/commit", `,"actual":40`, `{"settled":true,"returned":0,"charged":0}`, 60},
		{"/v1/commit", `,"actual":55`, `{"settled":true,"returned":0,"charged":15}`, 45},
		{"/v1/commit", `,"actual":0`, `{"settled":true,"returned":40,"charged":0}`, 100},
		{"/v1/cancel", ``, `{"settled":true,"returned":40,"charged":0}`, 100},
	} {
		ask(t, h, "POST", "/v1/reset?client=a", "")
		token := reserve(t, h, `{"client":"a","cost":40}`)
		if got := left(t, h, "client=a"); got != 60 {
			t.Errorf("%d are left, want 60", got)
		}
		for range 2 { // it counts once, and its answer is given again
			w := ask(t, h, "POST", c.path, `{"reservation":"`+token+`"`+c.rest+`}`)
			wantStatus(t, w, http.StatusOK, isJSON)
			if got := strings.TrimSpace(w.Body.String()); got != c.want {
				t.Errorf("%s %s: got %s, want %s", c.path, c.rest, got, c.want)
			}
		}
		if got := left(t, h, "client=a"); got != c.left {
			t.Errorf("%s %s: %d are left, want %d", c.path, c.rest, got, c.left)
		}
	}
	token := reserve(t, h, `{"client":"b","cost":7}`)
	if w := ask(t, h, "POST", "/v1/commit?actual=3&reservation="+token, ""); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), `"returned":4`) {
		t.Errorf("as a query: got %d %s", w.Code, w.Body)
	}
}

func TestAReservationSaysWhatWasTakenAndForHowLong(t *testing.T) {
	h := still(t, several())
	for _, c := range []struct {
		body, want string
		status     int
		token      bool
	}{
		{`{"client":"a","cost":2}`, `"cost":2,"reservation":"T","expires_in_ms":60000,"refunds_for_ms":H}`, 200, true},
		{`{"client":"a","cost":2,"timeout":600}`, `"cost":2,"reservation":"T","expires_in_ms":600000,"refunds_for_ms":H}`, 200, true},
		{`{"client":"a","cost":2,"timeout":"1.5s"}`, `"cost":2,"reservation":"T","expires_in_ms":1500,"refunds_for_ms":1500}`, 200, true},
		{`{"client":"a","cost":99,"at_most":true,"also":[{"limit":"day"}]}`, `"cost":4,"reservation":"T","expires_in_ms":60000,"refunds_for_ms":60000}`, 200, true},
		{`{"client":"a"}`, `"reason":"over_limit","cost":0}`, 429, false},
		{`{"client":"vip","limit":"vip","cost":5}`, `"reason":"unlimited","cost":5}`, 200, false},
	} {
		w := ask(t, h, "POST", "/v1/reserve", c.body)
		wantStatus(t, w, c.status, isJSON)
		var r struct{ Reservation string }
		decode(t, w, &r)
		got := strings.TrimSpace(w.Body.String())
		if r.Reservation != "" {
			got = strings.Replace(got, r.Reservation, "T", 1)
		}
		// A limit per second tells units apart for one to two windows of 15 s.
		if _, text, some := strings.Cut(got, `"refunds_for_ms":`); some {
			if ms, err := strconv.Atoi(strings.TrimSuffix(text, "}")); err == nil && ms >= 14_999 && ms <= 30_000 {
				got = strings.Replace(got, text, "H}", 1)
			}
		}
		if !strings.HasSuffix(got, c.want) || (r.Reservation != "") != c.token {
			t.Errorf("%s: got %s", c.body, got)
		}
	}
	if w := ask(t, h, "POST", "/v1/reserve?client=b&cost=2&timeout=90s&at_most=true", ""); !strings.Contains(w.Body.String(), `"expires_in_ms":90000`) {
		t.Errorf("as a query: got %s", w.Body)
	}
}

func TestBadSettlementsAreRefusedByName(t *testing.T) {
	h := still(t, node.Config{})
	token := reserve(t, h, `{"client":"a","cost":40}`)
	for _, c := range []struct {
		path, body string
		status     int
		field      string
	}{
		{"/v1/reserve", `{"client":"a","timeout":0}`, 400, "timeout"},
		{"/v1/reserve", `{"client":"a","timeout":-1}`, 400, "timeout"},
		{"/v1/reserve", `{"client":"a","timeout":601}`, 400, "timeout"},
		{"/v1/reserve", `{"client":"a","timeout":"minute"}`, 400, "timeout"},
		{"/v1/reserve", `{"client":"a","timeout":true}`, 400, "timeout"},
		{"/v1/reserve", `{"client":"a","cost":101}`, 400, "cost"},
		{"/v1/take", `{"client":"a","timeout":1}`, 400, "timeout"},
		{"/v1/commit", `{}`, 400, "reservation"},
		{"/v1/commit", `{"reservation":"` + token + `"}`, 400, "actual"},
		{"/v1/commit", `{"reservation":"` + token + `","actual":-1}`, 400, "actual"},
		{"/v1/commit", `{"reservation":"` + token + `","actual":"1"}`, 400, "actual"},
		{"/v1/commit", `{"reservation":"` + token + `","actual":1,"client":"a"}`, 400, "client"},
		{"/v1/commit", `{"reservation":"` + token[:len(token)-1] + `","actual":1}`, 404, "reservation"},
		{"/v1/commit", `{"reservation":"1.2","actual":1}`, 404, "reservation"},
		{"/v1/cancel", `{"reservation":"1.2"}`, 404, "reservation"},
		{"/v1/cancel", `{"reservation":"nonsense"}`, 400, "reservation"},
		{"/v1/cancel", `{"reservation":""}`, 400, "reservation"},
		{"/v1/cancel", `{"reservation":7}`, 400, "reservation"},
		{"/v1/cancel", `{"reservation":"` + token + `","actual":1}`, 400, "actual"},
		{"/v1/cancel", `{"reservation":"` + strings.Repeat("x", 1<<20) + `"}`, 413, "body"},
	} {
		wantProblem(t, ask(t, h, "POST", c.path, c.body), c.status, c.field)
	}
	if got := left(t, h, "client=a"); got != 60 {
		t.Errorf("%d are left, want 60: nothing was settled", got)
	}
}

// settling is a node whose other nodes answer as told.
type settling struct {
	*node.Node
	err error
}

func (s settling) Settle(ctx context.Context, _ string, _ int64) (node.Settlement, error) {
	if s.err == nil {
		<-ctx.Done()
		return node.Settlement{}, fmt.Errorf("%w: %w", node.ErrUnconfirmed, ctx.Err())
	}
	return node.Settlement{}, s.err
}

func (s settling) Reserve(node.Request) *node.Reservation {
	return &node.Reservation{Decision: node.Decision{Reason: node.ReasonTooManyHeld}, Fault: node.ErrTooManyHeld}
}

func TestASettlementDoesNotWaitForever(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := httpapi.New(httpapi.Config{Node: settling{Node: open(t, node.Config{Now: time.Now})}})
		begun := time.Now()
		w := ask(t, h, "POST", "/v1/cancel", `{"reservation":"1.2"}`)
		wantStatus(t, w, http.StatusAccepted, isJSON)
		if took := time.Since(begun); took != 2*time.Second || !strings.HasPrefix(w.Body.String(), `{"settled":false,`) || w.Header().Get("Retry-After") != "1" {
			t.Errorf("after %v: got %s %v", took, w.Body, w.Header())
		}
	})
}

func TestAReservationIsSettledThroughAnotherNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var network node.Memory
		var all [2]http.Handler
		for i := range all {
			all[i] = httpapi.New(httpapi.Config{Node: open(t, node.Config{Limit: 100, Window: time.Hour, Transport: network.Transport(), Now: time.Now})})
		}
		time.Sleep(3 * time.Second) // a bubble's: they have met
		token := reserve(t, all[0], `{"client":"alice","cost":40}`)
		time.Sleep(time.Second)
		for range 2 {
			w := ask(t, all[1], "POST", "/v1/commit", `{"reservation":"`+token+`","actual":15}`)
			wantStatus(t, w, http.StatusOK, isJSON)
			if got := strings.TrimSpace(w.Body.String()); got != `{"settled":true,"returned":25,"charged":0}` {
				t.Errorf("got %s", got)
			}
		}
		ask(t, all[1], "POST", "/v1/take?client=alice&cost=5", "")
		time.Sleep(time.Second)
		x := explain(t, all[0], "client=alice")
		if len(x.Windows) != 1 || len(x.Windows[0].Nodes) != 2 || x.Windows[0].Nodes[0].Admitted != 40 || x.Windows[0].Nodes[0].GivenBack != 25 || x.Windows[0].Nodes[1].Admitted != 5 {
			t.Errorf("got %+v", x.Windows)
		}
	})
}

func TestTooManyReservationsAreToldToWait(t *testing.T) {
	h := httpapi.New(httpapi.Config{Node: settling{Node: open(t, node.Config{}), err: node.ErrTooManyHeld}})
	for target, field := range map[string]string{"/v1/reserve?client=a": "", "/v1/commit?reservation=1.2&actual=1": "", "/v1/cancel?reservation=1.2": ""} {
		w := ask(t, h, "POST", target, "")
		wantProblem(t, w, http.StatusServiceUnavailable, field)
		if w.Header().Get("Retry-After") != "1" {
			t.Errorf("%s: got %v", target, w.Header())
		}
	}
}

// What nobody could settle is not taken.
func TestAReservationBeyondTheCapIsNotCharged(t *testing.T) {
	n := open(t, node.Config{Limit: 1 << 40, Window: time.Hour})
	h := httpapi.New(httpapi.Config{Node: n})
	for range node.MaxHeld {
		if token, err := n.Reserve(node.Request{Client: "crowd"}).Token(); token == "" || err != nil {
			t.Fatal(token, err)
		}
	}
	w := ask(t, h, "POST", "/v1/reserve", `{"client":"a","cost":40}`)
	wantProblem(t, w, http.StatusServiceUnavailable, "")
	if w.Header().Get("Retry-After") != "1" {
		t.Errorf("got %v", w.Header())
	}
	if got := left(t, h, "client=a"); got != 1<<40 {
		t.Errorf("%d are left, want all", got)
	}
}
