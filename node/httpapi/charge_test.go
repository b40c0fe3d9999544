package httpapi_test

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
)

var note = regexp.MustCompile(`"note":"[^"]*",`)

func TestAChargeGoesBeyondTheLimit(t *testing.T) {
	h := still(t, node.Config{Limit: 10, Window: time.Minute})
	for _, c := range []struct{ body, want string }{
		{`{"client":"a","cost":4}`, `{"allowed":true,"limit":"default","quota":10,"window_ms":60000,"burst":10,"remaining":6,"retry_after_ms":0,"reset_after_ms":24000,"charged":4,"not_charged":0}`},
		{`{"client":"a","cost":9}`, `{"allowed":false,"limit":"default","quota":10,"window_ms":60000,"burst":10,"remaining":0,"retry_after_ms":24000,"reset_after_ms":78000,"reason":"over_limit","charged":9,"not_charged":0}`},
		{`{"client":"a","cost":9007199254740992}`, `{"allowed":false,"limit":"default","quota":10,"window_ms":60000,"burst":10,"remaining":0,"retry_after_ms":66000,"reset_after_ms":120000,"reason":"over_limit","charged":7,"not_charged":9007199254740985}`},
	} {
		w := ask(t, h, "POST", "/v1/charge", c.body)
		wantStatus(t, w, 200, isJSON)
		if got := note.ReplaceAllString(strings.TrimSpace(w.Body.String()), ""); got != c.want {
			t.Errorf("%s: got %s, want %s", c.body, got, c.want)
		}
	}
	for body, field := range map[string]string{
		`{"client":""}`:                          "client",
		`{"client":"a","cost":0}`:                "cost",
		`{"client":"a","at_most":true}`:          "at_most",
		`{"client":"a","timeout":5}`:             "timeout",
		`{"client":"a","also":[{"limit":"no"}]}`: "also[0].limit",
	} {
		status := 400
		if field == "also[0].limit" {
			status = 404
		}
		wantProblem(t, ask(t, h, "POST", "/v1/charge", body), status, field)
	}
}

func TestACommitTellsWhatTheDebtCapLeftOut(t *testing.T) {
	h := still(t, node.Config{Limit: 10, Window: time.Minute})
	token := reserve(t, h, `{"client":"a","cost":4}`)
	for range 2 {
		w := ask(t, h, "POST", "/v1/commit", `{"reservation":"`+token+`","actual":25}`)
		wantStatus(t, w, 200, isJSON)
		if got, want := strings.TrimSpace(w.Body.String()), `{"settled":true,"returned":0,"charged":16,"not_charged":5}`; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}
