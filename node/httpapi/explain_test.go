package httpapi_test

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/httpapi"
)

// explained is an answer of /v1/explain, as far as tests look at it.
type explained struct {
	Client, Limit string
	CountsAs      string `json:"counts_as"`
	Override      *struct {
		Index           int
		Selector, Value string
	}
	Policy struct {
		Limit int64
		Block bool
	}
	Since    *time.Time
	Decision struct {
		Allowed    bool
		Remaining  int64
		RetryAfter int64 `json:"retry_after_ms"`
		Reason     string
	}
	FullAt  *time.Time `json:"full_at"`
	Held    bool
	Reset   *time.Time
	Windows []struct {
		Start, End time.Time
		Before     uint64 `json:"before_units"`
		Nodes      []struct {
			Node      string
			Admitted  uint64 `json:"admitted_units"`
			GivenBack uint64 `json:"given_back_units"`
		}
	}
}

func explain(t *testing.T, h http.Handler, query string) (x explained) {
	t.Helper()
	w := ask(t, h, "GET", "/v1/explain?"+query, "")
	wantStatus(t, w, http.StatusOK, isJSON)
	decode(t, w, &x)
	return x
}

func TestAClientIsExplained(t *testing.T) {
	h := still(t, several())
	if x := explain(t, h, "client=alice"); x.Held || len(x.Windows) != 0 || !x.Decision.Allowed || x.Decision.Remaining != 10 || x.Override != nil {
		t.Errorf("who never asked: got %+v", x)
	}
	token := reserve(t, h, `{"client":"alice","limit":"day","cost":25}`)
	ask(t, h, "POST", "/v1/commit", `{"reservation":"`+token+`","actual":24}`)
	ask(t, h, "POST", "/v1/take?client=alice&limit=day", "")
	x := explain(t, h, "client=alice&limit=day")
	if !x.Held || x.Client != "alice" || x.CountsAs != "alice" || x.Limit != "day" || x.Policy.Limit != 25 || x.Since != nil || x.Reset != nil ||
		x.Decision.Allowed || x.Decision.Reason != "over_limit" || x.Decision.RetryAfter != 86_400_000 || !x.FullAt.Equal(start.Add(24*time.Hour)) {
		t.Errorf("got %+v", x)
	}
	if len(x.Windows) != 1 || !x.Windows[0].Start.Equal(start) || !x.Windows[0].End.Equal(start.Add(24*time.Hour)) || x.Windows[0].Before != 0 ||
		len(x.Windows[0].Nodes) != 1 || x.Windows[0].Nodes[0].Node != "n1" || x.Windows[0].Nodes[0].Admitted != 26 || x.Windows[0].Nodes[0].GivenBack != 1 {
		t.Errorf("got the windows %+v", x.Windows)
	}
	if got := left(t, h, "client=alice"); got != 10 {
		t.Errorf("%d are left: explaining took some", got)
	}
}

