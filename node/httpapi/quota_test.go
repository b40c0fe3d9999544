package httpapi_test

import (
	"net/http"
	"strings"
	"testing"
	"time"
	_ "time/tzdata" // the zones are the test's own

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/httpapi"
)

// Whoever is unlimited or blocked has no quota, however the limit's own policy reads and
// whatever was asked.
func TestWhoHasNoQuotaIsToldNone(t *testing.T) {
	n := open(t, node.Config{Limits: map[string]node.Policy{
		"api": {Limit: 100, Window: time.Minute, Overrides: []node.Override{
			{Clients: []string{"monitoring"}, Access: node.Unlimited}, {Prefixes: []string{"bad-"}, Access: node.Blocked},
		}},
		"free":   {Limit: 100, Window: time.Minute, Access: node.Unlimited},
		"shut":   {Access: node.Blocked},
		"shadow": {Limit: 7, Window: time.Minute, Access: node.Blocked, Shadow: true},
	}})
	h := httpapi.New(httpapi.Config{Node: n, Loopback: true})
	for _, c := range []struct{ query, want string }{
		{"client=monitoring&limit=api", `{"allowed":true,"limit":"api","retry_after_ms":0,"reset_after_ms":0`},
		{"client=anybody&limit=free", `{"allowed":true,"limit":"free","retry_after_ms":0,"reset_after_ms":0`},
		{"client=bad-1&limit=api", `{"allowed":false,"limit":"api","retry_after_ms":31536000000,"reset_after_ms":0`},
		{"client=anybody&limit=shut", `{"allowed":false,"limit":"shut","retry_after_ms":31536000000,"reset_after_ms":0`},
		{"client=anybody&limit=shadow", `{"allowed":true,"limit":"shadow","retry_after_ms":0,"reset_after_ms":0`},
	} {
		for _, path := range []string{"GET /v1/peek?", "POST /v1/take?", "POST /v1/reserve?"} {
			method, path, _ := strings.Cut(path, " ")
			if w := ask(t, h, method, path+c.query, ""); !strings.HasPrefix(w.Body.String(), c.want) {
				t.Errorf("%s%s: got %s, want %s", path, c.query, w.Body, c.want)
			}
		}
		var x struct {
			Policy   struct{ Limit, Burst int64 }
			Decision map[string]any
		}
		w := ask(t, h, "GET", "/v1/explain?"+c.query, "")
		if decode(t, w, &x); x.Policy.Limit != 0 || x.Policy.Burst != 0 || x.Decision["quota"] != nil || x.Decision["remaining"] != nil {
			t.Errorf("explain %s: %s", c.query, w.Body)
		}
	}
	both := ask(t, h, "POST", "/v1/take", `{"client":"monitoring","limit":"api","also":[{"limit":"free"}]}`)
	if strings.Contains(both.Body.String(), "quota") || strings.Contains(both.Body.String(), "remaining") {
		t.Errorf("got %s", both.Body)
	}
}

// A client that is beyond its limit waits for longer than the window, and is told why
// wherever it is told how long.
func TestAWaitThatIsLongerThanTheWindowIsExplained(t *testing.T) {
	n := open(t, node.Config{Limits: map[string]node.Policy{
		"debt": {Limit: 10, Window: time.Minute}, "deep": {Limit: 1, Window: time.Second, Burst: 100},
	}})
	n.MustLimiter("debt").Reserve("a", 5).Commit(50)
	n.MustLimiter("deep").Take("a", 90)
	h := httpapi.New(httpapi.Config{Node: n, Loopback: true})
	for _, c := range []struct {
		query string
		long  bool
	}{{"client=a&limit=debt", true}, {"client=a&limit=deep&cost=50", true}, {"client=a&limit=deep&cost=1", false}, {"client=b&limit=debt&cost=11", false}} {
		for _, path := range []string{"GET /v1/peek?", "POST /v1/take?", "POST /v1/reserve?"} {
			method, path, _ := strings.Cut(path, " ")
			w := ask(t, h, method, path+c.query, "")
			if got := strings.Contains(w.Body.String(), `"note":"longer than the window: `); got != c.long {
				t.Errorf("%s%s: got %s", path, c.query, w.Body)
			}
		}
	}
	if w := ask(t, h, "GET", "/v1/explain?client=a&limit=debt", ""); !strings.Contains(w.Body.String(), `"note":"longer than the window: `) {
		t.Errorf("got %s", w.Body)
	}
}

// Midnight of a calendar reads as midnight: its windows carry the limit's zone.
func TestTheWindowsOfACalendarCarryItsZone(t *testing.T) {
	var month, day node.Calendar
	if month.UnmarshalText([]byte("month")) != nil || day.UnmarshalText([]byte("day")) != nil {
		t.Fatal("no calendar")
	}
	n := open(t, node.Config{Limits: map[string]node.Policy{
		"berlin":    {Algorithm: node.FixedWindow, Limit: 10, Calendar: month, TimeZone: "Europe/Berlin"},
		"kathmandu": {Algorithm: node.FixedWindow, Limit: 10, Window: 24 * time.Hour, TimeZone: "Asia/Kathmandu"},
		"utc":       {Algorithm: node.FixedWindow, Limit: 10, Calendar: day},
	}})
	h := httpapi.New(httpapi.Config{Node: n, Loopback: true})
	for limit, zone := range map[string]string{"berlin": "Europe/Berlin", "kathmandu": "Asia/Kathmandu", "utc": "UTC"} {
		n.MustLimiter(limit).Take("a", 1)
		var x struct {
			FullAt  string `json:"full_at"`
			Windows []struct{ Start, End string }
		}
		w := ask(t, h, "GET", "/v1/explain?client=a&limit="+limit, "")
		wantStatus(t, w, http.StatusOK, isJSON)
		decode(t, w, &x)
		where, err := time.LoadLocation(zone)
		if err != nil || len(x.Windows) != 1 {
			t.Fatalf("%s: %v, %s", limit, err, w.Body)
		}
		for _, text := range []string{x.Windows[0].Start, x.Windows[0].End, x.FullAt} {
			at, err := time.Parse(time.RFC3339Nano, text)
			if err != nil || at.In(where).Format(time.RFC3339Nano) != text || text != x.FullAt && !strings.Contains(text, "T00:00:00") {
				t.Errorf("%s: %s is not of %s: %v", limit, text, zone, err)
			}
		}
	}
}
