package httpapi_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/httpapi"
)

// envoyDoor answers /json with why a request may not give units back.
func envoyDoor(refuse func(*http.Request) string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, refuse(r)) })
}

// Programs ask /json by any name. A page's requests have an Origin, also those that its own name
// leads here.
func TestPagesCannotAskAsEnvoyDoes(t *testing.T) {
	n := open(t, node.Config{})
	for _, c := range []struct {
		name              string
		headers           []string
		loopback, network int
	}{
		{"a program", nil, 200, 200},
		{"a program that calls by a name", []string{"Host", "ratelimit.example"}, 200, 200},
		{"the own page", []string{"Sec-Fetch-Site", "same-origin", "Origin", "http://localhost:8080"}, 200, 200},
		{"another site's page", []string{"Sec-Fetch-Site", "cross-site", "Origin", "http://attacker.example"}, 403, 403},
		{"another port's page", []string{"Sec-Fetch-Site", "same-site", "Origin", "http://localhost:3000"}, 403, 403},
		{"another site's page, in an old browser", []string{"Origin", "http://attacker.example"}, 403, 403},
		{"a page without an origin", []string{"Origin", "null"}, 403, 403},
		{"a page whose name leads here", []string{"Host", "attacker.example", "Origin", "http://attacker.example"}, 421, 200},
		{"the same with all that a browser says", []string{"Host", "attacker.example", "Origin", "http://attacker.example", "Sec-Fetch-Site", "same-origin"}, 421, 200},
		{"the same without its origin", []string{"Host", "attacker.example", "Sec-Fetch-Site", "same-origin"}, 421, 200},
	} {
		for where, want := range map[bool]int{true: c.loopback, false: c.network} {
			h := httpapi.New(httpapi.Config{Node: n, Loopback: where, Envoy: envoyDoor})
			if w := ask(t, h, "POST", "/json", "{}", c.headers...); w.Code != want {
				t.Errorf("%s, loopback %t: got %d %s, want %d", c.name, where, w.Code, w.Body, want)
			}
		}
	}
}

// Who gives units back undoes what a limit did, as who resets a client does.
func TestGivingBackAsEnvoyDoesNeedsTheRightToWrite(t *testing.T) {
	const api, admin = "api-0123456789abcdef", "admin-0123456789abcdef"
	n := open(t, node.Config{})
	for _, c := range []struct {
		name    string
		cfg     httpapi.Config
		headers []string
		may     bool
	}{
		{"loopback", httpapi.Config{Loopback: true}, nil, true},
		{"the network", httpapi.Config{}, nil, false},
		{"loopback with an admin token", httpapi.Config{Loopback: true, AdminToken: admin}, nil, false},
		{"the admin token", httpapi.Config{AdminToken: admin}, []string{"Authorization", "Bearer " + admin}, true},
		{"the API's token", httpapi.Config{AdminToken: admin, APIToken: api}, []string{"Authorization", "Bearer " + api}, false},
	} {
		c.cfg.Node, c.cfg.Envoy = n, envoyDoor
		w := ask(t, httpapi.New(c.cfg), "POST", "/json", "{}", c.headers...)
		if w.Code != 200 || (w.Body.Len() == 0) != c.may || !c.may && !strings.Contains(w.Body.String(), "admin token") {
			t.Errorf("%s: got %d %s", c.name, w.Code, w.Body)
		}
	}
}
