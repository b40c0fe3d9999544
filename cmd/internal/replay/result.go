package replay

import (
	"fmt"
	"io"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/cmd/internal/output"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/limit"
)

// Result is the outcome of a replay. Its JSON field names are a contract.
type Result struct {
	Format     Format    `json:"format"`
	Requests   int       `json:"requests"`
	Clients    int       `json:"clients"` // as the limit tells them apart
	BadLines   int       `json:"bad_lines"`
	BadSamples []BadLine `json:"bad_samples,omitempty"` // the first of them
	From       time.Time `json:"from"`
	To         time.Time `json:"to"`

	Policy    string  `json:"policy"` // for people
	Algorithm string  `json:"algorithm"`
	Limit     int64   `json:"limit"`
	WindowMS  float64 `json:"window_ms"`
	Burst     int64   `json:"burst"`
	Overrides int     `json:"overrides"`
	Nodes     int     `json:"nodes"`
	Spread    Spread  `json:"spread"`
	Delay     string  `json:"delay"`
	Seed      uint64  `json:"seed"`

	Cluster Tally `json:"cluster"`
	Central Tally `json:"central"`

	// Excess is E in units, to a millionth: the most that was ever admitted to a client
	// beyond what one central limiter could have. Bound is what it can be at most.
	Excess float64 `json:"excess_units"`
	Bound  float64 `json:"bound_units"`
	// DeltaMS is the staleness that Bound is for: flush and delivery, milliseconds.
	DeltaMS float64 `json:"delta_ms"`

	// Top are the clients that were denied most, at most shownClients.
	Top []Denied `json:"top_denied,omitempty"`
	// Timeline has a point for each StepMS milliseconds from the first request on.
	StepMS    float64    `json:"step_ms"`
	Timeline  []Point    `json:"timeline"`
	Proposals []Proposal `json:"proposals,omitempty"`
}

// Tally counts verdicts.
type Tally struct {
	Admitted       int `json:"admitted"`
	Denied         int `json:"denied"`
	ClientsLimited int `json:"clients_limited"` // denied at least once
}

func (t *Tally) count(requests, denied int) {
	t.Admitted += requests - denied
	t.Denied += denied
	if denied > 0 {
		t.ClientsLimited++
	}
}

// Denied is a client that was denied.
type Denied struct {
	Client        string     `json:"client"`
	Requests      int        `json:"requests"`
	Denied        int        `json:"denied"`
	CentralDenied int        `json:"central_denied"`
	First         *time.Time `json:"first,omitempty"` // denial
	Last          *time.Time `json:"last,omitempty"`
	Excess        float64    `json:"excess_units"`
}

// shownClients caps the clients of a result. More make the report longer.
const shownClients = 50

// Point is what happened in one stretch of the log.
type Point struct {
	At            int64 `json:"at"` // its begin, unix nanoseconds
	Admitted      int   `json:"admitted"`
	Denied        int   `json:"denied"`
	CentralDenied int   `json:"central_denied"`
}

// mostPoints caps the points of a timeline. More points make a longer report; fewer hide short
// bursts.
const mostPoints = 400

// steps are the distances of points that people read well; longer ones are days.
var steps = []time.Duration{
	time.Second, 5 * time.Second, 10 * time.Second, 30 * time.Second, time.Minute, 5 * time.Minute, 10 * time.Minute, 30 * time.Minute,
	time.Hour, 3 * time.Hour, 6 * time.Hour, 12 * time.Hour,
}

// timeline makes points.
type timeline struct {
	from, step int64
	all        []Point
}

func newTimeline(log *Log) timeline {
	span := log.Span()
	const day = 24 * time.Hour
	step := max(1, (span/mostPoints+day-1)/day) * day
	for _, s := range steps {
		if span/s < mostPoints {
			step = s
			break
		}
	}
	t := timeline{step: int64(step)}
	t.from = log.Requests[0].At - log.Requests[0].At%t.step
	for at := t.from; at <= log.Requests[0].At+int64(span); at += t.step {
		t.all = append(t.all, Point{At: at})
	}
	return t
}

func (t *timeline) at(u int64) *Point { return &t.all[(u-t.from)/t.step] }

// printedClients caps the clients of the printed report. More of them push the verdict off the screen;
// -o json has them all.
const printedClients = 10

