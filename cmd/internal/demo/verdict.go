package demo

import (
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/cmd/internal/output"
)

// verdict is the outcome of a demonstration.
type verdict struct {
	requests, admitted, denied, central, wronged int

	e, bound, closest float64
	broken            int

	converged time.Duration // time from the end of the load until the nodes agreed
	agreed    bool
	asked     bool // whether the nodes were asked if they agree
}

func (j *judge) verdict() *verdict {
	return &verdict{
		requests: j.requests, admitted: j.admitted, denied: j.denied, central: j.central, wronged: j.wronged,
		e: j.e, bound: j.bound, closest: j.closest, broken: j.broken,
	}
}

// passed reports whether the nodes kept every promise.
func (v *verdict) passed() bool { return v.broken == 0 && v.wronged == 0 && (v.agreed || !v.asked) }

func (v *verdict) print(w io.Writer) error {
	word := func(ok bool) string {
		if ok {
			return "PASS"
		}
		return "FAIL"
	}
	agreed := "not within " + convergeWithin.String()
	switch {
	case v.agreed && v.converged < time.Millisecond:
		agreed = "at once"
	case v.agreed:
		agreed = round(v.converged).String()
	}
	var t output.Table
	t.Row("requests", grouped(v.requests), "", "sent to three nodes")
	t.Row("admitted", grouped(v.admitted), "", "by all of them together")
	t.Row("  central", grouped(v.central), "", "would have been admitted by one limiter that sees all requests")
	t.Row("denied", grouped(v.denied), "", "by all of them together")
	t.Row("  wronged", grouped(v.wronged), word(v.wronged == 0), "of them of clients within their limit: must be none")
	t.Row("E", fmt.Sprintf("%.1f", v.e), "", "units, the most that one client ever got beyond what one limiter allows")
	t.Row("  bound", fmt.Sprintf("%.1f", v.bound), "", "units, what the node that admitted that said it can be")
	t.Row("  beyond", grouped(v.broken), word(v.broken == 0), fmt.Sprintf("admissions beyond the bound at their time: must be none; the closest came to %.0f %% of it", 100*v.closest))
	if v.asked {
		t.Row("agreement", agreed, word(v.agreed), "after the load: the time until all nodes gave the same answers")
	}
	if _, err := fmt.Fprintln(w); err != nil {
		return err
	}
	if err := t.Print(w); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "\n%s\n", word(v.passed()))
	return err
}

// grouped writes n with separators: 12,345.
func grouped(n int) string {
	text := strconv.Itoa(n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}
