package httpapi_test

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/httpapi"
)

// forwards is a handler that a proxy may ask, and its node.
func forwards(t *testing.T) (http.Handler, *node.Node) {
	t.Helper()
	at := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	n := open(t, node.Config{Now: func() time.Time { return at }, Limits: map[string]node.Policy{
		"api": {Limit: 3, Window: time.Minute}, "free": {Limit: 1, Window: time.Minute, Access: node.Unlimited},
	}})
	return httpapi.New(httpapi.Config{Node: n, TrustedProxies: testProxies}), n
}

// used is how many units of the limit api a client has used.
func used(n *node.Node, client string) int64 {
	return 3 - n.Do(node.Request{Client: client, Limit: "api", Peek: true}).Remaining
}

func TestAProxyIsToldWhetherToPassARequestOn(t *testing.T) {
	h, _ := forwards(t)
	for i, c := range []struct {
		status        int
		limits, retry string
	}{{200, `"api";r=2;t=20`, ""}, {200, `"api";r=1;t=40`, ""}, {200, `"api";r=0;t=20`, ""}, {429, `"api";r=0;t=20`, "20"}} {
		w := ask(t, h, "GET", "/v1/forward/api", "", "X-Forwarded-For", "198.51.100.7")
		if w.Code != c.status || w.Header().Get("RateLimit") != c.limits || w.Header().Get("Retry-After") != c.retry || w.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("request %d: got %d %v", i, w.Code, w.Header())
		}
		if c.status == 200 && w.Body.Len() > 0 {
			t.Errorf("request %d: got %s", i, w.Body)
		}
	}
	const problem = `{"type":"https://iana.org/assignments/http-problem-types#quota-exceeded","title":"Request cannot be satisfied as assigned quota has been exceeded","status":403,"violated-policies":["api"]}`
	w := ask(t, h, "GET", "/v1/forward/api?deny=403", "", "X-Forwarded-For", "198.51.100.7")
	if w.Code != 403 || w.Header().Get("Retry-After") != "20" || strings.TrimSpace(w.Body.String()) != problem || w.Header().Get("Content-Type") != "application/problem+json" {
		t.Errorf("got %d %v %s", w.Code, w.Header(), w.Body)
	}
	if w := ask(t, h, "GET", "/v1/forward/free", "", "X-Forwarded-For", "198.51.100.7"); w.Code != 200 || w.Header().Get("RateLimit") != "" {
		t.Errorf("got %d %v", w.Code, w.Header())
	}
}

