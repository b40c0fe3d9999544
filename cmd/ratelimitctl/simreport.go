package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/cmd/internal/output"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/sim"
)

// simReport is what one run came to, for printing.
type simReport struct {
	Scenario sim.Scenario `json:"scenario"`
	sim.Result
	// As strings, these three replace the result's nanoseconds, and the last its
	// number, which many readers of JSON would round.
	Delta     string `json:"delta"`
	Sigma     string `json:"sigma"`
	Simulated string `json:"simulated"`
	Trace     string `json:"trace"`

	MessagesPerAdmitted float64 `json:"messages_per_admitted"`
	BytesPerAdmitted    float64 `json:"bytes_per_admitted"`
	RealMS              float64 `json:"real_ms"`
}

func newSimReport(sc sim.Scenario, r sim.Result, took time.Duration) *simReport {
	return &simReport{
		Scenario: sc, Result: r,
		Delta: round(r.Delta).String(), Sigma: round(r.Sigma).String(), Simulated: r.Simulated.String(), Trace: fmt.Sprintf("%016x", r.Trace),
		MessagesPerAdmitted: ratio(r.Messages, r.Admitted), BytesPerAdmitted: ratio(r.Bytes, r.Admitted),
		RealMS: float64(took.Microseconds()) / 1e3,
	}
}

func ratio(a, b uint64) float64 { return float64(a) / float64(max(b, 1)) }

func round(d time.Duration) time.Duration { return d.Round(time.Microsecond) }

// print writes the report for people.
func (r *simReport) print(w io.Writer) error {
	var t output.Table
	sc := &r.Scenario
	t.Row("cluster", describeCluster(sc, ""))
	t.Row("limit", describePolicy(sc.Policy, ""))
	t.Row("load", describeLoad(sc, ""))
	t.Row("faults", describeFaults(sc.Faults))
	t.Row("simulated", fmt.Sprintf("%v in %.2f s, seed %d, trace %s", r.Simulated, r.RealMS/1e3, sc.Seed, r.Trace))
	if err := t.Print(w); err != nil {
		return err
	}
	say(w, "\n")
	t.Numbers = true
	t.Row("", "requests", "admitted", "units", "denied")
	t.Row("this cluster", r.Decisions, r.Admitted, r.Units, r.Denied)
	t.Row("one central limiter", r.Decisions, r.Central, r.CentralUnits, r.Decisions-r.Central)
	t.Row("difference", "", diff(r.Admitted, r.Central), diff(r.Units, r.CentralUnits), diff(r.Denied, r.Decisions-r.Central))
	if err := t.Print(w); err != nil {
		return err
	}
	say(w, "\n")
	t.Numbers = false
	t.Row("E", fmt.Sprintf("%.2f units", r.E), "measured: the most that a client ever got beyond what one central limiter could have admitted")
	t.Row("bound", units(r.Documented.Total()), "what is promised for this load and these faults")
	t.Row("  at that moment", units(r.Bound), "what the node that admitted could not know of")
	t.Row("  for any load", r.ceiling(), fmt.Sprintf("(N-1)·(B + r·Δ) + r·σ; here N = %d, Δ = %s, σ = %s", r.Incarnations, r.Delta, r.Sigma))
	t.Row("wrongly denied", r.wrong(), "requests of a client that keeps to the limit")
	t.Row("messages", fmt.Sprintf("%.2f", r.MessagesPerAdmitted), fmt.Sprintf("per admitted request; %d while the load ran", r.Messages))
	t.Row("bytes", fmt.Sprintf("%.0f", r.BytesPerAdmitted), fmt.Sprintf("per admitted request; %d while the load ran", r.Bytes))
	if err := t.Print(w); err != nil {
		return err
	}
	say(w, "\n")
	if len(r.Violations) == 0 {
		say(w, "Every admission was within its bound, and all promises were kept.\n")
	}
	for _, v := range r.Violations {
		say(w, "VIOLATION %s\n", v)
	}
	return nil
}

// units prints a bound; 0 is none, as where chance has a part in it.
func units(v float64) string {
	if v == 0 {
		return "-"
	}
	return fmt.Sprintf("%.2f units", v)
}

