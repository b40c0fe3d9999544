package httpapi_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/httpapi"
)

const firstDecision = `{"allowed":true,"limit":"default","quota":100,"window_ms":60000,"burst":100,"remaining":99,"retry_after_ms":0,"reset_after_ms":600}` + "\n"

func TestTakeAnswersToTheLetter(t *testing.T) {
	for name, ask1 := range map[string][2]string{
		"body":          {"/v1/take", `{"client":"alice","limit":"default","cost":1}`},
		"body, least":   {"/v1/take", `{"client":"alice"}`},
		"body, spaced":  {"/v1/take", " {\"client\" :\n\"alice\"}\n"},
		"body, escaped": {"/v1/take", `{"client":"\u0061lice"}`},
		"empty limit":   {"/v1/take", `{"client":"alice","limit":""}`},
		"query":         {"/v1/take?client=alice&limit=default&cost=1", ""},
		"query, least":  {"/v1/take?client=alice", ""},
	} {
		t.Run(name, func(t *testing.T) {
			h := still(t, node.Config{})
			w := ask(t, h, "POST", ask1[0], ask1[1])
			wantStatus(t, w, http.StatusOK, isJSON)
			if w.Body.String() != firstDecision {
				t.Errorf("got  %s want %s", w.Body, firstDecision)
			}
			// It was alice who paid.
			if w := ask(t, h, "GET", "/v1/peek?client=alice", ""); !strings.Contains(w.Body.String(), `"remaining":99,`) {
				t.Errorf("alice now has %s", w.Body)
			}
		})
	}
}

func TestADenialIs429AndSaysWhenToComeBack(t *testing.T) {
	for _, c := range []struct {
		limit    int64
		window   time.Duration
		takes    int
		header   string
		retry    int64
		describe string
	}{
		{2, 3 * time.Second, 2, "2", 1500, "rounded up to whole seconds"},
		{10, time.Second, 10, "1", 100, "never 0 seconds"},
		{60, time.Minute, 60, "1", 1000, "a whole second stays one"},
		{7, time.Second, 7, "1", 143, "milliseconds are rounded up too: 142.86"},
	} {
		t.Run(c.describe, func(t *testing.T) {
			h := still(t, node.Config{Limit: c.limit, Window: c.window})
			for range c.takes {
				if w := ask(t, h, "POST", "/v1/take?client=a", ""); w.Code != http.StatusOK || w.Header().Get("Retry-After") != "" {
					t.Fatalf("got %d %v", w.Code, w.Header())
				}
			}
			w := ask(t, h, "POST", "/v1/take?client=a", "")
			wantStatus(t, w, http.StatusTooManyRequests, isJSON)
			if got := w.Header().Get("Retry-After"); got != c.header {
				t.Errorf("Retry-After is %q, want %q", got, c.header)
			}
			var d struct {
				Allowed    bool
				Remaining  int64
				RetryAfter int64 `json:"retry_after_ms"`
				Reason     string
			}
			decode(t, w, &d)
			if d.Allowed || d.Remaining != 0 || d.RetryAfter != c.retry || d.Reason != "over_limit" {
				t.Errorf("got %s, want retry_after_ms %d", w.Body, c.retry)
			}
		})
	}
}

// denier denies without a time to wait, as a node does that will not say.
type denier struct{ *node.Node }

func (denier) DoDetailed(node.Request) node.Detail {
	return node.Detail{Decision: node.Decision{Reason: node.ReasonOverLimit}}
}

func TestRetryAfterIsNeverZero(t *testing.T) {
	h := httpapi.New(httpapi.Config{Node: denier{open(t, node.Config{})}})
	if got := ask(t, h, "POST", "/v1/take?client=a", "").Header().Get("Retry-After"); got != "1" {
		t.Errorf("got %q", got)
	}
}

func TestPeekTakesNothingAndIsAlways200(t *testing.T) {
	h := still(t, node.Config{Limit: 2, Window: time.Second})
	for range 5 {
		w := ask(t, h, "GET", "/v1/peek?client=a&cost=2", "")
		wantStatus(t, w, http.StatusOK, isJSON)
		if !strings.Contains(w.Body.String(), `"allowed":true,"limit":"default","quota":2,"window_ms":1000,"burst":2,"remaining":2,`) {
			t.Fatalf("got %s", w.Body)
		}
	}
	ask(t, h, "POST", "/v1/take?client=a&cost=2", "")
	w := ask(t, h, "GET", "/v1/peek?client=a", "")
	wantStatus(t, w, http.StatusOK, isJSON)
	if !strings.Contains(w.Body.String(), `"allowed":false`) || w.Header().Get("Retry-After") != "" {
		t.Errorf("got %s %v", w.Body, w.Header())
	}
}

