package httpapi_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/httpapi"
)

func TestARefundSaysWhatCameBack(t *testing.T) {
	h := still(t, node.Config{Limit: 10, Window: time.Minute})
	ask(t, h, "POST", "/v1/charge", `{"client":"a","cost":14}`)
	for _, c := range []struct{ body, want string }{
		{`{"client":"a","cost":4}`, `{"returned":4,"limit":"default"}`},
		{`{"client":"a"}`, `{"returned":1,"limit":"default"}`},
		{`{"client":"a","cost":9007199254740992}`, `{"returned":9,"limit":"default","reason":"drained"}`},
		{`{"client":"b","cost":1}`, `{"returned":0,"limit":"default","reason":"drained"}`},
	} {
		w := ask(t, h, "POST", "/v1/refund", c.body)
		wantStatus(t, w, 200, isJSON)
		if got := without(w.Body.String()); got != c.want {
			t.Errorf("%s: got %s, want %s", c.body, got, c.want)
		}
	}
	for body, field := range map[string]string{
		`{"client":""}`:                           "client",
		`{"client":"a","cost":0}`:                 "cost",
		`{"client":"a","at_most":true}`:           "at_most",
		`{"client":"a","also":[{"limit":"day"}]}`: "also",
		`{"client":"a","policy":{"limit":0}}`:     "policy.limit",
	} {
		wantProblem(t, ask(t, h, "POST", "/v1/refund", body), 400, field)
	}
	wantProblem(t, ask(t, h, "POST", "/v1/refund", `{"client":"a","limit":"no"}`), 404, "limit")
}

// without is an answer without its note, which is last.
func without(answer string) string {
	answer, _, _ = strings.Cut(strings.TrimSpace(answer), `,"note":`)
	return strings.TrimSuffix(answer, "}") + "}"
}

// Who may not reset may not refund.
func TestARefundIsAWrite(t *testing.T) {
	n := open(t, node.Config{Limit: 10, Window: time.Minute})
	h := httpapi.New(httpapi.Config{Node: n, AdminToken: "0123456789abcdef"})
	n.Take("a", 5)
	wantProblem(t, ask(t, h, "POST", "/v1/refund", `{"client":"a","cost":5}`), 403, "authorization")
	if n.Do(node.Request{Client: "a", Peek: true}).Remaining != 5 {
		t.Error("it came back")
	}
	if w := ask(t, h, "POST", "/v1/refund", `{"client":"a","cost":5}`, "Authorization", "Bearer 0123456789abcdef"); w.Code != 200 {
		t.Errorf("with the token: %d", w.Code)
	}
}

// patient is a node whose refund waits for a node that does not answer.
type patient struct{ leaper }

func (patient) Refund(ctx context.Context, _ node.Request) (node.Refund, error) {
	<-ctx.Done()
	return node.Refund{Returned: 2, Unconfirmed: 3, Short: node.ShortAway}, nil
}

func TestARefundDoesNotWaitForEver(t *testing.T) {
	h := httpapi.New(httpapi.Config{Node: patient{leaping(t, node.Config{})}, Loopback: true})
	w := ask(t, h, "POST", "/v1/refund", `{"client":"a","cost":5}`)
	wantStatus(t, w, 200, isJSON)
	if got, want := without(w.Body.String()), `{"returned":2,"limit":"default","unconfirmed":3,"reason":"out_of_reach"}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// A settlement that gives back less than was not used says why.
func TestASettlementSaysWhyLessCameBack(t *testing.T) {
	n := leaping(t, node.Config{Limits: map[string]node.Policy{
		"default": {Limit: 60, Window: time.Minute},
		"fixed":   {Algorithm: node.FixedWindow, Limit: 10, Window: 15 * time.Second},
	}})
	h := httpapi.New(httpapi.Config{Node: n, Loopback: true})
	for name, c := range map[string]struct {
		limit, want string
		meanwhile   func()
	}{
		"nothing is missing":  {"default", `{"settled":true,"returned":9,"charged":0}`, func() {}},
		"drained":             {"default", `{"settled":true,"returned":4,"charged":0,"reason":"drained"}`, func() { n.ahead.Add(int64(5 * time.Second)) }},
		"reset":               {"default", `{"settled":true,"returned":0,"charged":0,"reason":"reset_or_changed"}`, func() { _ = n.Reset("default", "reset") }},
		"refunded":            {"default", `{"settled":true,"returned":2,"charged":0,"reason":"drained"}`, func() { ask(t, h, "POST", "/v1/refund", `{"client":"refunded","cost":7}`) }},
		"a window that ended": {"fixed", `{"settled":true,"returned":0,"charged":0,"reason":"window_over"}`, func() { n.ahead.Add(int64(20 * time.Second)) }},
	} {
		token := reserve(t, h, `{"client":"`+name+`","limit":"`+c.limit+`","cost":9}`)
		c.meanwhile()
		w := ask(t, h, "POST", "/v1/cancel", `{"reservation":"`+token+`"}`)
		wantStatus(t, w, 200, isJSON)
		if got := without(w.Body.String()); got != c.want {
			t.Errorf("%s: got %s, want %s", name, got, c.want)
		}
	}
}
