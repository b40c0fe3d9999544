package httpapi_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/httpapi"
)

type batchAnswer struct {
	Allowed    *bool
	RetryAfter int64 `json:"retry_after_ms"`
	Results    []struct {
		Allowed   *bool
		Remaining int64
		Cost      *int64
		Limits    []any
		Problem   *struct {
			Status int
			Detail string
		}
	}
}

func batches(t *testing.T) (http.Handler, *node.Node) {
	t.Helper()
	at := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	n := open(t, node.Config{Now: func() time.Time { return at }, Limits: map[string]node.Policy{
		"default": {Limit: 5, Window: time.Minute}, "day": {Limit: 100, Window: 24 * time.Hour},
	}})
	return httpapi.New(httpapi.Config{Node: n}), n
}

func TestABatchDecidesEachRequestByItself(t *testing.T) {
	h, n := batches(t)
	w := ask(t, h, "POST", "/v1/batch", `{"requests":[
		{"client":"a","cost":4},{"client":"a","cost":2},{"client":"a"},{"client":"b","limit":"nope"},{"client":""},
		{"client":"c","cost":9,"at_most":true},{"client":"d","also":[{"limit":"day"}]},{"client":"e","limit":"mine","policy":{"limit":2,"window":1}},{"client":"f","cost":0}]}`)
	wantStatus(t, w, http.StatusOK, isJSON)
	var got batchAnswer
	decode(t, w, &got)
	var all []string
	for _, r := range got.Results {
		switch {
		case r.Problem != nil:
			all = append(all, fmt.Sprint(r.Problem.Status))
		case *r.Allowed:
			all = append(all, fmt.Sprint("yes ", r.Remaining))
		default:
			all = append(all, fmt.Sprint("no ", r.Remaining))
		}
	}
	if want := "yes 1,no 1,yes 0,404,400,yes 0,yes 4,yes 1,400"; strings.Join(all, ",") != want || got.Allowed != nil {
		t.Errorf("got %v, want %s", all, want)
	}
	if c := got.Results[5].Cost; c == nil || *c != 5 || len(got.Results[6].Limits) != 2 {
		t.Errorf("got %s", w.Body)
	}
	if got := n.Do(node.Request{Client: "d", Limit: "day", Peek: true}).Remaining; got != 99 {
		t.Errorf("%d are left", got)
	}
}

func TestABatchPassesTogetherOrNotAtAll(t *testing.T) {
	h, n := batches(t)
	left := func(client, limit string) int64 {
		return n.Do(node.Request{Client: client, Limit: limit, Peek: true}).Remaining
	}
	for _, c := range []struct {
		requests      string
		status        int
		fields, retry string
		costs         []int64
	}{
		{`{"client":"a","cost":4},{"client":"b","limit":"day","cost":2}`, 200, `"default";r=1;t=48, "day";r=98;t=1728`, "", []int64{4, 2}},
		{`{"client":"c"},{"client":"a","cost":3},{"client":"b","limit":"day"}`, 429, `"default";r=1;t=24, "day";r=98`, "24", []int64{0, 0, 0}},
		{`{"client":"a"}`, 200, `"default";r=0;t=12`, "", []int64{1}},
		{`{"client":"a"}`, 429, `"default";r=0;t=12`, "12", []int64{0}},
	} {
		w := ask(t, h, "POST", "/v1/batch", `{"all_or_nothing":true,"requests":[`+c.requests+`]}`)
		wantStatus(t, w, c.status, isJSON)
		var got batchAnswer
		decode(t, w, &got)
		if got.Allowed == nil || *got.Allowed != (c.status == 200) || len(got.Results) != len(c.costs) || w.Header().Get("RateLimit") != c.fields || w.Header().Get("Retry-After") != c.retry {
			t.Errorf("%s: got %s %v", c.requests, w.Body, w.Header())
			continue
		}
		for i, cost := range c.costs {
			if r := got.Results[i]; r.Cost == nil || *r.Cost != cost {
				t.Errorf("%s: result %d: got %s", c.requests, i, w.Body)
			}
		}
	}
	if left("a", "default") != 0 || left("b", "day") != 98 || left("c", "default") != 5 {
		t.Error("a batch that did not pass took something")
	}
}

func TestABatchWithAFieldAtFaultTakesNothing(t *testing.T) {
	h, n := batches(t)
	many := strings.Repeat(`{"client":"a"},`, 101)
	for body, want := range map[string]struct {
		status int
		says   string
	}{
		``:                                       {400, "body"},
		`{}`:                                     {400, "requests is missing"},
		`{"requests":[]}`:                        {400, "a list of 1 to 100"},
		`{"requests":{}}`:                        {400, "a list of 1 to 100"},
		`{"requests":[` + many[:15*101-1] + `]}`: {400, "a list of 1 to 100"},
		`{"requests":[{"client":"a"},{"client":"a","colour":1}]}`:                           {400, "requests[1].colour"},
		`{"requests":[{"client":"a"},{"client":"a","cost":"x"}]}`:                           {400, "requests[1].cost"},
		`{"requests":[{"client":"a"}],"atomic":true}`:                                       {400, "atomic"},
		`{"requests":[` + many[:15*17-1] + `],"all_or_nothing":true}`:                       {400, "at most 16"},
		`{"requests":[{"client":"a"},{"client":"b","at_most":true}],"all_or_nothing":true}`: {400, "requests[1].at_most"},
		`{"requests":[{"client":"a","also":[{"limit":"day"}]}],"all_or_nothing":true}`:      {400, "requests[0].also"},
		`{"requests":[{"client":"a"},{"cost":1}],"all_or_nothing":true}`:                    {400, "requests[1].client"},
		`{"requests":[{"client":"a"},{"client":"a","cost":0}],"all_or_nothing":true}`:       {400, "requests[1].cost"},
		`{"requests":[{"client":"a"},{"client":"a","limit":"nope"}],"all_or_nothing":true}`: {404, "nope"},
		`{"requests":[{"client":"` + strings.Repeat("x", 256<<10) + `"}]}`:                  {413, "262144"},
	} {
		w := ask(t, h, "POST", "/v1/batch", body)
		if w.Code != want.status || !strings.Contains(w.Body.String(), want.says) {
			t.Errorf("%.90s: got %d %s", body, w.Code, w.Body)
		}
	}
	if got := n.Do(node.Request{Client: "a", Peek: true}).Remaining; got != 5 {
		t.Errorf("%d are left", got)
	}
}