func (r *simReport) ceiling() string {
	if r.Incarnations == 1 {
		return "0.00 units"
	}
	return units(r.Ceiling)
}

func (r *simReport) wrong() string {
	if r.Conforming == 0 {
		return "-" // not promised under these faults, or no such client
	}
	return fmt.Sprintf("%d of %d", r.WrongDeny, r.Conforming)
}

func diff(a, b uint64) string {
	if a < b {
		return fmt.Sprintf("-%d", b-a)
	}
	return fmt.Sprintf("+%d", a-b)
}

// describe lists what stands behind the names, but for the swept one.
func describe(swept string, named ...string) string {
	var out []string
	for i := 0; i < len(named); i += 2 {
		if named[i] != swept && named[i+1] != "" {
			out = append(out, named[i+1])
		}
	}
	return strings.Join(out, ", ")
}

// The describing functions leave out the flag that is swept, "" if none is.

func describeCluster(sc *sim.Scenario, swept string) string {
	l := &sc.Link
	some := func(is bool, text string, args ...any) string {
		if !is {
			return ""
		}
		return fmt.Sprintf(text, args...)
	}
	return describe(swept,
		"nodes", plural(sc.Nodes, "node"),
		"flush", fmt.Sprintf("flush %v", sc.Flush),
		"delay", fmt.Sprintf("messages take %v to %v", l.DelayMin, l.DelayMax),
		"loss", fmt.Sprintf("%.3g %% lost", 100*l.Loss),
		"duplicate", some(l.Duplicate > 0, "%.3g %% twice", 100*l.Duplicate),
		"reorder", some(l.Reorder, "out of order"),
		"bandwidth", some(l.Bandwidth > 0, "%d bytes/s", l.Bandwidth),
		"skew", some(sc.Skew > 0, "clocks off by up to %v", sc.Skew),
	)
}

func describePolicy(p node.Policy, swept string) string {
	burst, overshoot := p.Burst, p.MaxOvershoot
	if burst == 0 {
		burst = p.Limit
	}
	if overshoot == 0 {
		overshoot = node.DefaultMaxOvershoot
	}
	limit, most := fmt.Sprintf("%d per %v for each client", p.Limit, p.Window), fmt.Sprintf("burst %d", burst)
	if swept == "limit" {
		limit = fmt.Sprintf("per %v for each client", p.Window)
		if p.Burst == 0 {
			most = "burst as the limit"
		}
	}
	return describe(swept, "limit of", limit, "burst", most, "max-overshoot", fmt.Sprintf("max overshoot %g", overshoot))
}

func describeLoad(sc *sim.Scenario, swept string) string {
	rate, bursts, conforming := 0.0, 0, 0
	for i := range sc.Streams {
		switch s := &sc.Streams[i]; {
		case s.Conforming:
			conforming++
		case s.Burst > 0:
			bursts = max(bursts, s.Burst)
		default:
			rate += s.Rate
		}
	}
	var what, who string
	switch {
	case bursts > 0 && (swept == "burst" || swept == "limit"):
		what = "bursts at every node"
	case bursts > 0:
		what = fmt.Sprintf("bursts of %d at every node", bursts)
	}
	if rate > 0 {
		what = strings.TrimPrefix(what+fmt.Sprintf(" and %.4g requests/s", rate), " and ")
	}
	if swept == "rate" {
		what = "requests"
	}
	if swept != "clients" {
		who = " of " + plural(len(sc.Streams)-conforming, "client")
	}
	out := fmt.Sprintf("%s%s for %v", what, who, sc.Duration)
	if conforming > 0 {
		out += ", and one that keeps to the limit"
	}
	return out
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func describeFaults(faults []sim.Fault) string {
	var out []string
	for _, f := range faults {
		text := fmt.Sprintf("%s at %v", f.Kind, round(f.At))
		if f.For > 0 {
			text += fmt.Sprintf(" for %v", round(f.For))
		}
		if len(f.Nodes) > 0 {
			text += " of " + strings.Trim(strings.Join(strings.Fields(fmt.Sprint(f.Nodes)), ","), "[]")
		}
		out = append(out, text)
	}
	if len(out) == 0 {
		return "none"
	}
	return strings.Join(out, "; ")
}
