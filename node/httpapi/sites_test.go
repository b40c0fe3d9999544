package httpapi_test

import (
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/httpapi"
)

// use is a request that openapi.yaml shows.
type use struct {
	call
	changes bool
}

// uses are all requests that openapi.yaml shows, but those of health.
func uses(t *testing.T) (all []use) {
	t.Helper()
	for _, one := range readContract(t).examples(t) {
		forward := strings.HasPrefix(one.path, "/v1/forward/")
		if forward { // anybody may ask by path, also by GET
			one.headers = []string{"X-Forwarded-Uri", "/a"}
			if one.path == "/v1/forward/{limit}" {
				one.query = "key=path"
			}
		}
		if one.path != "/livez" && one.path != "/readyz" {
			all = append(all, use{one, one.method != http.MethodGet || forward})
		}
	}
	return all
}

// with is the request with further headers.
func (u use) with(headers ...string) call {
	one := u.call
	one.headers = slices.Concat(one.headers, headers)
	return one
}

// A page of any site can make a browser on this machine send requests here, under a name of
// its own that resolves to this machine as well.
func TestPagesOfOtherSitesCannotUseALoopbackServer(t *testing.T) {
	n := leaping(t, node.Config{})
	metrics := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	h := httpapi.New(httpapi.Config{Node: n, Loopback: true, Metrics: metrics, Hosts: []string{"limits.example", "Other.Example:8080"}})
	network := httpapi.New(httpapi.Config{Node: n, Metrics: metrics})
	all := uses(t)
	for _, c := range []struct {
		name    string
		headers []string
		change  int // the status of what changes something, 0 for any that is no refusal
		read    int
		network int // of what changes something, where everybody reaches the server
	}{
		{"a program", nil, 0, 0, 0},
		{"localhost with a port", []string{"Host", "localhost:8080"}, 0, 0, 0},
		{"localhost in capitals, with a dot", []string{"Host", "LOCALHOST."}, 0, 0, 0},
		{"a name below localhost", []string{"Host", "api.localhost:8080"}, 0, 0, 0},
		{"an address", []string{"Host", "127.0.0.1:8080"}, 0, 0, 0},
		{"an IPv6 address", []string{"Host", "[::1]"}, 0, 0, 0},
		{"another address of a tunnel", []string{"Host", "192.0.2.1:9000"}, 0, 0, 0},
		{"a name that was allowed", []string{"Host", "limits.example:1234"}, 0, 0, 0},
		{"another that was allowed", []string{"Host", "other.example"}, 0, 0, 0},
		{"a name that leads here", []string{"Host", "attacker.example:8080"}, 421, 421, 0},
		{"a name that looks like it", []string{"Host", "localhost.attacker.example"}, 421, 421, 0},
		{"a name that was allowed for another", []string{"Host", "limits.example.attacker.example"}, 421, 421, 0},
		{"what is no name", []string{"Host", "::1:::"}, 421, 421, 0},
		{"another site's page", []string{"Sec-Fetch-Site", "cross-site"}, 403, 0, 403},
		{"another port's page", []string{"Sec-Fetch-Site", "same-site", "Origin", "http://localhost:3000"}, 403, 403, 403},
		{"another site's page, in an old browser", []string{"Origin", "http://attacker.example"}, 403, 403, 403},
		{"a page without an origin", []string{"Origin", "null"}, 403, 403, 403},
		{"the own page", []string{"Sec-Fetch-Site", "same-origin", "Origin", "http://localhost:8080"}, 0, 0, 0},
		{"the address bar", []string{"Sec-Fetch-Site", "none"}, 0, 0, 0},
	} {
		if c.change != 0 {
			ask(t, h, "POST", "/v1/take?client=victim", "", c.headers...)
			if left := n.Do(node.Request{Client: "victim", Peek: true}).Remaining; left != 100 {
				t.Errorf("%s: the refused request has left %d", c.name, left)
			}
		}
		for _, u := range all {
			for where, want := range map[string]int{"loopback": c.read, "network": 0} {
				handler := h
				switch {
				case where == "network":
					handler, want = network, c.network
					if !u.changes {
						want = 0
						if c.read == 403 {
							want = 403
						}
					}
				case u.changes:
					want = c.change
				}
				w := u.with(c.headers...).send(t, handler)
				refused := w.Code == http.StatusMisdirectedRequest || w.Code == http.StatusForbidden && !strings.Contains(w.Body.String(), "admin")
				if want == 0 && refused || want != 0 && w.Code != want {
					t.Errorf("%s, %s, %v: got %d %s, want %d", c.name, where, u.call, w.Code, w.Body, want)
				}
				if w.Code == http.StatusMisdirectedRequest && !strings.Contains(w.Body.String(), "-http-hosts") {
					t.Errorf("%s does not name the flag", w.Body)
				}
			}
		}
	}
}

