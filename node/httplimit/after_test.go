package httplimit_test

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/httplimit"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/doortest"
)

// left is how many units a client has.
func left(n *node.Node, limit, client string) int64 {
	return n.Do(node.Request{Client: client, Limit: limit, Peek: true}).Remaining
}

func budget(t *testing.T) *node.Node {
	return doortest.Open(t, map[string]node.Policy{"tokens": {Limit: 1000, Window: time.Minute}, "calls": {Limit: 10, Window: time.Minute}})
}

// A client may use its budget up, and go beyond it by its last answer.
func TestTheTrueCostIsChargedAfterTheAnswer(t *testing.T) {
	n := budget(t)
	h := limited(t, httplimit.Config{
		Limiter: n, Key: httplimit.ByRemoteAddr(), Limits: []httplimit.Limit{{Name: "tokens"}, {Name: "calls", Cost: func(*http.Request) int64 { return 1 }}},
		After: httplimit.AfterHeader("Tokens", 7),
	}, func(w http.ResponseWriter, r *http.Request) { w.Header()["Tokens"] = r.Header["Tokens"] })
	for _, c := range []struct {
		tokens string
		status int
		left   int64
	}{
		{"600", 200, 400},
		{"0", 200, 400},
		{"", 200, 393},
		{"-5", 200, 386},
		{"1e3", 200, 379},
		{"600", 200, 0},
		{"600", 429, 0},
	} {
		headers := []string{"Tokens", c.tokens}
		if c.tokens == "" {
			headers = nil
		}
		w := get(t, h, from, headers...)
		if got := left(n, "tokens", "192.0.2.1"); w.Code != c.status || got != c.left {
			t.Errorf("%s tokens: got %d, %d left, want %d, %d", c.tokens, w.Code, got, c.status, c.left)
		}
	}
	if d := n.Do(node.Request{Client: "192.0.2.1", Limit: "tokens", Peek: true}); d.RetryAfter != 222*60*time.Millisecond {
		t.Errorf("221 units beyond the limit: got %+v", d)
	}
	if got := left(n, "calls", "192.0.2.1"); got != 4 {
		t.Errorf("%d calls are left: a cost of its own is to stay", got)
	}
	w := get(t, h, from)
	if !strings.Contains(w.Body.String(), `"violated-policies":["tokens"]`) || w.Header().Get("Retry-After") != "14" || w.Header().Get("RateLimit") != `"tokens";r=0;t=14, "calls";r=4` {
		t.Errorf("got %s %v", w.Body, w.Header())
	}
}

// Limits without a cost of their own share the true cost.
func TestEveryLimitGetsTheTrueCost(t *testing.T) {
	n := budget(t)
	h := limited(t, httplimit.Config{
		Limiter: n, Key: httplimit.ByRemoteAddr(), Limits: []httplimit.Limit{{Name: "tokens"}, {Name: "calls"}},
		After: func(a httplimit.Answer) int64 { return a.Bytes }, Cost: func(*http.Request) int64 { return 4 },
	}, func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, r.Header.Get("Say")) })
	for say, want := range map[string]int64{"": 0, "ab": 2, "abcdef": 6} {
		_ = n.Reset("tokens", "192.0.2.1")
		_ = n.Reset("calls", "192.0.2.1")
		if w := get(t, h, from, "Say", say); w.Header().Get("RateLimit") == "" {
			t.Errorf("got %v", w.Header())
		}
		if one, two := left(n, "tokens", "192.0.2.1"), left(n, "calls", "192.0.2.1"); one != 1000-want || two != 10-want {
			t.Errorf("%q: %d and %d are left", say, one, two)
		}
	}
}

// A limit of a cost of its own keeps it, whatever the others of the request are.
func TestAfterChangesNoCostThatALimitHasOfItsOwn(t *testing.T) {
	one := func(*http.Request) int64 { return 1 }
	calls, tokens := httplimit.Limit{Name: "calls", Cost: one}, httplimit.Limit{Name: "tokens"}
	for _, c := range []struct {
		name          string
		limits        []httplimit.Limit
		tokens, calls int64 // that are used
		asked         bool
	}{
		{"one of its own", []httplimit.Limit{calls}, 0, 1, false},
		{"two of their own", []httplimit.Limit{calls, {Name: "tokens", Cost: one}}, 1, 1, false},
		{"one without", []httplimit.Limit{tokens}, 9, 0, true},
		{"both, the own first", []httplimit.Limit{calls, tokens}, 9, 1, true},
		{"both, the own last", []httplimit.Limit{tokens, calls}, 9, 1, true},
	} {
		n, asked := budget(t), false
		h := limited(t, httplimit.Config{
			Limiter: n, Key: httplimit.ByRemoteAddr(), By: func(*http.Request) []httplimit.Limit { return c.limits },
			After: func(httplimit.Answer) int64 { asked = true; return 9 },
		}, nil)
		get(t, h, from)
		if usedTokens, usedCalls := 1000-left(n, "tokens", "192.0.2.1"), 10-left(n, "calls", "192.0.2.1"); usedTokens != c.tokens || usedCalls != c.calls || asked != c.asked {
			t.Errorf("%s: %d tokens and %d calls are used, After is asked: %t", c.name, usedTokens, usedCalls, asked)
		}
	}
}