// badQueries are what every reader of client, limit and cost refuses in a query.
var badQueries = []struct {
	query  string
	status int
	field  string
}{
	{"", 400, "client"},
	{"?client=", 400, "client"},
	{"?limit=default", 400, "client"},
	{"?client=" + strings.Repeat("x", node.MaxClientID+1), 400, "client"},
	{"?client=%ff", 400, "client"},
	{"?client=a&client=b", 400, "client"},
	{"?client=a&limit=nope", 404, "limit"},
	{"?client=a&cost=0", 400, "cost"},
	{"?client=a&cost=-1", 400, "cost"},
	{"?client=a&cost=101", 400, "cost"},
	{"?client=a&cost=1.5", 400, "cost"},
	{"?client=a&cost=1e2", 400, "cost"},
	{"?client=a&cost=", 400, "cost"},
	{"?client=a&cost=9223372036854775808", 400, "cost"},
	{"?client=a&Cost=1", 400, "Cost"},
	{"?client=a&key=1", 400, "key"},
	{"?client=%zz", 400, "query"},
	{"?client=a;cost=2", 400, "query"},
}

var badBodies = []struct {
	body   string
	status int
	field  string
}{
	{" \n", 400, "body"},
	{"client=alice", 400, "body"},
	{"[]", 400, "body"},
	{"null", 400, "body"},
	{`"alice"`, 400, "body"},
	{`{"client":"a"`, 400, "body"},
	{`{"client":"a"}{}`, 400, "body"},
	{`{"client":"a"} x`, 400, "body"},
	{`{"client":"a",}`, 400, "body"},
	{`{"client" "a"}`, 400, "body"},
	{"{\"client\":\"\xff\"}", 400, "body"},
	{`{"client":"\ud800"}`, 400, "body"},
	{`{"client":"a\udfffb"}`, 400, "body"},
	{`{"client":"a","also":[{"limit":"default","client":"\udbff"}]}`, 400, "body"},
	{`{"client":"a","\ud800":1}`, 400, "body"},
	{"\ufeff" + `{"client":"a"}`, 400, "body"},
	{`{"client":"` + strings.Repeat("x", 16<<10) + `"}`, 413, "body"},
	{`{}`, 400, "client"},
	{`{"client":""}`, 400, "client"},
	{`{"client":1}`, 400, "client"},
	{`{"client":null}`, 400, "client"},
	{`{"client":["a"]}`, 400, "client"},
	{`{"client":{"id":"a"}}`, 400, "client"},
	{`{"client":"a","client":"a"}`, 400, "client"},
	{`{"Client":"a"}`, 400, "Client"},
	{`{"client":"a","limit":"nope"}`, 404, "limit"},
	{`{"client":"a","limit":7}`, 400, "limit"},
	{`{"client":"a","cost":0}`, 400, "cost"},
	{`{"client":"a","cost":-5}`, 400, "cost"},
	{`{"client":"a","cost":101}`, 400, "cost"},
	{`{"client":"a","cost":"1"}`, 400, "cost"},
	{`{"client":"a","cost":1.0}`, 400, "cost"},
	{`{"client":"a","cost":null}`, 400, "cost"},
	{`{"client":"a","cost":true}`, 400, "cost"},
	{`{"client":"a","weight":1}`, 400, "weight"},
}

func TestBadInputIsRefusedByNameAndTakesNothing(t *testing.T) {
	h := still(t, node.Config{})
	for _, c := range badQueries {
		for method, path := range map[string]string{"POST": "/v1/take", "GET": "/v1/peek"} {
			if c.query == "" && method == "POST" {
				continue // no query: the body is read
			}
			wantProblem(t, ask(t, h, method, path+c.query, ""), c.status, c.field)
		}
	}
	wantProblem(t, ask(t, h, "POST", "/v1/take", ""), 400, "body")
	for _, c := range badBodies {
		wantProblem(t, ask(t, h, "POST", "/v1/take", c.body), c.status, c.field)
	}
	wantProblem(t, ask(t, h, "POST", "/v1/take?client=a", `{"client":"b"}`), 400, "body")
	for _, client := range []string{"a", "b", "alice"} {
		w := ask(t, h, "GET", "/v1/peek?client="+client, "")
		if !strings.Contains(w.Body.String(), `"remaining":100,`) {
			t.Errorf("%s has paid: %s", client, w.Body)
		}
	}
}