func TestAnExplanationNamesTheSelectorThatFits(t *testing.T) {
	h := still(t, node.Config{Limits: map[string]node.Policy{"default": {Limit: 10, Window: time.Second, Overrides: []node.Override{
		{Clients: []string{"bob", "alice"}, Limit: 20},
		{Prefixes: []string{"a", "al", "10."}, CIDRs: []string{"10.0.0.0/8", "10.1.0.0/16", "192.0.2.1"}, Limit: 30},
		{CIDRs: []string{"2001:DB8::/32"}, Access: node.Blocked},
		{Clients: []string{"carol", "2001:DB9::0007"}, Prefixes: []string{"2001:DBA:"}, Limit: 40},
	}}}})
	for client, want := range map[string]struct {
		selector, value, countsAs string
		limit                     int64
	}{
		"alice":           {"overrides[0].client[1]", "alice", "alice", 20},
		"alfred":          {"overrides[1].prefix[1]", "al", "alfred", 30},
		"10.x":            {"overrides[1].prefix[2]", "10.", "10.x", 30},
		"10.1.2.3":        {"overrides[1].cidr[1]", "10.1.0.0/16", "10.1.2.3", 30},
		"::ffff:10.2.0.1": {"overrides[1].cidr[0]", "10.0.0.0/8", "10.2.0.1", 30},
		"192.0.2.1":       {"overrides[1].cidr[2]", "192.0.2.1", "192.0.2.1", 30},
		"2001:db8::7":     {"overrides[2].cidr[0]", "2001:DB8::/32", "2001:db8::/64", 0},
		"2001:db9::8":     {"", "", "2001:db9::/64", 10},

		// In other letters.
		"10.2.0.1:443":         {"overrides[1].cidr[0]", "10.0.0.0/8", "10.2.0.1", 30},
		"%0910.1.2.3%20":       {"overrides[1].cidr[1]", "10.1.0.0/16", "10.1.2.3", 30},
		"64:ff9b::192.0.2.1":   {"overrides[1].cidr[2]", "192.0.2.1", "192.0.2.1", 30},
		"[2001:DB8:0::7]:80":   {"overrides[2].cidr[0]", "2001:DB8::/32", "2001:db8::/64", 0},
		"2001:db9:0:0::7":      {"overrides[3].client[1]", "2001:DB9::0007", "2001:db9::7", 40},
		"2001:DBA::1":          {"overrides[3].prefix[0]", "2001:DBA:", "2001:dba::1", 40},
		"10.1.2.3,%2010.2.0.1": {"overrides[1].prefix[2]", "10.", "10.1.2.3, 10.2.0.1", 30}, // a list is bytes
		"[10.1.2.3%5D:99999":   {"", "", "[10.1.2.3]:99999", 10},
		"zoe":                  {"", "", "zoe", 10},
	} {
		x := explain(t, h, "client="+client)
		if want.selector == "" {
			if x.Override != nil || x.CountsAs != want.countsAs {
				t.Errorf("%s: got %+v", client, x)
			}
			continue
		}
		if x.Override == nil || x.Override.Selector != want.selector || x.Override.Value != want.value || x.CountsAs != want.countsAs || x.Policy.Limit != want.limit {
			t.Errorf("%s: got %+v, %+v", client, x, x.Override)
		}
	}
	if x := explain(t, h, "client=2001:db8::7"); !x.Policy.Block || x.Decision.Reason != "blocked" || x.Decision.RetryAfter != 31_536_000_000 || x.FullAt != nil {
		t.Errorf("got %+v", x)
	}
}

func TestBadQuestionsForAnExplanationAreRefusedByName(t *testing.T) {
	h := still(t, node.Config{})
	for query, want := range map[string]struct {
		status int
		field  string
	}{
		"": {400, "client"}, "?client=": {400, "client"}, "?client=a&limit=nope": {404, "limit"}, "?client=a&cost=1": {400, "cost"},
		"?client=" + strings.Repeat("x", 1025): {400, "client"}, "?client=a&client=b": {400, "client"},
	} {
		wantProblem(t, ask(t, h, "GET", "/v1/explain"+query, ""), want.status, want.field)
	}
}

func TestShadowsReportWhatTheyWouldDeny(t *testing.T) {
	cfg := several()
	cfg.Now = func() time.Time { return start }
	n := open(t, cfg)
	h := httpapi.New(httpapi.Config{Node: n})
	const nothing = `{"limits":{"shadow":{"checked":0,"would_deny":0,"percent":0,"checked_units":0,"would_deny_units":0,"clients":[]}}}`
	if got := strings.TrimSpace(ask(t, h, "GET", "/v1/shadow", "").Body.String()); got != nothing {
		t.Errorf("before any decision: got %s", got)
	}
	for range 3 {
		ask(t, h, "POST", "/v1/take?client=mallory&limit=shadow", "")
	}
	const want = `{"limits":{"shadow":{"checked":3,"would_deny":2,"percent":66.67,"checked_units":3,"would_deny_units":2,"clients":[{"client":"mallory","would_deny_units":2,"allowed_units":1}]}}}`
	w := ask(t, h, "GET", "/v1/shadow", "")
	wantStatus(t, w, http.StatusOK, isJSON)
	if got := strings.TrimSpace(w.Body.String()); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	redacted := ask(t, httpapi.New(httpapi.Config{Node: n, RedactClients: true}), "GET", "/v1/shadow", "").Body.String()
	if strings.Contains(redacted, "mallory") || !strings.Contains(redacted, `"client":"redacted-`) {
		t.Errorf("got %s", redacted)
	}
	for _, part := range []string{`"shadow_denied":2,"shadow_denied_units":2`, `"set":false,"configured":{"limit":1,"window":3600,`} {
		if status := ask(t, h, "GET", "/v1/status", "").Body.String(); !strings.Contains(status, part) {
			t.Errorf("%s is not in %s", part, status)
		}
	}
}