func TestWhatAHandlerAnsweredIsKnown(t *testing.T) {
	for name, c := range map[string]struct {
		handler http.HandlerFunc
		status  int
		bytes   int64
	}{
		"nothing":       {func(http.ResponseWriter, *http.Request) {}, 200, 0},
		"a status":      {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(404) }, 404, 0},
		"two":           {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(404); w.WriteHeader(200) }, 404, 0},
		"hints before":  {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(103); w.WriteHeader(201) }, 201, 0},
		"a body":        {func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "12345") }, 200, 5},
		"a copied body": {func(w http.ResponseWriter, _ *http.Request) { _, _ = io.Copy(w, strings.NewReader("1234")) }, 200, 4},
		"a flush": {func(w http.ResponseWriter, _ *http.Request) {
			if f, ok := w.(http.Flusher); ok {
				f.Flush()
			}
		}, 200, 0},
		"a flush by a controller": {func(w http.ResponseWriter, _ *http.Request) {
			if err := http.NewResponseController(w).Flush(); err != nil {
				panic(err)
			}
		}, 200, 0},
		"a panic": {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, 0, 0},
		"a panic in a body": {func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, "1")
			panic(http.ErrAbortHandler)
		}, 200, 1},
		"a connection taken":                  {takeOver, 101, 0},
		"a connection taken without a status": {func(w http.ResponseWriter, _ *http.Request) { hijack(w, "HTTP/1.1 101 Switching Protocols\r\n\r\n") }, 101, 0},
		"a connection that answered with a status": {func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, "12")
			hijack(w, "")
		}, 200, 2},
	} {
		n := budget(t)
		got := make(chan httplimit.Answer, 1)
		srv := httptest.NewUnstartedServer(limited(t, httplimit.Config{
			Limiter: n, Key: httplimit.ByRemoteAddr(), Limits: []httplimit.Limit{{Name: "tokens"}},
			After: func(a httplimit.Answer) int64 { got <- a; return 77 },
		}, c.handler))
		srv.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, 0)
		srv.Start()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, srv.URL, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		if resp, err := srv.Client().Do(r); err == nil {
			_, _ = io.Copy(io.Discard, resp.Body)
			_ = resp.Body.Close()
		}
		if a := <-got; a.Status != c.status || a.Bytes != c.bytes || a.Request == nil || a.Header == nil {
			t.Errorf("%s: got %d with %d bytes, want %d with %d", name, a.Status, a.Bytes, c.status, c.bytes)
		}
		srv.Close() // and the handler has returned
		if got := left(n, "tokens", "127.0.0.1"); got != 1000-77 {
			t.Errorf("%s: %d are left", name, got)
		}
	}
}

// takeOver is a handler that answers on the connection itself, as for websockets.
func takeOver(w http.ResponseWriter, _ *http.Request) {
	w.WriteHeader(http.StatusSwitchingProtocols)
	hijack(w, "")
}

func hijack(w http.ResponseWriter, say string) {
	h, ok := w.(http.Hijacker)
	if !ok {
		panic("the server takes no connection over")
	}
	conn, rw, err := h.Hijack()
	if err != nil {
		panic(err)
	}
	_, _ = rw.WriteString(say)
	_ = rw.Flush()
	_ = conn.Close()
}

// Without After, handlers get the server's own ResponseWriter, with all that it can do.
func TestAHandlerGetsTheServersWriter(t *testing.T) {
	w := httptest.NewRecorder()
	h := limited(t, httplimit.Config{Limiter: doortest.Open(t, nil), Key: httplimit.ByRemoteAddr()}, func(got http.ResponseWriter, _ *http.Request) {
		if got != http.ResponseWriter(w) {
			t.Errorf("got %T", got)
		}
	})
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", http.NoBody)
	h.ServeHTTP(w, r)
	wellFormed(t, w)
}

// Many at once go beyond the limit by no more than what their estimates left open.
func TestAnEstimateHoldsRequestsAtOnceBack(t *testing.T) {
	n := budget(t)
	entered, release := make(chan struct{}), make(chan struct{})
	h := limited(t, httplimit.Config{
		Limiter: n, Key: httplimit.ByRemoteAddr(), Limits: []httplimit.Limit{{Name: "tokens"}},
		Cost: func(*http.Request) int64 { return 400 }, After: func(httplimit.Answer) int64 { return 500 },
	}, func(http.ResponseWriter, *http.Request) { entered <- struct{}{}; <-release })
	status := make(chan int, 3)
	for range 2 {
		go func() { status <- get(t, h, from).Code }()
		<-entered
	}
	if w := get(t, h, from); w.Code != http.StatusTooManyRequests {
		t.Errorf("a third at once got %d", w.Code)
	}
	close(release)
	for range 2 {
		if got := <-status; got != http.StatusOK {
			t.Errorf("got %d", got)
		}
	}
	if got := left(n, "tokens", "192.0.2.1"); got != 0 {
		t.Errorf("%s are left", strconv.FormatInt(got, 10))
	}
}