// Probes, and proxies that pass requests on for others, call by any name.
func TestHealthAndForwardedRequestsMayCallByAnyName(t *testing.T) {
	h := httpapi.New(httpapi.Config{Node: open(t, node.Config{}), Loopback: true, APIToken: "0123456789abcdef"})
	for _, path := range []string{"/livez", "/readyz", "/readyz?verbose"} {
		if w := ask(t, h, "GET", path, "", "Host", "whatever.example", "Origin", "http://app.example"); w.Code != 200 {
			t.Errorf("%s: got %d %s", path, w.Code, w.Body)
		}
	}
	// A trusted proxy passes on what it got, and can add no token. Who is none needs one.
	proxied := httpapi.New(httpapi.Config{Node: open(t, node.Config{}), Loopback: true, APIToken: "0123456789abcdef", TrustedProxies: testProxies})
	for _, c := range []struct {
		http.Handler
		want int
	}{{proxied, 200}, {h, 401}} {
		w := ask(t, c, "POST", "/v1/forward/default?key=header:X-User", "", "X-User", "u", "X-Forwarded-For", "198.51.100.7", "Host", "whatever.example", "Origin", "http://app.example", "Authorization", "Bearer of-the-user")
		if w.Code != c.want {
			t.Errorf("forward: got %d %s, want %d", w.Code, w.Body, c.want)
		}
	}
	if w := ask(t, h, "POST", "/json", "", "Host", "whatever.example", "X-Api-Token", "0123456789abcdef"); w.Code == 421 {
		t.Errorf("/json: got %d %s", w.Code, w.Body)
	}
}

// A key by path or header needs no trusted proxy, so a page could use up what is another's.
func TestPagesCannotForward(t *testing.T) {
	host, origin, xff := []string{"Host", "attacker.example:8080"}, []string{"Origin", "http://attacker.example:8080"}, []string{"X-Forwarded-For", "198.51.100.7"}
	for _, c := range []struct {
		name    string
		proxies []netip.Prefix
		headers []string
		want    int
	}{
		{"by a foreign name", nil, host, 421},
		{"by a foreign name, as if a proxy did", nil, slices.Concat(host, xff), 421},
		{"by a foreign name, from a proxy's machine", testProxies, slices.Concat(host, origin), 421},
		{"of another site", nil, origin, 403},
		{"of another site, as if a proxy did", nil, slices.Concat(origin, xff), 403},
		{"of another site, in a browser that says so", testProxies, []string{"Sec-Fetch-Site", "cross-site"}, 403},
		{"of another site, from a proxy's machine", testProxies, slices.Concat(origin, []string{"X-Forwarded-For", ""}), 403},
	} {
		n := open(t, node.Config{})
		h := httpapi.New(httpapi.Config{Node: n, Loopback: true, TrustedProxies: c.proxies})
		for _, target := range []string{
			"/v1/forward/default/key=path&cost=100/login", "/v1/forward/default/key=path&cost=100&deny=429/login",
			"/v1/forward/default?key=header:X-Api-Key&cost=100", "/v1/forward/default/cost=100",
		} {
			for _, method := range []string{"POST", "GET"} { // any page can show an image from here
				w := ask(t, h, method, target, "", append([]string{"X-Api-Key", "victim", "X-Forwarded-Uri", "/login"}, c.headers...)...)
				if w.Code != c.want || !strings.Contains(w.Body.String(), "-trusted-proxies") {
					t.Errorf("%s: %s %s: got %d %s, want %d", c.name, method, target, w.Code, w.Body, c.want)
				}
			}
		}
		if top, err := n.Top(""); err != nil || len(top) > 0 {
			t.Errorf("%s: counted are %v, %v", c.name, top, err)
		}
	}
}

