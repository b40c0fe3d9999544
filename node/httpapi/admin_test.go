package httpapi_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/httpapi"
)

const defaultLimit = `{"limit":100,"window":60,"burst":100,"algorithm":"gcra","resolution":1,"time_zone":"UTC","max_overshoot":0.1,"on_isolation":"keep","consistency":"eventual","shadow":false}`

func TestResetGivesTheWholeBurstBack(t *testing.T) {
	for name, target := range map[string][2]string{
		"body": {"/v1/reset", `{"client":"a","limit":"default"}`}, "no limit": {"/v1/reset", `{"client":"a"}`},
		"query": {"/v1/reset?client=a", ""},
	} {
		t.Run(name, func(t *testing.T) {
			h := still(t, node.Config{})
			ask(t, h, "POST", "/v1/take?client=a&cost=100", "")
			ask(t, h, "POST", "/v1/take?client=b&cost=100", "")
			w := ask(t, h, "POST", target[0], target[1])
			wantStatus(t, w, http.StatusOK, isJSON)
			if w.Body.String() != `{"limit":"default","reset":true}`+"\n" {
				t.Errorf("got %s", w.Body)
			}
			if w := ask(t, h, "GET", "/v1/peek?client=a", ""); !strings.Contains(w.Body.String(), `"remaining":100,`) {
				t.Errorf("a has %s", w.Body)
			}
			if w := ask(t, h, "GET", "/v1/peek?client=b", ""); !strings.Contains(w.Body.String(), `"remaining":0,`) {
				t.Errorf("b has %s", w.Body)
			}
		})
	}
}

func TestABadResetIsRefusedByName(t *testing.T) {
	h := still(t, node.Config{})
	for body, want := range map[string]struct {
		status int
		field  string
	}{
		"": {400, "body"}, "x": {400, "body"}, `{}`: {400, "client"}, `{"client":""}`: {400, "client"},
		`{"client":"` + strings.Repeat("x", 1025) + `"}`: {400, "client"},
		`{"client":"a","limit":"nope"}`:                  {404, "limit"},
		`{"client":"a","cost":1}`:                        {400, "cost"},
		`{"client":"a"}{"client":"b"}`:                   {400, "body"},
	} {
		wantProblem(t, ask(t, h, "POST", "/v1/reset", body), want.status, want.field)
	}
	w := ask(t, h, "POST", "/v1/reset", `{"client":"a","limit":"nope"}`)
	if !strings.Contains(w.Body.String(), `there is no limit \"nope\": GET /v1/limits lists them`) {
		t.Errorf("got %s", w.Body)
	}
}

func TestTooManyResetsAreToldToWait(t *testing.T) {
	h := still(t, node.Config{})
	for range 1024 {
		if w := ask(t, h, "POST", "/v1/reset?client=a", ""); w.Code != http.StatusOK {
			t.Fatalf("got %d %s", w.Code, w.Body)
		}
	}
	w := ask(t, h, "POST", "/v1/reset?client=a", "")
	wantProblem(t, w, http.StatusServiceUnavailable, "")
	if w.Header().Get("Retry-After") != "60" {
		t.Errorf("got %v", w.Header())
	}
}

