package bench

import (
	"fmt"
	"io"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/cmd/internal/output"
)

// Result holds the measurements of a load. Its JSON field names are a contract.
type Result struct {
	Seconds  float64 `json:"seconds"`
	Offered  float64 `json:"offered_per_second"`
	Achieved float64 `json:"achieved_per_second"` // answered, errors not counted

	Planned int64 `json:"planned"`
	Sent    int64 `json:"sent"`
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
	Dist    Dist   `json:"dist"`
	Seed    uint64 `json:"seed"`

	Latency Latency `json:"latency_ms"`
}

// Latency is the time from the moment at which a request was due to its answer, in milliseconds.
type Latency struct {
	P50  float64 `json:"p50"`
	P90  float64 `json:"p90"`
	P99  float64 `json:"p99"`
	P999 float64 `json:"p99_9"`
	Max  float64 `json:"max"`
}

func newResult(cfg Config, workers []*worker, elapsed time.Duration, total int64) *Result {
	r := &Result{
		Seconds: elapsed.Seconds(), Offered: cfg.Rate, Planned: total,
		Workers: cfg.Workers, Clients: cfg.Clients, Dist: cfg.Dist, Seed: cfg.Seed,
	}
	sum := hdrhistogram.New(shortest, longest, digits)
	var firstAt time.Duration
	for _, w := range workers {
		sum.Merge(w.latency)
		r.Allowed += w.allowed
		r.Denied += w.denied
		r.Errors += w.failed
		if w.firstError != nil && (r.FirstError == "" || w.firstErrorAt < firstAt) {
			r.FirstError, firstAt = w.firstError.Error(), w.firstErrorAt
		}
	}
	r.Sent = r.Allowed + r.Denied + r.Errors
	r.Unsent = total - r.Sent
	r.Achieved = float64(r.Allowed+r.Denied) / elapsed.Seconds()
	at := func(q float64) float64 { return float64(sum.ValueAtQuantile(q)) / float64(time.Millisecond) }
	r.Latency = Latency{P50: at(50), P90: at(90), P99: at(99), P999: at(99.9), Max: float64(sum.Max()) / float64(time.Millisecond)}
	return r
}

// Print writes the result for people.
func (r *Result) Print(w io.Writer) error {
	var t output.Table
	t.Row("load", fmt.Sprintf("%d clients (%s), up to %d requests at once, seed %d, %.1f s", r.Clients, r.Dist, r.Workers, r.Seed, r.Seconds))
	t.Row("rate", fmt.Sprintf("%.0f/s offered, %.0f/s achieved", r.Offered, r.Achieved))
	t.Row("latency", fmt.Sprintf("p50 %s  p90 %s  p99 %s  p99.9 %s  max %s",
		ms(r.Latency.P50), ms(r.Latency.P90), ms(r.Latency.P99), ms(r.Latency.P999), ms(r.Latency.Max)))
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
	return t.Print(w)
}

func ms(v float64) string { return fmt.Sprintf("%.2fms", v) }
