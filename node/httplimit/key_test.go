package httplimit_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/httplimit"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/doortest"
)

type contextKey struct{}

type user string

func (u user) String() string { return "user " + string(u) }

// counted is the client for which a request counts, "" if it has no key.
func counted(t testing.TB, k httplimit.Key, r *http.Request) string {
	t.Helper()
	var client string
	by, err := httplimit.New(httplimit.Config{Limiter: asked{func(q node.Request) { client = q.Client }}, Key: k})
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	by(http.NotFoundHandler()).ServeHTTP(w, r)
	if client == "" && w.Code != http.StatusBadRequest {
		t.Errorf("a request without a key got %d %s", w.Code, w.Body)
	}
	return client
}

// asked is a limiter that tells what it is asked.
type asked struct{ about func(node.Request) }

func (a asked) DoDetailed(q node.Request) node.Detail {
	a.about(q)
	return node.Detail{Decision: node.Decision{Allowed: true}}
}
func (asked) Reserve(node.Request) *node.Reservation    { panic("not asked for") }
func (asked) Charge(node.Request) (d node.ChargeDetail) { panic("not asked for") }

func TestWhomARequestCountsFor(t *testing.T) {
	const proxy, stranger = "10.0.0.1:99", "198.51.100.7:4711"
	long := strings.Repeat("x", 129)
	proxies := httplimit.ByTrustedProxies("10.0.0.0/8", "2001:db8:f::/48")
	cdn := httplimit.ByProxyHeader("CF-Connecting-IP", "10.0.0.0/8")
	value := httplimit.ByContext("user", contextKey{})
	fn := func(s string, err error) httplimit.Key {
		return httplimit.ByFunc("f", func(*http.Request) (string, error) { return s, err })
	}
	for name, c := range map[string]struct {
		key     httplimit.Key
		from    string
		headers []string
		value   any
		want    string
	}{
		"an address":                   {httplimit.ByRemoteAddr(), stranger, nil, nil, "198.51.100.7"},
		"a header that nobody trusts":  {httplimit.ByRemoteAddr(), stranger, []string{"X-Forwarded-For", "1.2.3.4", "X-Real-IP", "1.2.3.4"}, nil, "198.51.100.7"},
		"IPv6 by its network":          {httplimit.ByRemoteAddr(), "[2001:db8:1:2:3::4]:80", nil, nil, "2001:db8:1:2::"},
		"IPv6 by a longer network":     {httplimit.ByRemoteAddr().IPv6(48), "[2001:db8:1:2:3::4]:80", nil, nil, "2001:db8:1::"},
		"IPv6 by itself":               {httplimit.ByRemoteAddr().IPv6(128), "[2001:db8:1:2:3::4]:80", nil, nil, "2001:db8:1:2:3::4"},
		"a mapped address":             {httplimit.ByRemoteAddr(), "[::ffff:198.51.100.7]:80", nil, nil, "198.51.100.7"},
		"behind a NAT64":               {httplimit.ByRemoteAddr(), "[64:ff9b::198.51.100.7]:80", nil, nil, "198.51.100.7"},
		"a zone":                       {httplimit.ByRemoteAddr().IPv6(128), "[fe80::1%eth0]:80", nil, nil, "fe80::1"},
		"no address":                   {httplimit.ByRemoteAddr(), "@", nil, nil, ""},
		"behind a proxy":               {proxies, proxy, []string{"X-Forwarded-For", "1.2.3.4, 203.0.113.9"}, nil, "203.0.113.9"},
		"behind a proxy, IPv6":         {proxies, "[2001:db8:f::1]:1", []string{"X-Forwarded-For", "2001:db8:1:2:3::4"}, nil, "2001:db8:1:2::"},
		"several lines":                {proxies, proxy, []string{"X-Forwarded-For", "1.2.3.4", "X-Forwarded-For", "203.0.113.9"}, nil, "203.0.113.9"},
		"a proxy that nobody trusts":   {proxies, stranger, []string{"X-Forwarded-For", "1.2.3.4"}, nil, "198.51.100.7"},
		"a proxy's own header":         {cdn, proxy, []string{"CF-Connecting-IP", "203.0.113.9"}, nil, "203.0.113.9"},
		"a stranger's":                 {cdn, stranger, []string{"CF-Connecting-IP", "203.0.113.9"}, nil, "198.51.100.7"},
		"a proxy's own header missing": {cdn, proxy, nil, nil, ""},
		"a proxy's own header twice":   {cdn, proxy, []string{"CF-Connecting-IP", "203.0.113.9", "CF-Connecting-IP", "203.0.113.9"}, nil, ""},
		"a list in it":                 {cdn, proxy, []string{"CF-Connecting-IP", "203.0.113.9, 203.0.113.8"}, nil, ""},
		"rubbish in it":                {cdn, proxy, []string{"CF-Connecting-IP", "localhost"}, nil, ""},
		"a header":                     {httplimit.ByHeader("X-API-Key"), stranger, []string{"X-Api-Key", "abc"}, nil, "x-api-key=abc"},
		"a header that is an address":  {httplimit.ByHeader("X-API-Key"), stranger, []string{"X-Api-Key", "10.0.0.1"}, nil, "x-api-key=10.0.0.1"},
		"no header":                    {httplimit.ByHeader("X-API-Key"), stranger, nil, nil, ""},
		"an empty header":              {httplimit.ByHeader("X-API-Key"), stranger, []string{"X-Api-Key", ""}, nil, ""},
		"a header twice":               {httplimit.ByHeader("X-API-Key"), stranger, []string{"X-Api-Key", "a", "X-Api-Key", "a"}, nil, ""},
		"a header of 128 bytes":        {httplimit.ByHeader("K"), stranger, []string{"K", long[1:]}, nil, "k=" + long[1:]},
		"a header of 129 bytes":        {httplimit.ByHeader("K"), stranger, []string{"K", long}, nil, "k#=DsnrM-dFELzdHy6lUgboLyFknFwr7L8rQz60dbNMAb0"},
		"a context's text":             {value, stranger, nil, "ann", "user=ann"},
		"a context's Stringer":         {value, stranger, nil, user("ann"), "user=user ann"},
		"a context's number":           {value, stranger, nil, 7, ""},
		"an empty text":                {value, stranger, nil, "", ""},
		"nothing in the context":       {value, stranger, nil, nil, ""},
		"a function":                   {fn("v", nil), stranger, nil, nil, "f=v"},
		"a function without a value":   {fn("", nil), stranger, nil, nil, ""},
		"a function without a key":     {fn("v", httplimit.ErrNoKey), stranger, nil, nil, ""},
		"joined":                       {httplimit.Join(httplimit.ByRemoteAddr(), value), stranger, nil, "ann", "198.51.100.7|user=ann"},
		"joined, the mark in a value":  {httplimit.Join(value, value), stranger, nil, `a|b\`, `user=a\|b\\|user=a\|b\\`},
		"joined, one missing":          {httplimit.Join(httplimit.ByRemoteAddr(), value), stranger, nil, nil, ""},
		"joined, too long": {
			httplimit.Join(value, value, value, value), stranger, nil, strings.Repeat("|", 128), "joined|#=OVn0yqXtgiAGZLst5S9WcUtT0EVlpSW5bywkqvWws8I",
		},
		"the first":         {httplimit.FirstOf(value, httplimit.ByRemoteAddr()), stranger, nil, "ann", "user=ann"},
		"the second":        {httplimit.FirstOf(value, httplimit.ByRemoteAddr()), stranger, nil, nil, "198.51.100.7"},
		"none of them":      {httplimit.FirstOf(value, httplimit.ByHeader("K")), stranger, nil, nil, ""},
		"the second of two": {httplimit.FirstOf(httplimit.ByHeader("K"), httplimit.Join(value, httplimit.ByRemoteAddr())), stranger, nil, "ann", "user=ann|198.51.100.7"},
	} {
		r := httptest.NewRequestWithContext(context.WithValue(t.Context(), contextKey{}, c.value), http.MethodGet, "/", http.NoBody)
		r.RemoteAddr = c.from
		for i := 0; i < len(c.headers); i += 2 {
			r.Header.Add(c.headers[i], c.headers[i+1])
		}
		if got := counted(t, c.key, r); got != c.want {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}

func TestKeysThatCannotBeAreRefused(t *testing.T) {
	none := func(*http.Request) (string, error) { return "", nil }
	for want, k := range map[string]httplimit.Key{
		"no proxies are named":          httplimit.ByTrustedProxies(),
		`"10.0.0.1/8" has bits beyond`:  httplimit.ByTrustedProxies("10.0.0.1/8", "x"),
		`"x" must be an address`:        httplimit.ByTrustedProxies("10.0.0.1/8", "x"),
		`"y" must be an address`:        httplimit.ByProxyHeader("X-Real-IP", "y"),
		`the name "x y" must`:           httplimit.ByProxyHeader("X Y", "10.0.0.0/8"),
		`the name "" must`:              httplimit.ByHeader(""),
		`the name "a=b" must`:           httplimit.ByContext("a=b", contextKey{}),
		"ByContext must have a key":     httplimit.ByContext("a", nil),
		"ByFunc must have a function":   httplimit.ByFunc("a", nil),
		`the name "a#" must`:            httplimit.ByFunc("a#", none),
		"IPv6(0) must be":               httplimit.ByRemoteAddr().IPv6(0),
		"IPv6(129) must be":             httplimit.ByRemoteAddr().IPv6(129),
		"IPv6(64) must be":              httplimit.ByHeader("a").IPv6(64),
		"Join must have keys":           httplimit.Join(),
		"FirstOf must have keys":        httplimit.FirstOf(),
		"key 1 of Join is the zero Key": httplimit.Join(httplimit.ByRemoteAddr(), httplimit.Key{}),
		`the name "?" must`:             httplimit.FirstOf(httplimit.ByHeader("?")),
		"no default is safe":            {},
	} {
		_, err := httplimit.New(httplimit.Config{Limiter: doortest.Open(t, nil), Key: k})
		if f := new(node.FieldError); !errors.As(err, &f) || f.Field != "Key" || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, got %v", want, err)
		}
	}
}

// No header that a client writes gives it another account, or another's.
func FuzzAStrangersHeadersChangeNothing(f *testing.F) {
	f.Add("1.2.3.4", "10.0.0.1", "198.51.100.7|x")
	f.Add("::ffff:10.0.0.1", "64:ff9b::a00:1", "\x00,,")
	f.Fuzz(func(t *testing.T, one, two, three string) {
		for _, k := range []httplimit.Key{
			httplimit.ByRemoteAddr(), httplimit.ByTrustedProxies("10.0.0.0/8"), httplimit.ByProxyHeader("X-Real-IP", "10.0.0.0/8"),
		} {
			r := httptest.NewRequestWithContext(context.Background(), http.MethodGet, "/", http.NoBody)
			r.RemoteAddr = "198.51.100.7:1"
			r.Header = http.Header{"X-Forwarded-For": {one, two}, "X-Real-Ip": {three}, "Forwarded": {"for=" + one}}
			if got := counted(t, k, r); got != "198.51.100.7" {
				t.Errorf("%q, %q, %q: got %q", one, two, three, got)
			}
		}
	})
}

// Clients of different values never share an account, however their values are written.
func FuzzJoinedKeysDiffer(f *testing.F) {
	f.Add("a|b", "c", "a", "b|c")
	f.Add(`a\`, "b", "a", `\b`)
	f.Fuzz(func(t *testing.T, a, b, c, d string) {
		if a == "" || b == "" || c == "" || d == "" {
			return
		}
		key := func(one, two string) string {
			return counted(t, httplimit.Join(
				httplimit.ByFunc("x", func(*http.Request) (string, error) { return one, nil }),
				httplimit.ByFunc("x", func(*http.Request) (string, error) { return two, nil }),
			), httptest.NewRequestWithContext(context.Background(), http.MethodGet, "/", http.NoBody))
		}
		if one, two := key(a, b), key(c, d); (one == two) != (a == c && b == d) || len(one) > node.MaxClientID {
			t.Errorf("%q and %q have the key %q, %q and %q have %q", a, b, one, c, d, two)
		}
	})
}
