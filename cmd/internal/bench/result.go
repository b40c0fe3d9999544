package bench

import (
	"cmp"
	"fmt"
	"io"
	"math"
	"slices"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/cmd/internal/output"
)

// Result holds the measurements of a load. Its JSON field names are a contract.
type Result struct {
	Begun    time.Time `json:"begun"`
	Seconds  float64   `json:"seconds"`
	Warmup   float64   `json:"warmup_seconds"`      // figures leave out what was due before
	Offered  float64   `json:"offered_per_second"`  // due; 0 for a load without a rate
	Achieved float64   `json:"achieved_per_second"` // answered, errors not counted
	Admitted float64   `json:"admitted_per_second"` // requests
	Rate     string    `json:"rate"`                // as configured
	Ramp     string    `json:"ramp,omitempty"`

	Planned int64 `json:"planned"` // due, warm-up included; Sent without a rate
	Sent    int64 `json:"sent"`    // warm-up included
	// Unsent requests were due and never sent, because the target was too slow for the
	// schedule, or because somebody ended the load. Latency leaves them out.
	Unsent  int64 `json:"unsent"`
	Allowed int64 `json:"allowed"`
	Denied  int64 `json:"denied"`
	Errors  int64 `json:"errors"`
	// FirstError is the text of the earliest error.
	FirstError string `json:"first_error,omitempty"`

	Workers int    `json:"workers"`
	Clients int    `json:"clients"`
	Dist    string `json:"dist"`
	Cost    int64  `json:"cost"`
	Seed    uint64 `json:"seed"`

	Latency Latency `json:"latency_ms"`

	Nodes    []NodeShare `json:"nodes"`
	Accuracy *Accuracy   `json:"accuracy,omitempty"`
	Happened []Happened  `json:"happened,omitempty"`
	Timeline []Point     `json:"timeline"`
	// Failed are the thresholds that the result misses.
	Failed []string `json:"failed_thresholds,omitempty"`
}

// Latency is the time from the moment at which a request was due to its answer, in milliseconds.
type Latency struct {
	P50  float64 `json:"p50"`
	P90  float64 `json:"p90"`
	P99  float64 `json:"p99"`
	P999 float64 `json:"p99_9"`
	Max  float64 `json:"max"`
}

// text is a number of milliseconds to three digits, as a duration.
func (*Latency) text(ms float64) string {
	d := time.Duration(ms * float64(time.Millisecond))
	unit := time.Nanosecond
	for d/unit >= 1000 {
		unit *= 10
	}
	return d.Round(unit).String()
}

// NodeShare is what one node answered.
type NodeShare struct {
	Name    string `json:"name"`
	Allowed int64  `json:"allowed"`
	Denied  int64  `json:"denied"`
	Errors  int64  `json:"errors"`
}

func (n *NodeShare) count(v verdict) {
	switch v {
	case failed:
		n.Errors++
	case admitted:
		n.Allowed++
	default:
		n.Denied++
	}
}

// Accuracy compares the nodes with one central limiter that got the same requests at the same
// times. Requests without a decision are left out; a node may have admitted some of them.
type Accuracy struct {
	Limits   []string `json:"limits"`         // the limit, and what it was changed to
	Central  int64    `json:"central_units"`  // that the central limiter would have admitted
	Admitted int64    `json:"admitted_units"` // that the nodes admitted
	// Over and Under sum the differences of the clients that got more, and of those that got
	// less. Overshoot and Undershoot are their shares of Central.
	Over       int64   `json:"over_units"`
	Under      int64   `json:"under_units"`
	Overshoot  float64 `json:"overshoot"`
	Undershoot float64 `json:"undershoot"`

	// Excess is E in units: the most that one client ever got beyond what a central limiter could
	// have admitted, over any stretch of time.
	Excess       float64 `json:"excess_units"`
	ExcessClient string  `json:"excess_client,omitempty"`
	ExcessAt     float64 `json:"excess_at,omitempty"` // seconds after the start
	// Bound is the largest error bound that a node stated, and BoundThen the one when Excess was
	// largest. Both are nil where the nodes stated none.
	Bound     *float64 `json:"bound_units,omitempty"`
	BoundThen *float64 `json:"bound_then_units,omitempty"`
	// Beyond counts admissions beyond the bound at their time. Measuring is by how many units
	// Excess is uncertain: a node decided at some time between request and answer.
	Beyond    int64   `json:"beyond_bound"`
	Measuring float64 `json:"measuring_units"`

	// WronglyDenied counts denials of clients that had kept to the limit so far, with the little
	// slack that docs/error-bound.md takes from it. Only GCRA promises that there are none.
	// DeniedWithRoom counts all denials for which what the nodes had admitted left room.
	WronglyDenied  int64 `json:"wrongly_denied"`
	DeniedWithRoom int64 `json:"denied_with_room"`

	// ClientCount is how many clients sent something, and Clients those whose numbers differ most,
	// then those who asked most.
	ClientCount int           `json:"client_count"`
	Clients     []ClientShare `json:"clients"`

	boundPeak, boundThen float64
}