func TestStatusShowsWhatWasSetBesideWhatIsConfigured(t *testing.T) {
	h := httpapi.New(httpapi.Config{Node: open(t, node.Config{}), Loopback: true})
	ask(t, h, "PUT", "/v1/limits/default", `{"limit":5,"window":"hour","algorithm":"fixed_window"}`)
	ask(t, h, "PUT", "/v1/limits/login", `{"limit":5,"window":60,"algorithm":"sliding_window","resolution":6,"consistency":"local"}`)
	var s struct {
		Limits map[string]struct {
			Limit      int64
			Set        bool
			Configured *struct{ Limit, Window int64 }
		}
	}
	decode(t, ask(t, h, "GET", "/v1/status", ""), &s)
	if d := s.Limits["default"]; !d.Set || d.Limit != 5 || d.Configured == nil || d.Configured.Limit != 100 || d.Configured.Window != 60 {
		t.Errorf("got %+v", d)
	}
	if l := s.Limits["login"]; !l.Set || l.Configured != nil {
		t.Errorf("got %+v", l)
	}
}

func TestABoundedLimitShowsItsAccountsAndItsCap(t *testing.T) {
	var now atomic.Int64 // the node's goroutines read it too
	now.Store(start.UnixNano())
	const shares = `{"version": 1, "opened": true, "configured": ["n1", "n2", "n3"], "members": ["n1", "n2", "n3"]}` // in an earlier run
	n := open(t, node.Config{Now: func() time.Time { return time.Unix(0, now.Load()).UTC() }, Transport: new(node.Memory).Transport(), Roster: []string{"n1", "n2", "n3"}, SavedRoster: []byte(shares), Limits: map[string]node.Policy{
		"default": {Limit: 5, Window: time.Minute},
		"paid":    {Limit: 90, Window: time.Minute, Consistency: node.Bounded, MaxExcess: 6, Hold: node.NoHold},
	}})
	h := httpapi.New(httpapi.Config{Node: n, Loopback: true})
	now.Add(int64(10 * time.Minute))
	ask(t, h, "POST", "/v1/take?client=alice&limit=paid&cost=2", "")
	ask(t, h, "POST", "/v1/take?client=alice&limit=paid&cost=40", "")
	for target, want := range map[string]string{
		"/v1/explain?client=alice&limit=paid":    `"account":{"own_units":28,"borrowed_units":0,"room_units":30,"credit_units":2,"lent_units":0}`,
		"/v1/explain?client=alice&limit=default": `"windows":[]}`,
		"/v1/limits/paid":                        `"consistency":"bounded","shadow":false,"max_excess":6,"hold":0}`,
	} {
		if got := ask(t, h, "GET", target, "").Body.String(); !strings.Contains(got, want) {
			t.Errorf("%s says %s, want %s", target, got, want)
		}
	}
	got := ask(t, h, "GET", "/v1/status", "").Body.String()
	for _, want := range []string{
		`"paid":{"units":6,"bound_known":true,"expected":`, `"excess_units":6,`, `"holding":0,`,
		`"rights":{"short":1,"held":0,"asked":0,"lent_units":0,"borrowed_units":0,"expired_units":0}`,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("the status is %s, want %s", got, want)
		}
	}
	if strings.Count(got, `"excess_units"`) != 1 || strings.Count(got, `"rights"`) != 1 {
		t.Errorf("a limit that is not bounded speaks of it: %s", got)
	}
}
