package metrics_test

import (
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	dto "github.com/prometheus/client_model/go"
	"go.uber.org/goleak"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/metrics"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func open(t *testing.T) *node.Node {
	t.Helper()
	n, err := node.Open(context.Background(), node.Config{
		Name: "n1", Limit: 10, Window: time.Minute, Burst: 5,
		Limits: map[string]node.Policy{"login": {Limit: 1, Window: time.Second}},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = n.Close() })
	return n
}

// edited is a node with counters of the test's.
type edited struct {
	metrics.Source
	edit func(*node.Stats)
}

func (e edited) Stats() node.Stats {
	s := e.Source.Stats()
	e.edit(&s)
	return s
}

// series lists all series as name{label="value",...}, with their values.
func series(t *testing.T, c prometheus.Collector) map[string]float64 {
	t.Helper()
	r := prometheus.NewPedanticRegistry()
	r.MustRegister(c)
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			var labels []string
			for _, l := range m.GetLabel() {
				labels = append(labels, fmt.Sprintf("%s=%q", l.GetName(), l.GetValue()))
			}
			name := f.GetName()
			if len(labels) > 0 {
				name += "{" + strings.Join(labels, ",") + "}"
			}
			out[name] = value(m)
		}
	}
	return out
}

func value(m *dto.Metric) float64 {
	switch {
	case m.Counter != nil:
		return m.GetCounter().GetValue()
	case m.Gauge != nil:
		return m.GetGauge().GetValue()
	}
	return float64(m.GetHistogram().GetSampleCount())
}

// expected is what dashboards and alerts rely on: every series of a node with the
// limits default and login that nobody has asked anything yet.
func expected() []string {
	all := []string{
		"decision_duration_seconds", "clients", "max_clients", "overflow_decisions_total", "bounded_holding_requests", "ready", "peers_configured_otherwise", "peers_limits_differ", "isolated", "members", "members_visible",
		"clock_ahead_seconds", "nats_connected", "staleness_seconds", "clock_skew_seconds", "sync_gaps_total",
		"sync_mismatches_total", "sync_repairs_total", "sync_timeouts_total", "sync_publish_errors_total",
		`sync_rows_total{direction="sent"}`, `sync_rows_total{direction="received"}`,
	}
	each := func(format string, values ...string) {
		for _, v := range values {
			all = append(all, fmt.Sprintf(format, v))
		}
	}
	each(`degraded{reason="%s"}`, "not_connected", "peer_silent", "one_way", "peer_unheard", "never_heard", "joining", "joined_without_snapshot",
		"messages_dropped", "stale", "rows_refused", "clock_ahead", "isolated_open", "table_full", "table_full_open")
	for _, limit := range []string{"default", "login"} {
		each(`%s{limit="`+limit+`"}`, "overshoot_bound_units", "overshoot_expected_units", "wrongly_denied_bound_units", "wrongly_denied_expected_units", "overshoot_observed_units_total", "overshoot_peak_units",
			"shadow_denied_total", "shadow_denied_units_total", "odd_addresses_total", "charged_units_total", "not_charged_units_total", "limit_set", "limit_units", "burst_units", "window_seconds", "limit_revision_timestamp_seconds")
		each(`overshoot_once_units_total{limit="`+limit+`",reason="%s"}`, "crash", "forgiven", "join", "restart", "change_late")
		each(`decisions_total{limit="`+limit+`",outcome="%s"}`, "allowed", "denied")
		each(`override_decisions_total{limit="`+limit+`",outcome="%s",override=""}`, "allowed", "denied")
		for _, door := range []string{"go", "http", "grpc", "nats", "forward"} {
			each(`door_decisions_total{door="`+door+`",limit="`+limit+`",outcome="%s"}`, "allowed", "denied")
		}
		each(`override_units_total{limit="`+limit+`",outcome="%s",override=""}`, "allowed", "denied")
		all = append(all, `override_shadow_denied_total{limit="`+limit+`",override=""}`)
		each(`units_total{limit="`+limit+`",outcome="%s"}`, "allowed", "denied")
	}
	each(`refused_requests_total{reason="%s"}`, "cost_too_high", "bad_cost", "no_client", "client_too_long", "unknown_limit", "bad_request", "bad_policy", "too_many_policies", "too_many_reservations")
	each(`peers{state="%s"}`, "alive", "suspect", "gone")
	for _, direction := range []string{"sent", "received"} {
		for _, name := range []string{"messages", "bytes"} {
			each(`sync_`+name+`_total{direction="`+direction+`",kind="%s"}`, "delta", "beat", "repair", "snapshot", "rows", "limits", "reset", "bye", "settle", "settled")
		}
	}
	each(`sync_dropped_messages_total{reason="%s"}`, "tag", "version", "malformed", "oversize", "subject", "sender", "peers", "queue")
	each(`sync_lost_rows_total{reason="%s"}`, "unknown_limit", "revision", "future", "table_full", "excess")
	for i := range all {
		all[i] = "ratelimiter_" + all[i]
	}
	return all
}