// Print writes the result for people.
func (r *Result) Print(w io.Writer) error {
	var head output.Table
	head.Row("log", fmt.Sprintf("%d requests of %d clients in %v from %s, read as %s, %d unreadable lines",
		r.Requests, r.Clients, r.To.Sub(r.From).Round(time.Second), r.From.Format(time.RFC3339), r.Format, r.BadLines))
	for _, bad := range r.BadSamples {
		head.Row("unreadable", bad)
	}
	head.Row("limit", r.Policy+", for each client address")
	spread := "at random"
	if r.Spread == RoundRobin {
		spread = "in turn"
	}
	head.Row("nodes", fmt.Sprintf("%d, requests spread %s, messages take %s, seed %d", r.Nodes, spread, r.Delay, r.Seed))
	if err := head.Print(w); err != nil {
		return err
	}
	for _, part := range []func(*output.Table){r.tallies, r.bound, r.top, r.proposals} {
		var t output.Table
		part(&t)
		if t.Empty() {
			continue
		}
		if _, err := fmt.Fprintln(w); err != nil {
			return err
		}
		if err := t.Print(w); err != nil {
			return err
		}
	}
	return nil
}

func (r *Result) tallies(t *output.Table) {
	t.Numbers = true
	t.Row("", "requests", "admitted", "denied", "clients limited")
	name := fmt.Sprintf("%d nodes", r.Nodes)
	if r.Nodes == 1 {
		name = "1 node"
	}
	t.Row(name, r.Requests, r.Cluster.Admitted, r.Cluster.Denied, r.Cluster.ClientsLimited)
	t.Row("one central limiter", r.Requests, r.Central.Admitted, r.Central.Denied, r.Central.ClientsLimited)
	t.Row("difference", "",
		fmt.Sprintf("%+d", r.Cluster.Admitted-r.Central.Admitted),
		fmt.Sprintf("%+d", r.Cluster.Denied-r.Central.Denied),
		fmt.Sprintf("%+d", r.Cluster.ClientsLimited-r.Central.ClientsLimited))
}

func (r *Result) bound(t *output.Table) {
	t.Row("E", fmt.Sprintf("%.2f units", r.Excess), "the most that a client was ever admitted beyond what one central limiter could have")
	says := fmt.Sprintf("(nodes-1) x (burst + rate x delta), delta = flush + delay = %vms", r.DeltaMS)
	if r.Algorithm != limit.GCRA.String() {
		says = "(nodes-1) x limit, in every window"
	}
	t.Row("bound", fmt.Sprintf("%.2f units", r.Bound), says)
}

// top lists who was denied, how often and when.
func (r *Result) top(t *output.Table) {
	if len(r.Top) == 0 {
		return
	}
	t.Row("DENIED", "REQUESTS", "DENIED", "BY CENTRAL", "FIRST", "LAST")
	for i := range r.Top[:min(len(r.Top), printedClients)] {
		d := &r.Top[i]
		t.Row(d.Client, d.Requests, d.Denied, d.CentralDenied, when(d.First), when(d.Last))
	}
	if all := max(r.Cluster.ClientsLimited, len(r.Top)); all > printedClients {
		t.Row(fmt.Sprintf("and %d more", all-printedClients))
	}
}

func when(t *time.Time) string {
	if t == nil {
		return "-"
	}
	return t.Format("2006-01-02T15:04:05Z")
}

// proposals lists limits to choose from.
func (r *Result) proposals(t *output.Table) {
	if len(r.Proposals) == 0 {
		return
	}
	t.Row("WINDOW", "NEVER MET BY", "LIMIT", "DENIES", "OF CLIENTS", "MOST DENIED", fmt.Sprintf("%d NODES AT MOST", r.Nodes))
	for i := range r.Proposals {
		p := &r.Proposals[i]
		t.Row(p.window(), fmt.Sprintf("%v %%", p.Percent), p.Limit, r.share(p.Denied), p.Clients, p.most(), fmt.Sprintf("%.0f more", p.Bound))
	}
}

func (p *Proposal) window() string {
	return limit.Span(time.Duration(p.WindowMS * float64(time.Millisecond)))
}

func (p *Proposal) most() string {
	if p.Most == 0 {
		return "-"
	}
	return fmt.Sprintf("%s: %d", p.Heaviest, p.Most)
}

// share is a number of requests, and their share of all.
func (r *Result) share(n int) string {
	if n == 0 {
		return "0"
	}
	return fmt.Sprintf("%d (%.2g %%)", n, 100*float64(n)/float64(r.Requests))
}
