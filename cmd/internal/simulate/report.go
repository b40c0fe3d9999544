package simulate

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/cmd/internal/output"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/sim"
)

// Report is the result of one run, for printing. In JSON it holds its scenario, so that a
// printed report can be run again.
type Report struct {
	Scenario sim.Scenario `json:"scenario"`
	sim.Result
	// These fields replace the result's nanoseconds by text, and its 64-bit number by digits in
	// quotes, because many readers of JSON would round it.
	Delta     string `json:"delta"`
	Sigma     string `json:"sigma"`
	Simulated string `json:"simulated"`
	Trace     string `json:"trace"`

	MessagesPerAdmitted float64 `json:"messages_per_admitted"`
	BytesPerAdmitted    float64 `json:"bytes_per_admitted"`
	RealMS              float64 `json:"real_ms"`
}

// NewReport makes the report of a run. took is its duration in real time.
func NewReport(sc sim.Scenario, r sim.Result, took time.Duration) *Report {
	return &Report{
		Scenario: sc, Result: r,
		Delta: round(r.Delta).String(), Sigma: round(r.Sigma).String(), Simulated: r.Simulated.String(), Trace: fmt.Sprintf("%016x", r.Trace),
		MessagesPerAdmitted: ratio(r.Messages, r.Admitted), BytesPerAdmitted: ratio(r.Bytes, r.Admitted),
		RealMS: float64(took.Microseconds()) / 1e3,
	}
}

func ratio(a, b uint64) float64 { return float64(a) / float64(max(b, 1)) }

func round(d time.Duration) time.Duration { return d.Round(time.Microsecond) }

// Print writes the report for people.
func (r *Report) Print(w io.Writer) error {
	var t output.Table
	sc := &r.Scenario
	t.Row("cluster", describeCluster(sc, ""))
	t.Row("limit", describePolicy(sc.Policy, ""))
	t.Row("load", describeLoad(sc, ""))
	t.Row("faults", describeFaults(sc.Faults))
	t.Row("simulated", fmt.Sprintf("%v in %.2f s, seed %d, trace %s", r.Simulated, r.RealMS/1e3, sc.Seed, r.Trace))
	if err := printed(&t, w); err != nil {
		return err
	}
	t.Numbers = true
	t.Row("", "requests", "admitted", "units", "denied")
	t.Row("this cluster", r.Decisions, r.Admitted, r.Units, r.Denied)
	t.Row("one central limiter", r.Decisions, r.Central, r.CentralUnits, r.Decisions-r.Central)
	t.Row("difference", "", diff(r.Admitted, r.Central), diff(r.Units, r.CentralUnits), diff(r.Denied, r.Decisions-r.Central))
	if err := printed(&t, w); err != nil {
		return err
	}
	t.Numbers = false
	t.Row("E", fmt.Sprintf("%.2f units", r.E), "measured: the most that a client ever got beyond what one central limiter could have admitted")
	t.Row("bound", units(r.Documented.Total()), "what is promised for this load and these faults")
	t.Row("  at that moment", units(r.Bound), "what the node that admitted could not know of")
	t.Row("  for any load", r.ceiling(), fmt.Sprintf("(N-1)·(B + r·Δ) + r·σ; here N = %d, Δ = %s, σ = %s", r.Incarnations, r.Delta, r.Sigma))
	t.Row("wrongly denied", r.wrong(), "requests of a client that keeps to the limit")
	t.Row("  of all", fmt.Sprintf("%d of %d", r.Overdenied, r.Denied), fmt.Sprintf("denials though the nodes together had room, for at most %.2f units", r.WorstOverdenied))
	t.Row("messages", fmt.Sprintf("%.2f", r.MessagesPerAdmitted), fmt.Sprintf("per admitted request; %d while the load ran", r.Messages))
	t.Row("bytes", fmt.Sprintf("%.0f", r.BytesPerAdmitted), fmt.Sprintf("per admitted request; %d while the load ran", r.Bytes))
	if err := printed(&t, w); err != nil {
		return err
	}
	text := "Every admission was within its bound, and all promises were kept.\n"
	if len(r.Violations) > 0 {
		text = "VIOLATION " + strings.Join(r.Violations, "\nVIOLATION ") + "\n"
	}
	_, err := io.WriteString(w, text)
	return err
}

// printed prints a table and an empty line.
func printed(t *output.Table, w io.Writer) error {
	err := t.Print(w)
	if err == nil {
		_, err = fmt.Fprintln(w)
	}
	return err
}

// units prints a bound. 0 means that none holds, as when chance decides the outcome.
func units(v float64) string {
	if v == 0 {
		return "-"
	}
	return fmt.Sprintf("%.2f units", v)
}

func (r *Report) ceiling() string {
	if r.Incarnations == 1 {
		return "0.00 units"
	}
	return units(r.Ceiling)
}

func (r *Report) wrong() string {
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