func TestEveryMetricExistsFromTheStart(t *testing.T) {
	got := series(t, metrics.New(open(t)))
	want := expected()
	for _, name := range want {
		if _, ok := got[name]; !ok {
			t.Errorf("%s is missing", name)
		}
	}
	for name := range got {
		// More reasons and kinds may come; a new name belongs into the list.
		if !slices.ContainsFunc(want, func(w string) bool { return nameOf(w) == nameOf(name) }) {
			t.Errorf("%s is not in this test's list", name)
		}
	}
}

func nameOf(series string) string {
	name, _, _ := strings.Cut(series, "{")
	return name
}

func TestNoSeriesNamesAClient(t *testing.T) {
	n := open(t)
	before := len(series(t, metrics.New(n)))
	for i := range 1000 {
		n.Allow(fmt.Sprintf("client-%d", i))
		n.Limiter("login").Take("alice", 2)
	}
	after := series(t, metrics.New(n))
	if len(after) != before {
		t.Errorf("%d series became %d by asking for clients", before, len(after))
	}
	for name := range after {
		if strings.Contains(name, "alice") || strings.Contains(name, "client-") {
			t.Errorf("%s names a client", name)
		}
	}
}

func TestNamesFollowTheConventions(t *testing.T) {
	problems, err := testutil.CollectAndLint(metrics.New(open(t)))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}

func TestDecisionsAreCountedByLimitAndOutcome(t *testing.T) {
	n := open(t)
	for range 7 {
		n.Allow("a")
	}
	n.Take("b", 3)
	n.Take("b", 6)
	n.Take("", 1)
	n.Limiter("nope").Take("a", 1)
	got := series(t, metrics.New(n))
	for name, want := range map[string]float64{
		`decisions_total{limit="default",outcome="allowed"}`: 6,
		`decisions_total{limit="default",outcome="denied"}`:  2,
		`units_total{limit="default",outcome="allowed"}`:     8,
		`units_total{limit="default",outcome="denied"}`:      2,
		`decisions_total{limit="login",outcome="allowed"}`:   0,
		`refused_requests_total{reason="cost_too_high"}`:     1,
		`refused_requests_total{reason="no_client"}`:         1,
		`refused_requests_total{reason="unknown_limit"}`:     1,
		`clients`:                                           2,
		`max_clients`:                                       1e7,
		`limit_units{limit="default"}`:                      10,
		`burst_units{limit="default"}`:                      5,
		`window_seconds{limit="default"}`:                   60,
		`burst_units{limit="login"}`:                        1,
		`limit_revision_timestamp_seconds{limit="default"}`: 0,
		`ready`:                                  1,
		`nats_connected`:                         0,
		`overshoot_bound_units{limit="default"}`: 0,
		`overshoot_observed_units_total{limit="default"}`:        0,
		`sync_messages_total{direction="received",kind="delta"}`: 0,
	} {
		if v, ok := got["ratelimiter_"+name]; !ok || v != want {
			t.Errorf("%s is %v, want %v", name, v, want)
		}
	}
}