func TestDecisionsAndReadsNeedTheTokenThatIsSet(t *testing.T) {
	const api, admin = "api-0123456789abcdef", "admin-0123456789abcdef"
	n := leaping(t, node.Config{})
	h := httpapi.New(httpapi.Config{Node: n, Loopback: true, APIToken: api, AdminToken: admin, Metrics: http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})})
	basic := func(password string) []string {
		return []string{"Authorization", "Basic " + base64.StdEncoding.EncodeToString([]byte("somebody:"+password))}
	}
	writes := func(path string) bool {
		return strings.HasPrefix(path, "/v1/re") && path != "/v1/reserve" || path == "/v1/forget" || strings.HasPrefix(path, "/v1/limits/")
	}
	all := uses(t)
	for _, c := range []struct {
		name        string
		headers     []string
		reads, sets bool
	}{
		{"none", nil, false, false},
		{"the API's", []string{"Authorization", "Bearer " + api}, true, false},
		{"the API's in its own header", []string{"X-Api-Token", api, "Authorization", "Bearer of-the-user"}, true, false},
		{"the API's as a password", basic(api), true, false},
		{"the admin's", []string{"Authorization", "Bearer " + admin}, true, true},
		{"the admin's in its own header", []string{"X-Api-Token", admin}, true, true},
		{"the admin's as a password", basic(admin), true, false}, // a browser would send it by itself
		{"a part", []string{"Authorization", "Bearer api-"}, false, false},
		{"an empty one", []string{"Authorization", "Bearer "}, false, false},
		{"another scheme", []string{"Authorization", "Token " + api}, false, false},
		{"a wrong password", basic("x"), false, false},
	} {
		for _, u := range all {
			w := u.with(c.headers...).send(t, h)
			if strings.Contains(w.Body.String(), api) || strings.Contains(w.Body.String(), admin) {
				t.Errorf("the token is told: %s", w.Body)
			}
			switch mayNot := u.changes && writes(u.path) && !c.sets; {
			case !c.reads:
				wantProblem(t, w, 401, "authorization")
				if !strings.Contains(w.Body.String(), "-api-token-file") || w.Header().Get("WWW-Authenticate") == "" {
					t.Errorf("%v: %s", u.call, w.Body)
				}
			case mayNot:
				wantProblem(t, w, 403, "authorization")
			case w.Code == 401 || w.Code == 403:
				t.Errorf("%s: %v: got %d %s", c.name, u.call, w.Code, w.Body)
			}
		}
	}
	if w := ask(t, h, "GET", "/livez", ""); w.Code != 200 {
		t.Errorf("livez: %d", w.Code)
	}
	// Nobody has a token that is not set.
	for _, headers := range [][]string{nil, {"Authorization", "Bearer "}, {"X-Api-Token", ""}, basic("")} {
		wantProblem(t, ask(t, httpapi.New(httpapi.Config{Node: n, APIToken: api}), "GET", "/v1/peek?client=a", "", headers...), 401, "authorization")
	}
}

func TestAGuardedHandlerIsForThisMachine(t *testing.T) {
	h := httpapi.Guard(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}), []string{"profiles.example"})
	for host, want := range map[string]int{"localhost:6060": 200, "profiles.example": 200, "attacker.example": 421} {
		r := httptest.NewRequestWithContext(t.Context(), "GET", "/debug/pprof/", http.NoBody)
		r.Host = host
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != want {
			t.Errorf("%s: got %d, want %d", host, w.Code, want)
		}
	}
}