// ClientShare is what one client got, in units.
type ClientShare struct {
	Client   string  `json:"client"`
	Requests int64   `json:"requests"`
	Central  int64   `json:"central_units"`
	Admitted int64   `json:"admitted_units"`
	Excess   float64 `json:"excess_units"`
}

// shownClients caps the clients of a result. More make the report longer.
const shownClients = 20

func (j *judge) result(elapsed time.Duration, total int64) *Result {
	cfg := j.cfg
	f := j.figures
	r := &Result{
		Begun: time.Unix(0, j.begun).UTC(), Seconds: elapsed.Seconds(), Warmup: cfg.Warmup.Seconds(), Rate: cfg.Rate.String(), Ramp: cfg.Ramp.String(),
		Planned: total, Sent: j.sent, Unsent: total - j.sent, Allowed: f.allowed, Denied: f.denied, Errors: f.errors,
		Workers: cfg.Workers, Clients: cfg.Clients, Dist: cfg.Dist.String(), Cost: cfg.Cost, Seed: cfg.Seed,
		Nodes: j.nodes, Happened: j.all, Timeline: j.timeline.all(),
	}
	if p := cfg.profile(); p != nil {
		r.Offered = float64(p.within(cfg.Duration)) / cfg.Duration.Seconds()
	} else if cfg.Requests == 0 {
		r.Planned, r.Unsent = r.Sent, 0
	}
	if measured := elapsed.Seconds() - cfg.Warmup.Seconds(); measured > 0 {
		r.Achieved = float64(f.allowed+f.denied) / measured
		r.Admitted = float64(f.allowed) / measured
	}
	if j.first != nil {
		r.FirstError = j.first.Error()
	}
	at := func(q float64) float64 { return ms(j.latency.ValueAtQuantile(q)) }
	r.Latency = Latency{P50: at(50), P90: at(90), P99: at(99), P999: at(99.9), Max: ms(j.latency.Max())}
	if j.limit != nil {
		r.Accuracy = j.accuracy()
	}
	return r
}

func (j *judge) accuracy() *Accuracy {
	a := j.acc
	a.ClientCount = len(j.accounts)
	a.Measuring = rounded(j.measuring())
	for _, c := range j.accounts {
		a.Central += c.owed
		a.Admitted += c.admitted
		a.Over += max(0, c.admitted-c.owed)
		a.Under += max(0, c.owed-c.admitted)
		a.Clients = append(a.Clients, ClientShare{c.name, c.requests, c.owed, c.admitted, rounded(max(0, c.excess))})
	}
	slices.SortFunc(a.Clients, func(x, y ClientShare) int {
		return cmp.Or(cmp.Compare(y.difference(), x.difference()), cmp.Compare(y.Requests, x.Requests), cmp.Compare(x.Client, y.Client))
	})
	a.Clients = slices.Clip(a.Clients[:min(len(a.Clients), shownClients)])
	if a.Central > 0 {
		a.Overshoot, a.Undershoot = float64(a.Over)/float64(a.Central), float64(a.Under)/float64(a.Central)
	}
	known := func(v float64) *float64 {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return nil
		}
		v = rounded(v)
		return &v
	}
	a.Bound = known(max(a.boundPeak, j.bound))
	if a.Excess > 0 {
		a.BoundThen = known(a.boundThen)
	}
	a.Excess = rounded(a.Excess)
	return &a
}

func (c *ClientShare) difference() int64 { return max(c.Admitted-c.Central, c.Central-c.Admitted) }

// rounded is v to a millionth of a unit.
func rounded(v float64) float64 { return math.Round(v*1e6) / 1e6 }