func TestTheStateOfTheClusterIsExported(t *testing.T) {
	c := metrics.New(edited{open(t), func(s *node.Stats) {
		s.Sync.Connected, s.Degraded, s.Isolated = true, true, true
		s.Staleness, s.Skew, s.ClockAhead = math.MaxInt64, 20*time.Millisecond, time.Second
		s.Sync.Peers = make([]node.PeerStats, 3) // alive
		s.Sync.Peers[1].State = node.PeerGone
		s.Sync.Sent["delta"] = node.Traffic{Messages: 3, Bytes: 400}
		s.Sync.Dropped["tag"] = 5
		s.RowsLost["future"] = 6
		s.Sync.Gaps, s.Sync.Mismatches, s.Sync.Repairs = 1, 2, 3
		s.Sync.Timeouts, s.Sync.PublishErrors, s.Sync.RowsSent, s.Overflowed = 4, 5, 6, 7
		s.Limits[0].OvershootBound, s.Limits[0].OvershootSeen, s.Limits[0].OvershootPeak = math.Inf(1), 9, 4
		s.Limits[0].OvershootExpected, s.DegradedReasons = 2, []string{"one_way"}
		s.Limits[0].WronglyDeniedBound, s.Limits[0].WronglyDeniedExpected = 7, 3
		s.Limits[0].Revision = time.Unix(1700000000, 5e8)
		s.Limits[0].Shadowed, s.Limits[0].ShadowedUnits, s.Limits[0].OddAddresses, s.Limits[0].Set = 11, 22, 3, true
		s.Limits[0].Charged, s.Limits[0].NotCharged = 33, 44
		s.Sync.Peers[0].LimitsVersion = 77
	}})
	got := series(t, c)
	for name, want := range map[string]float64{
		"nats_connected": 1, `degraded{reason="one_way"}`: 1, `degraded{reason="joining"}`: 0, `overshoot_bound_units{limit="default"}`: math.Inf(1), `overshoot_expected_units{limit="default"}`: 2, `wrongly_denied_bound_units{limit="default"}`: 7, `wrongly_denied_expected_units{limit="default"}`: 3, "isolated": 1, "staleness_seconds": math.Inf(1), "clock_skew_seconds": 0.02, "clock_ahead_seconds": 1,
		`peers{state="alive"}`: 2, `peers{state="suspect"}`: 0, `peers{state="gone"}`: 1,
		`sync_messages_total{direction="sent",kind="delta"}`: 3, `sync_bytes_total{direction="sent",kind="delta"}`: 400,
		`sync_dropped_messages_total{reason="tag"}`: 5, `sync_lost_rows_total{reason="future"}`: 6,
		"sync_gaps_total": 1, "sync_mismatches_total": 2, "sync_repairs_total": 3, "sync_timeouts_total": 4, "sync_publish_errors_total": 5,
		`sync_rows_total{direction="sent"}`: 6, "overflow_decisions_total": 7,
		`overshoot_observed_units_total{limit="default"}`: 9, `overshoot_peak_units{limit="default"}`: 4,
		`limit_revision_timestamp_seconds{limit="default"}`: 1700000000.5,
		`shadow_denied_total{limit="default"}`:              11, `shadow_denied_units_total{limit="default"}`: 22, `odd_addresses_total{limit="default"}`: 3, `limit_set{limit="default"}`: 1,
		`charged_units_total{limit="default"}`: 33, `not_charged_units_total{limit="default"}`: 44,
		"peers_limits_differ": 1,
	} {
		if v, ok := got["ratelimiter_"+name]; !ok || v != want {
			t.Errorf("%s is %v, want %v", name, v, want)
		}
	}
}

func TestTheHistogramIsCumulative(t *testing.T) {
	c := metrics.New(edited{open(t), func(s *node.Stats) {
		s.LatencyBounds = []time.Duration{100, 200}
		s.LatencyCounts = []uint64{1, 2, 4}
		s.LatencySum, s.LatencyFine = 1500, []uint64{7}
	}})
	const want = `# HELP ratelimiter_decision_duration_seconds Time that a decision took, without HTTP. The node times a sample of all decisions.
# TYPE ratelimiter_decision_duration_seconds histogram
ratelimiter_decision_duration_seconds_bucket{le="1e-07"} 1
ratelimiter_decision_duration_seconds_bucket{le="2e-07"} 3
ratelimiter_decision_duration_seconds_bucket{le="+Inf"} 7
ratelimiter_decision_duration_seconds_sum 1.5e-06
ratelimiter_decision_duration_seconds_count 7
`
	if err := testutil.CollectAndCompare(c, strings.NewReader(want), "ratelimiter_decision_duration_seconds"); err != nil {
		t.Error(err)
	}
}

// The native buckets say the same as the classic ones, more finely.
func TestTheHistogramIsNativeToo(t *testing.T) {
	n := open(t)
	for range 100_000 {
		n.Allow("a")
	}
	r := prometheus.NewPedanticRegistry()
	r.MustRegister(metrics.New(n))
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(families, func(f *dto.MetricFamily) bool {
		return f.GetName() == "ratelimiter_decision_duration_seconds"
	})
	h := families[i].GetMetric()[0].GetHistogram()
	if h.GetSchema() != node.LatencyFineSchema || h.GetSampleCount() < 500 {
		t.Fatalf("schema %d, %d samples", h.GetSchema(), h.GetSampleCount())
	}
	// Deltas are of one bucket after the other, from the first of each span.
	sum, count, at, below := int64(0), int64(0), int32(0), uint64(0)
	for _, span := range h.GetPositiveSpan() {
		at += span.GetOffset()
		for range span.GetLength() {
			count += h.GetPositiveDelta()[0]
			h.PositiveDelta = h.GetPositiveDelta()[1:]
			if sum += count; math.Pow(2, float64(at)/4) <= 1.6e-6 {
				below = uint64(sum) //nolint:gosec // a count
			}
			at++
		}
	}
	if uint64(sum) != h.GetSampleCount() { //nolint:gosec // a count
		t.Errorf("the native buckets have %d of %d samples", sum, h.GetSampleCount())
	}
	for _, b := range h.GetBucket() {
		if b.GetUpperBound() == 1.6e-6 && (below > b.GetCumulativeCount() || below < b.GetCumulativeCount()*8/10) {
			t.Errorf("native: %d samples up to 1.6 us, classic: %d", below, b.GetCumulativeCount())
		}
	}
}

