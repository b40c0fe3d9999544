package bench

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/httpapi"
)

func TestALoadOnADaemonCountsItsDecisions(t *testing.T) {
	n, err := node.Open(context.Background(), node.Config{Limits: map[string]node.Policy{"login": {Limit: 6, Window: time.Hour}}})
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	server := httptest.NewServer(httpapi.New(httpapi.Config{Node: n}))
	defer server.Close()
	target := NewHTTP(server.URL, "login", "", &http.Transport{}, 4, 10*time.Second)
	defer target.Close()
	cfg := Config{Rate: 10000, Duration: time.Minute, Requests: 60, Workers: 4, Clients: 3, Dist: Dist{Kind: Uniform}, Cost: 2, Seed: 1}
	r, err := Run(context.Background(), cfg, []Node{{Name: "n1", Target: target}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	// Three clients with six units each, two a request.
	if r.Allowed != 9 || r.Denied != 51 || r.Errors != 0 {
		t.Errorf("%+v", r)
	}
}

func TestOnlyADecisionCountsAsOne(t *testing.T) {
	for name, c := range map[string]struct {
		status  int
		body    string
		allowed bool
		err     string // "": none
	}{
		"admission":                  {200, `{"allowed":true,"remaining":1}`, true, ""},
		"denial":                     {429, `{"allowed":false,"remaining":0}`, false, ""},
		"a proxy's own limit":        {429, `<html>slow down</html>`, false, "429"},
		"a page":                     {200, `<html>welcome</html>`, false, "200"},
		"another API":                {200, `{"ok":true}`, false, "200"},
		"body and status that argue": {200, `{"allowed":false}`, false, "200"},
		"problem":                    {404, `{"title":"no limit is named login"}`, false, "no limit is named login"},
		"server error":               {500, ``, false, "500"},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(c.status)
				_, _ = w.Write([]byte(c.body))
			}))
			defer server.Close()
			target := NewHTTP(server.URL, "default", "", &http.Transport{}, 1, 10*time.Second)
			defer target.Close()
			allowed, err := target.Take(context.Background(), "a", 1)
			if allowed != c.allowed || (err != nil) != (c.err != "") || (err != nil && !strings.Contains(err.Error(), c.err)) {
				t.Errorf("got %v, %v", allowed, err)
			}
		})
	}
}