// Print writes the result for people.
func (r *Result) Print(w io.Writer) error {
	var t output.Table
	t.Row("load", fmt.Sprintf("%d clients (%s), up to %d requests at once, seed %d, %.1f s", r.Clients, r.Dist, r.Workers, r.Seed, r.Seconds))
	rate := fmt.Sprintf("%.0f/s offered, %.0f/s achieved", r.Offered, r.Achieved)
	if r.Offered == 0 {
		rate = fmt.Sprintf("as fast as answers came, %.0f/s achieved", r.Achieved)
	}
	if r.Warmup > 0 {
		rate += fmt.Sprintf(", %.1f/s admitted; all figures but sent and E leave out the first %g s", r.Admitted, r.Warmup)
	}
	t.Row("rate", rate)
	l := &r.Latency
	t.Row("latency", fmt.Sprintf("p50 %s  p90 %s  p99 %s  p99.9 %s  max %s", l.text(l.P50), l.text(l.P90), l.text(l.P99), l.text(l.P999), l.text(l.Max)))
	t.Row("allowed", r.Allowed)
	t.Row("denied", r.Denied)
	errs := fmt.Sprint(r.Errors)
	if r.FirstError != "" {
		errs += ", the first: " + r.FirstError
	}
	t.Row("errors", errs)
	if r.Unsent > 0 {
		t.Row("unsent", fmt.Sprintf("%d of %d were due but not sent: the latency above is of the others", r.Unsent, r.Planned))
	}
	for _, h := range r.Happened {
		text := fmt.Sprintf("%.1f s: %s", h.At.Seconds(), h.Name)
		if h.Error != "" {
			text += ": not done: " + h.Error
		}
		t.Row("event", text)
	}
	if err := t.Print(w); err != nil {
		return err
	}
	for _, part := range []func(*output.Table){r.shares, r.limits, r.verdict, r.clients} {
		table := output.Table{Numbers: true}
		part(&table)
		if table.Empty() {
			continue
		}
		if _, err := fmt.Fprintln(w); err != nil {
			return err
		}
		if err := table.Print(w); err != nil {
			return err
		}
	}
	for _, text := range r.Failed {
		if _, err := fmt.Fprintf(w, "FAILED %s\n", text); err != nil {
			return err
		}
	}
	return nil
}

// shares tells what each node did, if there are several.
func (r *Result) shares(t *output.Table) {
	if len(r.Nodes) < 2 {
		return
	}
	t.Row("node", "allowed", "share", "denied", "errors")
	for _, n := range r.Nodes {
		t.Row(n.Name, n.Allowed, percent(n.Allowed, r.Allowed), n.Denied, n.Errors)
	}
}

// limits tells what the central limiter enforces.
func (r *Result) limits(t *output.Table) {
	a := r.Accuracy
	if a == nil {
		return
	}
	t.Numbers = false
	for _, limit := range a.Limits {
		t.Row("limit", limit)
	}
}

// verdict tells how wrong the nodes were.
func (r *Result) verdict(t *output.Table) {
	a := r.Accuracy
	if a == nil {
		return
	}
	t.Numbers = false
	t.Row("admitted", units(float64(a.Admitted)), "by the nodes together")
	t.Row("central", units(float64(a.Central)), "by one limiter that sees all requests")
	t.Row("too much", units(float64(a.Over)), fmt.Sprintf("overshoot %.2f %%: of the clients that got more than by one limiter", 100*a.Overshoot))
	t.Row("too little", units(float64(a.Under)), fmt.Sprintf("undershoot %.2f %%: of those that got less", 100*a.Undershoot))
	who := "the most that one client ever got beyond the limit"
	if a.ExcessClient != "" {
		who += fmt.Sprintf("; %s at %.1f s, ± %.2f units by measuring", a.ExcessClient, a.ExcessAt, a.Measuring)
	}
	t.Row("E", fmt.Sprintf("%.2f units", a.Excess), who)
	bound, says := "unknown", "no node stated its error bound"
	if a.Bound != nil {
		bound, says = fmt.Sprintf("%.2f units", *a.Bound), "the largest that a node stated meanwhile"
		if a.BoundThen != nil {
			says += fmt.Sprintf("; %.2f when E was largest", *a.BoundThen)
		}
	}
	t.Row("bound", bound, says)
	if a.Bound != nil {
		t.Row("beyond", fmt.Sprint(a.Beyond), "admissions beyond the bound at their time: must be none")
	}
	t.Row("wrongly denied", fmt.Sprint(a.WronglyDenied), "requests of clients that had kept to the limit")
	t.Row("with room", fmt.Sprint(a.DeniedWithRoom), "denials, though what the nodes had admitted left room")
}

// clients lists those whose numbers differ most.
func (r *Result) clients(t *output.Table) {
	const most = 5
	if r.Accuracy == nil || r.Accuracy.ClientCount < 2 {
		return
	}
	t.Row("client", "requests", "admitted", "central", "difference", "E")
	for i := range r.Accuracy.Clients[:min(most, len(r.Accuracy.Clients))] {
		c := &r.Accuracy.Clients[i]
		t.Row(c.Client, c.Requests, c.Admitted, c.Central, fmt.Sprintf("%+d", c.Admitted-c.Central), fmt.Sprintf("%.2f", c.Excess))
	}
}

func units(v float64) string { return fmt.Sprintf("%.0f units", v) }

func percent(part, of int64) string {
	if of == 0 {
		return "-"
	}
	return fmt.Sprintf("%.1f %%", 100*float64(part)/float64(of))
}