func TestOnlyPeersThatCanAdmitHaveSeries(t *testing.T) {
	got := series(t, metrics.New(edited{open(t), func(s *node.Stats) {
		s.Sync.Peers = []node.PeerStats{
			{Node: "n2", Admits: true, StaleFor: time.Second, Skew: -time.Millisecond},
			{Node: "n2", Admits: true, StaleFor: time.Minute},
			{Node: "gone", StaleFor: time.Hour},
			{Node: "n3", Admits: true, StaleFor: math.MaxInt64},
		}
		for i := range 200 {
			s.Sync.Peers = append(s.Sync.Peers, node.PeerStats{Node: fmt.Sprint("x", i), Admits: true})
		}
	}}))
	if got[`ratelimiter_peer_staleness_seconds{peer="n2"}`] != 60 || !math.IsInf(got[`ratelimiter_peer_staleness_seconds{peer="n3"}`], 1) {
		t.Error("the staleness of n2 and n3 is wrong")
	}
	named := 0
	for name := range got {
		if strings.HasPrefix(name, "ratelimiter_peer_clock_skew_seconds") {
			named++
		}
	}
	if _, there := got[`ratelimiter_peer_staleness_seconds{peer="gone"}`]; there || named != 100 {
		t.Errorf("%d peers have series", named)
	}
}

// bounded are the series of a bounded limit.
var bounded = []string{
	"ratelimiter_bounded_short_total", "ratelimiter_bounded_held_total", "ratelimiter_bounded_asked_total", "ratelimiter_bounded_lent_units_total",
	"ratelimiter_bounded_borrowed_units_total", "ratelimiter_bounded_expired_units_total",
}

func TestABoundedLimitTellsOfItsLoans(t *testing.T) {
	n, err := node.Open(t.Context(), node.Config{Limits: map[string]node.Policy{
		"api": {Limit: 1, Window: time.Hour}, "paid": {Limit: 1, Window: time.Hour, Consistency: node.Bounded},
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = n.Close() })
	got := series(t, metrics.New(n))
	for _, name := range bounded {
		if v, some := got[name+`{limit="paid"}`]; !some || v != 0 {
			t.Errorf("%s is %v, there: %v", name, v, some)
		}
		if _, some := got[name+`{limit="api"}`]; some {
			t.Errorf("%s speaks of a limit that is not bounded", name)
		}
	}
}

func TestDescribeListsWhatIsCollected(t *testing.T) {
	ch := make(chan *prometheus.Desc, 100)
	metrics.New(open(t)).Describe(ch)
	close(ch)
	described := map[string]bool{}
	for d := range ch {
		described[d.String()] = true
	}
	names := map[string]bool{}
	for _, s := range append(append(expected(), bounded...), "ratelimiter_peer_staleness_seconds", "ratelimiter_peer_clock_skew_seconds") {
		names[nameOf(s)] = true
	}
	if len(described) != len(names) {
		t.Errorf("%d are described, %d are collected: %v", len(described), len(names), slices.Sorted(maps.Keys(names)))
	}
}

// Tiers that are overrides are one series each, and the series of a limit sum up to its own.
func TestOverridesAreCountedByTheirNames(t *testing.T) {
	n, err := node.Open(t.Context(), node.Config{Limits: map[string]node.Policy{"api": {Limit: 1, Window: time.Hour, Overrides: []node.Override{
		{Name: "gold", Prefixes: []string{"gold-"}, Limit: 2}, {Clients: []string{"bob"}, Limit: 2},
	}}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = n.Close() })
	for _, client := range []string{"gold-1", "gold-1", "gold-1", "bob", "zoe", "zoe"} {
		n.MustLimiter("api").Allow(client)
	}
	want := `
# HELP ratelimiter_override_decisions_total The decisions of decisions_total, by the name of the override that holds for the client. The name is empty for unnamed overrides and for all other clients.
# TYPE ratelimiter_override_decisions_total counter
ratelimiter_override_decisions_total{limit="api",outcome="allowed",override=""} 2
ratelimiter_override_decisions_total{limit="api",outcome="allowed",override="gold"} 2
ratelimiter_override_decisions_total{limit="api",outcome="denied",override=""} 1
ratelimiter_override_decisions_total{limit="api",outcome="denied",override="gold"} 1
`
	if err := testutil.CollectAndCompare(metrics.New(n), strings.NewReader(want), "ratelimiter_override_decisions_total"); err != nil {
		t.Error(err)
	}
}
