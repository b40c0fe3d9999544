package httpapi_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/httpapi"
)

// A node whose clock was wrong for a moment refuses changes that its peers would refuse, and
// says why. It is not ready, and goes on deciding.
func TestANodeAheadOfItsClockRefusesChangesOverHTTP(t *testing.T) {
	ahead := newAhead(0)
	var net node.Memory
	s, err := node.NewStepper(node.Config{
		Name: "n1", Limit: 100, Window: time.Minute, Alone: true, Transport: net.Transport(),
		Now: func() time.Time { return start.Add(time.Duration(ahead.Load())) },
	}, 1)
	if err != nil {
		t.Fatal(err)
	}
	h := httpapi.New(httpapi.Config{Node: s.Node, Loopback: true})
	const body = `{"limit":5,"window":60}`
	for _, c := range []struct {
		at      time.Duration
		changes int
		ready   int
	}{{0, http.StatusOK, http.StatusOK}, {8 * time.Hour, http.StatusOK, http.StatusOK}, {5 * time.Second, http.StatusServiceUnavailable, http.StatusServiceUnavailable}, {9 * time.Hour, http.StatusOK, http.StatusOK}} {
		ahead.Store(int64(c.at))
		s.Housekeep()
		for _, change := range [][2]string{{"PUT", body}, {"DELETE", ""}} {
			r := ask(t, h, change[0], "/v1/limits/default", change[1])
			if r.Code != c.changes {
				t.Errorf("%v ahead: %s answers %d %s", c.at, change[0], r.Code, r.Body)
			}
			if r.Code == http.StatusServiceUnavailable && (!strings.Contains(r.Body.String(), "time is ahead of the wall clock") || r.Header().Get("Retry-After") == "") {
				t.Errorf("the answer does not say why, or when to ask again: %s %v", r.Body, r.Header())
			}
		}
		if r := ask(t, h, "GET", "/readyz", ""); r.Code != c.ready {
			t.Errorf("%v ahead: readyz answers %d %s", c.at, r.Code, r.Body)
		}
		if r := ask(t, h, "POST", "/v1/take?client=alice", ""); r.Code != http.StatusOK {
			t.Errorf("%v ahead: take answers %d %s", c.at, r.Code, r.Body)
		}
	}
}