func TestProblemsSayWhatWouldBeRight(t *testing.T) {
	h := still(t, node.Config{})
	for body, want := range map[string]string{
		`{"client":"a","cost":101}`: "cost 101: is above the burst of 100 of limit default, so it can never pass",
		`{"client":"a","cost":0}`:   "cost 0: must be at least 1",
		`{"client":"a","cost":"x"}`: `cost "x": must be a whole number, below 2^63`,
		// The API has uses of its own for the least number.
		`{"client":"a","cost":-9223372036854775808}`: `cost "-9223372036854775808": must be a whole number, below 2^63`,
		`{"client":"a","cost":-9223372036854775807}`: `cost -9223372036854775807: must be at least 1`,
		`{"client":"a","brust":1}`:                   `brust is unknown: known are client, limit, cost, at_most, also, policy`,
		`{"client":"a","cots":1}`:                    `cots is unknown: known are client, limit, cost, at_most, also, policy; did you mean cost?`,
		`{"client":7,"cost":"1"}`:                    `client "7": must be a string; cost "1": must be a whole number, below 2^63, without quotes`,
		`{"client":null}`:                            `client null: must have a value, or be left out for its default`,
		`{"client":["a"]}`:                           `client is a list: must be a string`,
		`{"client":"a","client":1}`:                  `client is given more than once: give it once`,
	} {
		w := ask(t, h, "POST", "/v1/take", body)
		var p struct{ Detail string }
		decode(t, w, &p)
		if p.Detail != want {
			t.Errorf("%s: got %q, want %q", body, p.Detail, want)
		}
	}
}

func TestALimitIsChosenByName(t *testing.T) {
	h := still(t, node.Config{Limits: map[string]node.Policy{
		"default": {Limit: 100, Window: time.Minute}, "log.in": {Limit: 1, Window: time.Second},
	}})
	for i, status := range []int{200, 429} {
		w := ask(t, h, "POST", "/v1/take", `{"client":"a","limit":"log.in"}`)
		if w.Code != status || !strings.Contains(w.Body.String(), `"limit":"log.in","quota":1,`) {
			t.Errorf("take %d: got %d %s", i, w.Code, w.Body)
		}
	}
	wantStatus(t, ask(t, h, "POST", "/v1/take?client=a", ""), http.StatusOK, isJSON)
}

func TestOtherMethodsAreRefusedWithWhatIsAllowed(t *testing.T) {
	h := still(t, node.Config{})
	for path, allow := range map[string]string{
		"/v1/take": "POST", "/v1/peek": "GET, HEAD", "/v1/reset": "POST", "/v1/limits": "GET, HEAD",
		"/v1/limits/default": "DELETE, GET, HEAD, PUT", "/v1/status": "GET, HEAD", "/v1/top": "GET, HEAD",
		"/livez": "GET, HEAD", "/readyz": "GET, HEAD",
	} {
		for _, method := range []string{"GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"} {
			w := ask(t, h, method, path, "")
			allowed := strings.Contains(", "+allow+",", ", "+method+",")
			if got := w.Code == http.StatusMethodNotAllowed; got == allowed {
				t.Errorf("%s %s: got %d, allowed are %s", method, path, w.Code, allow)
			}
			if !allowed && w.Header().Get("Allow") != allow {
				t.Errorf("%s %s: Allow is %q, want %q", method, path, w.Header().Get("Allow"), allow)
			}
		}
	}
}

func TestAnUnknownPathIsAProblem(t *testing.T) {
	h := still(t, node.Config{})
	for _, path := range []string{"/v1", "/v1/", "/v1/take/x", "/v2/take", "/metrics", "/v1/limits/a/b"} {
		wantProblem(t, ask(t, h, "GET", path, ""), http.StatusNotFound, "")
	}
}