func TestALimitIsSetReadAndTakenBack(t *testing.T) {
	h := httpapi.New(httpapi.Config{Node: open(t, node.Config{}), Loopback: true})
	const small = `{"limit":5,"window":0.5,"burst":2,"algorithm":"gcra","resolution":1,"time_zone":"UTC","max_overshoot":0.25,"on_isolation":"keep","consistency":"eventual","shadow":false}`
	const login = `{"limit":10,"window":60,"burst":10,"algorithm":"gcra","resolution":1,"time_zone":"UTC","max_overshoot":0.1,"on_isolation":"keep","consistency":"eventual","shadow":false}`
	for _, step := range []struct{ method, path, body, want string }{
		{"GET", "/v1/limits/default", "", defaultLimit},
		{"GET", "/v1/limits", "", `{"limits":{"default":` + defaultLimit + `}}`},
		// The answer comes when the change is in force, so the next reads and takes see it.
		{"PUT", "/v1/limits/default", `{"limit":5,"window":"500ms","burst":2,"max_overshoot":0.25}`, small},
		{"GET", "/v1/limits/default", "", small},
		{"PUT", "/v1/limits/default", small, small},
		{"PUT", "/v1/limits/login", `{"limit":10,"window":"60"}`, login},
		{"GET", "/v1/limits", "", `{"limits":{"default":` + small + `,"login":` + login + `}}`},
		{"DELETE", "/v1/limits/default", "", defaultLimit},
		{"GET", "/v1/limits/default", "", defaultLimit},
		// What no configuration has is gone.
		{"DELETE", "/v1/limits/login", "", `{"deleted":true,"name":"login"}`},
		{"GET", "/v1/limits", "", `{"limits":{"default":` + defaultLimit + `}}`},
	} {
		w := ask(t, h, step.method, step.path, step.body)
		wantStatus(t, w, http.StatusOK, isJSON)
		if got := strings.TrimSpace(w.Body.String()); got != step.want {
			t.Fatalf("%s %s %s:\ngot  %s\nwant %s", step.method, step.path, step.body, got, step.want)
		}
	}
	for _, target := range [][2]string{{"DELETE", "/v1/limits/login"}, {"GET", "/v1/limits/login"}} {
		wantProblem(t, ask(t, h, target[0], target[1], ""), http.StatusNotFound, "name")
	}
	for _, target := range [][2]string{{"POST", "/v1/take?client=a&limit=login"}, {"GET", "/v1/top?limit=login"}, {"POST", "/v1/reset?client=a&limit=login"}} {
		wantProblem(t, ask(t, h, target[0], target[1], ""), http.StatusNotFound, "limit")
	}
	// It can be set again.
	if w := ask(t, h, "PUT", "/v1/limits/login", login); strings.TrimSpace(w.Body.String()) != login {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
	if w := ask(t, h, "POST", "/v1/take?client=a&limit=login", ""); w.Code != http.StatusOK {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
}

func TestABadLimitIsRefusedByNameAndChangesNothing(t *testing.T) {
	h := still(t, node.Config{})
	with := func(member string) string { return `{"limit":5,"window":60,` + member + `}` }
	for _, c := range []struct {
		name, body string
		field      string
		detail     string // some of it
	}{
		{"default", "", "body", "empty"},
		{"default", "limit=5", "body", "JSON object"},
		{"default", "{}", "limit", "must be at least 1"},
		{"default", `{"limit":5}`, "window", "must be from 1ms"},
		{"default", `{"window":60}`, "limit", "must be at least 1"},
		{"default", `{"limit":0,"window":60}`, "limit", "must be at least 1; to let nobody pass write block: true"},
		{"default", `{"limit":-1,"window":60}`, "limit", "must be from 1"},
		{"default", `{"limit":9007199254740993,"window":60}`, "limit", "must be from 1"},
		{"default", `{"limit":"5","window":60}`, "limit", "whole number"},
		{"default", `{"limit":5,"window":0}`, "window", "must be from 1ms"},
		{"default", `{"limit":5,"window":-60}`, "window", "must be from 1ms"},
		{"default", `{"limit":5,"window":"a minute"}`, "window", "seconds, a duration"},
		{"default", `{"limit":5,"window":1e300}`, "window", "seconds, a duration"},
		{"default", `{"limit":5,"window":true}`, "window", "seconds, a duration"},
		{"default", `{"limit":5,"window":99999999}`, "window", "must be from 1ms"},
		{"default", with(`"burst":-1`), "burst", "must be from 1"},
		{"default", with(`"burst":9007199254740991`), "burst", "to drain"},
		{"default", with(`"burst":null`), "burst", "null"},
		{"default", with(`"max_overshoot":1.5`), "max_overshoot", "at most 1"},
		{"default", with(`"max_overshoot":-0.1`), "max_overshoot", "above 0"},
		{"default", with(`"algorithm":"leaky"`), "algorithm", "must be gcra, fixed_window or sliding_window"},
		{"default", with(`"algorithm":1`), "algorithm", "must be gcra, fixed_window or sliding_window"},
		{"default", with(`"resolution":"10"`), "resolution", "must be a whole number, without quotes"},
		{"default", with(`"time_zone":1`), "time_zone", "must be a string"},
		{"default", with(`"consistency":"strong"`), "consistency", "must be eventual, local or bounded"},
		{"default", with(`"block":1`), "block", "true or false"},
		{"default", with(`"block":true,"unlimited":true`), "unlimited", "cannot be together with block"},
		{"default", with(`"use":"logn"`), "use", "is no limit: there are default"},
		{"default", with(`"use":1`), "use", "must be the name of a limit"},
		{"default", with(`"overrides":{}`), "overrides", "must be a list"},
		{"default", with(`"overrides":[{"client":"a","limit":0}]`), "overrides[0].limit", "block: true"},
		{"default", with(`"overrides":[{"client":"a","limit":1},{"cidrr":"::/0","block":true}]`), "overrides[1].cidrr", "did you mean cidr?"},
		{"default", `{"limit":5,"window":"1d"}`, "window", "24h"},
		{"default", with(`"on_isolation":"sometimes"`), "on_isolation", "must be keep, share, open or closed"},
		{"default", with(`"shadow":"false"`), "shadow", "true or false"},
		{"default", with(`"limit":5`), "limit", "more than once"},
		{"default", with(`"quota":5`), "quota", "known are limit, window"},
		{"a%20b", `{"limit":5,"window":60}`, "name", "1 to 64 of"},
		{strings.Repeat("n", 65), `{"limit":5,"window":60}`, "name", "1 to 64 of"},
	} {
		w := ask(t, h, "PUT", "/v1/limits/"+c.name, c.body)
		if detail := wantProblem(t, w, http.StatusBadRequest, c.field); !strings.Contains(detail, c.detail) {
			t.Errorf("%s: got %q, want %q in it", c.body, detail, c.detail)
		}
	}
	wantProblem(t, ask(t, h, "PUT", "/v1/limits/default", `{"limit":5,"window":60,"x":"`+strings.Repeat("x", httpapi.MaxLimitBody)+`"}`), http.StatusRequestEntityTooLarge, "body")
	for _, method := range []string{"GET", "DELETE"} {
		wantProblem(t, ask(t, h, method, "/v1/limits/nope", ""), http.StatusNotFound, "name")
	}
	w := ask(t, h, "GET", "/v1/limits", "")
	if got, want := strings.TrimSpace(w.Body.String()), `{"limits":{"default":`+defaultLimit+`}}`; got != want {
		t.Errorf("the limits changed: %s", got)
	}
}

func TestALimitIsBuiltOnAnother(t *testing.T) {
	h := httpapi.New(httpapi.Config{Node: open(t, node.Config{}), Loopback: true})
	for _, step := range []struct{ body, want string }{
		{`{"use":"default","limit":20}`, `{"limit":20,"window":60,"burst":20,`},
		{`{"use":"login","window":"90s"}`, `{"limit":20,"window":90,"burst":20,`}, // itself, as it is now
	} {
		w := ask(t, h, "PUT", "/v1/limits/login", step.body)
		if w.Code != http.StatusOK || !strings.HasPrefix(w.Body.String(), step.want) {
			t.Errorf("%s: got %d %s", step.body, w.Code, w.Body)
		}
	}
}

func TestEveryFaultOfALimitIsTold(t *testing.T) {
	h := still(t, node.Config{})
	detail := wantProblem(t, ask(t, h, "PUT", "/v1/limits/default", `{"limit":-1,"window":0,"burst":-1}`), http.StatusBadRequest, "limit")
	for _, field := range []string{"limit -1:", "window 0s:", "burst -1:"} {
		if !strings.Contains(detail, field) {
			t.Errorf("%q does not tell of %s", detail, field)
		}
	}
	detail = wantProblem(t, ask(t, h, "PUT", "/v1/limits/default", `{"limit":"x","widnow":0,"overrides":[{"client":1,"block":7}]}`), http.StatusBadRequest, "limit")
	for _, field := range []string{`limit "x":`, "widnow is unknown", `overrides[0].client "1":`, `overrides[0].block "7":`} {
		if !strings.Contains(detail, field) {
			t.Errorf("%q does not tell of %s", detail, field)
		}
	}
}

func TestOnlyTheAdminWrites(t *testing.T) {
	n := open(t, node.Config{})
	const token = "correct horse"
	for _, c := range []struct {
		name     string
		token    string
		loopback bool
		headers  []string
		allowed  bool
	}{
		{"the token", token, false, []string{"Authorization", "Bearer " + token}, true},
		{"the token on loopback", token, true, []string{"Authorization", "Bearer " + token}, true},
		{"the scheme in capitals", token, false, []string{"Authorization", "BEARER " + token}, true},
		{"no token given", token, false, nil, false},
		{"no token given on loopback", token, true, nil, false},
		{"a wrong token", token, true, []string{"Authorization", "Bearer wrong"}, false},
		{"a part of the token", token, true, []string{"Authorization", "Bearer correct"}, false},
		{"an empty token", token, true, []string{"Authorization", "Bearer "}, false},
		{"another scheme", token, true, []string{"Authorization", "Basic " + token}, false},
		{"none set, open to the network", "", false, nil, false},
		{"none set, open to the network, an empty one given", "", false, []string{"Authorization", "Bearer "}, false},
		{"none set, loopback", "", true, nil, true},
		{"none set, loopback by address", "", true, []string{"Host", "127.0.0.1:8080"}, true},
		{"none set, loopback by IPv6 address", "", true, []string{"Host", "[::1]:8080"}, true},
		{"none set, the own page", "", true, []string{"Sec-Fetch-Site", "same-origin"}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := httpapi.New(httpapi.Config{Node: n, AdminToken: c.token, Loopback: c.loopback})
			for _, write := range [][3]string{
				{"POST", "/v1/reset", `{"client":"a"}`},
				{"PUT", "/v1/limits/default", `{"limit":0}`}, // bad, so that allowed ones need no waiting either
				{"DELETE", "/v1/limits/nope", ""},
			} {
				w := ask(t, h, write[0], write[1], write[2], c.headers...)
				if got := w.Code != http.StatusForbidden; got != c.allowed {
					t.Errorf("%v: got %d %s", write, w.Code, w.Body)
				}
				if c.allowed {
					continue
				}
				if detail := wantProblem(t, w, http.StatusForbidden, "authorization"); !strings.Contains(detail, "-admin-token-file") {
					t.Errorf("%q does not say how to set a token", detail)
				}
				if strings.Contains(w.Body.String(), token) {
					t.Errorf("the token is told: %s", w.Body)
				}
			}
			// Decisions and reading need none.
			if w := ask(t, h, "GET", "/v1/peek?client=a", ""); w.Code != http.StatusOK {
				t.Errorf("peek: got %d", w.Code)
			}
		})
	}
}

func TestAnAnswerDoesNotWaitForeverForAChange(t *testing.T) {
	// The clock stands still, so the change never takes effect.
	h := still(t, node.Config{})
	done := make(chan int, 1)
	go func() {
		done <- ask(t, h, "PUT", "/v1/limits/default", `{"limit":5,"window":60}`).Code
	}()
	select {
	case code := <-done:
		if code != http.StatusOK {
			t.Errorf("got %d", code)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("no answer")
	}
}