func TestForwardedRequestsCountForTheirClient(t *testing.T) {
	xff := []string{"X-Forwarded-For", "1.2.3.4, 198.51.100.7"}
	for target, c := range map[string]struct {
		headers []string
		want    string
	}{
		"/v1/forward/api":                           {xff, "198.51.100.7"},
		"/v1/forward/api?":                          {xff, "198.51.100.7"},
		"/v1/forward/api?key=ip":                    {[]string{"X-Forwarded-For", "2001:db8:1:2:3::4"}, "2001:db8:1:2::"},
		"/v1/forward/api?key=header:X-Api-Key":      {[]string{"X-Api-Key", "abc"}, "x-api-key=abc"},
		"/v1/forward/api?key=path":                  {[]string{"X-Forwarded-Uri", "/a/b?c=d"}, "path=/a/b"},
		"/v1/forward/api?key=path&deny=429":         {[]string{"X-Forwarded-Uri", "//a/./%62/../b/"}, "path=/a/b"},
		"/v1/forward/api?key=path&deny=403":         {[]string{"X-Forwarded-Uri", "http://site/a/b"}, "path=/a/b"},
		"/v1/forward/api?cost=1&key=path":           {[]string{"X-Forwarded-Uri", "/a/b#c"}, "path=/a/b"},
		"/v1/forward/api?cost=1&key=path&deny=403":  {[]string{"X-Forwarded-Uri", "http://site/a/b#c?d"}, "path=/a/b"},
		"/v1/forward/api?deny=403&key=path":         {[]string{"X-Forwarded-Uri", "/a/b?c#d"}, "path=/a/b"},
		"/v1/forward/api?deny=429&key=path":         {[]string{"X-Forwarded-Uri", "/a%23b"}, "path=/a#b"},
		"/v1/forward/api/key=path/a/b#c":            {nil, "path=/a/b"},
		"/v1/forward/api/key=path/a%2Fb/#c?d":       {nil, "path=/a/b"},
		"/v1/forward/api/key=path/a%23b":            {nil, "path=/a#b"},
		"/v1/forward/api?key=header:K,path":         {[]string{"K", "v|w", "X-Forwarded-Uri", "/"}, `k=v\|w|path=/`},
		"/v1/forward/api?key=header:k":              {[]string{"K", `v|path=/\`}, `k=v\|path=/\\`},
		"/v1/forward/api/key=path/a|k=b":            {nil, `path=/a\|k=b`},
		"/v1/forward/api?key=ip%2Cpath":             {append([]string{"X-Forwarded-Uri", "/x"}, xff...), "198.51.100.7|path=/x"},
		"/v1/forward/api/-":                         {xff, "198.51.100.7"},
		"/v1/forward/api/-/":                        {xff, "198.51.100.7"},
		"/v1/forward/api//a":                        {xff, "198.51.100.7"},
		"/v1/forward/api/key=path/a//b/../c?deny=1": {nil, "path=/a/c"},
		"/v1/forward/api/key=path/a%2Fb?x=%zz;":     {nil, "path=/a/b"},
		"/v1/forward/api/key%3Dpath/":               {nil, "path=/"},
		"/v1/forward/api/key=path":                  {[]string{"X-Forwarded-Uri", "/a/b?cost=9"}, "path=/a/b"},
		"/v1/forward/api/key=path?cost=9":           {[]string{"X-Forwarded-Uri", "/a/b?cost=9"}, "path=/a/b"},
		"/v1/forward/api?key=path&cost=1":           {[]string{"X-Forwarded-Uri", "/a/b?cost=9"}, "path=/a/b"},
		"/v1/forward/%61pi":                         {xff, "198.51.100.7"},
		"/v1/forward/api?key=header:LONG":           {[]string{"LONG", strings.Repeat("x", 129)}, "long#=DsnrM-dFELzdHy6lUgboLyFknFwr7L8rQz60dbNMAb0"},
	} {
		h, n := forwards(t)
		if w := ask(t, h, "GET", target, "", c.headers...); w.Code != http.StatusOK || used(n, c.want) != 1 {
			top, _ := n.Top("api")
			t.Errorf("%s %v: got %d %s, counted are %v, want %q", target, c.headers, w.Code, w.Body, top, c.want)
		}
	}
}

// Envoy sends the client's own method, and Traefik and others may; the answer is the same.
func TestAnyMethodMayBeForwarded(t *testing.T) {
	for _, method := range []string{"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "PROPFIND"} {
		h, n := forwards(t)
		for _, target := range []string{"/v1/forward/api", "/v1/forward/api/-/a//../b"} {
			w := ask(t, h, method, target, "", "X-Forwarded-For", "198.51.100.7")
			if w.Code != http.StatusOK || w.Header().Get("Location") != "" {
				t.Errorf("%s %s: got %d %v", method, target, w.Code, w.Header())
			}
		}
		if used(n, "198.51.100.7") != 2 {
			t.Errorf("%s was not counted", method)
		}
	}
}

// A mistake in a proxy's configuration, or in the daemon's, never puts all clients into one
// account, and never lets them pass.
func TestWhatCannotBeForwardedIsRefused(t *testing.T) {
	xff := []string{"X-Forwarded-For", "198.51.100.7"}
	for target, c := range map[string]struct {
		headers []string
		status  int
		says    string
	}{
		"/v1/forward/":                                 {xff, 404, "name the limit in the path"},
		"/v1/forward//a":                               {xff, 404, "name the limit in the path"},
		"/v1/forward/nope":                             {xff, 404, "nope"},
		"/v1/forward/api?key=colour":                   {xff, 400, "must be ip, path or header:NAME"},
		"/v1/forward/api?key=header:":                  {xff, 400, "must be ip, path or header:NAME"},
		"/v1/forward/api?key=":                         {xff, 400, "must be ip, path or header:NAME"},
		"/v1/forward/api?deny=500":                     {xff, 400, "must be 429, or 403"},
		"/v1/forward/api?cost=0":                       {xff, 400, "cost 0"},
		"/v1/forward/api?cost=4":                       {xff, 400, "never pass"},
		"/v1/forward/api?cost=1&cost=1":                {xff, 400, "more than once"},
		"/v1/forward/api?colour=red":                   {xff, 400, "colour"},
		"/v1/forward/api/colour=red/a":                 {xff, 400, "colour"},
		"/v1/forward/api/%25zz/a":                      {xff, 400, "query"},
		"/v1/forward/api":                              {nil, 400, "X-Forwarded-For is missing"},
		"/v1/forward/api?key=ip&deny=403":              {nil, 400, "X-Forwarded-For is missing"},
		"/v1/forward/api?key=ip":                       {[]string{"X-Forwarded-For", "198.51.100.7, unknown"}, 400, "must end with the client's address"},
		"/v1/forward/api?key=ip&deny=429":              {[]string{"X-Forwarded-For", "192.0.2.1"}, 400, "must end with the client's address"},
		"/v1/forward/api?key=path":                     {xff, 400, "X-Forwarded-Uri is missing"},
		"/v1/forward/api/key=path":                     {xff, 400, "X-Forwarded-Uri is missing"},
		"/v1/forward/api?key=header:Mine":              {[]string{"X-Forwarded-Uri", "/a?key=header:Mine", "Mine", "any"}, 400, "that of the client's request"},
		"/v1/forward/api?key=path&deny=429":            {[]string{"X-Forwarded-Uri", "a b"}, 400, "not well-formed"},
		"/v1/forward/api?key=header:K":                 {nil, 400, "the request has no K"},
		"/v1/forward/api?key=header:K&deny=403":        {nil, 403, "the request has no K"},
		"/v1/forward/api?key=header:K,header:L&cost=2": {[]string{"K", "a"}, 400, "the request has no L"},
	} {
		h, _ := forwards(t)
		w := ask(t, h, "GET", target, "", c.headers...)
		if w.Code != c.status || !strings.Contains(w.Body.String(), c.says) || w.Header().Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s %v: got %d %s", target, c.headers, w.Code, w.Body)
		}
	}
	h, n := forwards(t)
	r := httptest.NewRequestWithContext(t.Context(), "GET", "/v1/forward/api?key=header:K", http.NoBody)
	r.Header["K"] = []string{"a", "a"}
	w := httptest.NewRecorder()
	if h.ServeHTTP(w, r); w.Code != 400 || !strings.Contains(w.Body.String(), "more than once") {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
	untrusted := httpapi.New(httpapi.Config{Node: n, Loopback: true})
	if w := ask(t, untrusted, "GET", "/v1/forward/api", "", xff...); w.Code != 403 || !strings.Contains(w.Body.String(), "no trusted proxy: name its address or network with -trusted-proxies") {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
	if w := ask(t, untrusted, "GET", "/v1/forward/api?key=header:K", "", "K", "a"); w.Code != 200 {
		t.Errorf("a key that nobody has to be trusted for: got %d", w.Code)
	}
}

// nginx makes a 429 of each 403 with deny=403, so a proxy that nobody trusts must not get one:
// all its clients would be told to wait, and nobody why.
func TestAnUntrustedProxyIsNoDenial(t *testing.T) {
	n := open(t, node.Config{Limits: map[string]node.Policy{"api": {Limit: 3, Window: time.Minute}}})
	for _, c := range []struct {
		target  string
		headers []string
		want    int
	}{
		{"/v1/forward/api", nil, 403},
		{"/v1/forward/api/deny=429/a", nil, 403},
		{"/v1/forward/api?deny=403", nil, 500},
		{"/v1/forward/api/deny=403&key=path,ip/a", nil, 500},
		{"/v1/forward/api/deny=403&key=path/a", []string{"Origin", "http://site.example"}, 500},
		{"/v1/forward/api/deny=403&key=path/a", []string{"Host", "site.example"}, 421},
		{"/v1/forward/api/key=path/a", []string{"Sec-Fetch-Site", "cross-site"}, 403},
	} {
		var log bytes.Buffer
		h := httpapi.New(httpapi.Config{Node: n, Loopback: true, Logger: slog.New(slog.NewTextHandler(&log, nil))})
		for range 3 {
			w := ask(t, h, "GET", c.target, "", append([]string{"X-Forwarded-For", "198.51.100.7"}, c.headers...)...)
			if w.Code != c.want || !strings.Contains(w.Body.String(), "-trusted-proxies") || w.Header().Get("Content-Type") != isProblem {
				t.Errorf("%s %v: got %d %s, want %d", c.target, c.headers, w.Code, w.Body, c.want)
			}
		}
		if said := log.String(); strings.Count(said, "\n") != 1 || !strings.Contains(said, "level=WARN") || !strings.Contains(said, "address=192.0.2.1") || !strings.Contains(said, "-trusted-proxies") || strings.Contains(said, "198.51.100.7") {
			t.Errorf("%s %v: the log has %q", c.target, c.headers, said)
		}
	}
	if top, err := n.Top("api"); err != nil || len(top) > 0 {
		t.Errorf("counted are %v, %v", top, err)
	}
}

// What the client lacks is no news for the log: anybody could fill it.
func TestTheLogHasNoFaultsOfClients(t *testing.T) {
	var log bytes.Buffer
	h := httpapi.New(httpapi.Config{Node: open(t, node.Config{}), TrustedProxies: testProxies, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	for _, target := range []string{"/v1/forward/default?key=header:K&deny=403", "/v1/forward/default?key=header:K", "/v1/forward/default?deny=403&cost=0"} {
		ask(t, h, "GET", target, "", "X-Forwarded-For", "198.51.100.7")
	}
	if log.Len() > 0 {
		t.Errorf("the log has %s", &log)
	}
}

// Nothing that a client writes into its path or query counts for another, or passes uncounted.
func FuzzAForwardedPath(f *testing.F) {
	f.Add("/a/../b", "x=1")
	f.Add("//evil", "key=header:X&cost=9")
	f.Add("/%2e%2e/\x00", ";")
	n, err := node.Open(f.Context(), node.Config{Limits: map[string]node.Policy{"api": {Limit: 3, Window: time.Minute}}})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _ = n.Close() })
	h := httpapi.New(httpapi.Config{Node: n, TrustedProxies: testProxies})
	f.Fuzz(func(t *testing.T, path, query string) {
		r := httptest.NewRequestWithContext(t.Context(), "GET", "/", http.NoBody)
		r.URL.Path, r.URL.RawQuery = "/v1/forward/api/-/"+path, query
		r.Header.Set("X-Forwarded-For", "198.51.100.7")
		if err := n.Reset("api", "198.51.100.7"); err != nil {
			t.Skip(err) // a node repeats only so many
		}
		w := httptest.NewRecorder()
		if h.ServeHTTP(w, r); w.Code != http.StatusOK || w.Header().Get("Location") != "" || used(n, "198.51.100.7") != 1 {
			t.Errorf("got %d %s, %d used", w.Code, w.Body, used(n, "198.51.100.7"))
		}
	})
}
