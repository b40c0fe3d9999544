package bench

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Thresholds are conditions that a result has to meet. It is a flag.Value: "p99<1ms,overshoot<1%".
type Thresholds []threshold

// threshold is one condition.
type threshold struct {
	text   string
	metric *metric
	op     string
	value  float64
	share  bool // value is a share of the metric's whole
}

// metric is a figure that a threshold can name. A duration is in milliseconds.
type metric struct {
	name     string
	duration bool
	value    func(r *Result) (v float64, known bool)
	of       func(r *Result) float64 // the whole that a percentage refers to; nil: it takes none
	always   bool                    // the metric is a percentage itself
}

func latencyOf(q func(l *Latency) float64) func(*Result) (float64, bool) {
	return func(r *Result) (float64, bool) { return q(&r.Latency), r.Allowed+r.Denied+r.Errors > 0 }
}

func countOf(n func(r *Result) int64) func(*Result) (float64, bool) {
	return func(r *Result) (float64, bool) { return float64(n(r)), true }
}

func accuracyOf(v func(a *Accuracy) float64) func(*Result) (float64, bool) {
	return func(r *Result) (float64, bool) {
		if r.Accuracy == nil {
			return 0, false
		}
		return v(r.Accuracy), true
	}
}

var metrics = []metric{
	{name: "p50", duration: true, value: latencyOf(func(l *Latency) float64 { return l.P50 })},
	{name: "p90", duration: true, value: latencyOf(func(l *Latency) float64 { return l.P90 })},
	{name: "p99", duration: true, value: latencyOf(func(l *Latency) float64 { return l.P99 })},
	{name: "p99.9", duration: true, value: latencyOf(func(l *Latency) float64 { return l.P999 })},
	{name: "max", duration: true, value: latencyOf(func(l *Latency) float64 { return l.Max })},
	{name: "achieved", value: func(r *Result) (float64, bool) { return r.Achieved, true }, of: func(r *Result) float64 { return r.Offered }},
	{name: "admitted", value: func(r *Result) (float64, bool) { return r.Admitted, true }},
	{name: "errors", value: countOf(func(r *Result) int64 { return r.Errors }), of: func(r *Result) float64 { return float64(r.Sent) }},
	{name: "unsent", value: countOf(func(r *Result) int64 { return r.Unsent }), of: func(r *Result) float64 { return float64(r.Planned) }},
	{name: "denied", value: countOf(func(r *Result) int64 { return r.Denied }), of: func(r *Result) float64 { return float64(r.Allowed + r.Denied) }},
	{name: "overshoot", value: accuracyOf(func(a *Accuracy) float64 { return 100 * a.Overshoot }), always: true},
	{name: "undershoot", value: accuracyOf(func(a *Accuracy) float64 { return 100 * a.Undershoot }), always: true},
	{name: "excess", value: accuracyOf(func(a *Accuracy) float64 { return a.Excess }), of: func(r *Result) float64 {
		if r.Accuracy == nil || r.Accuracy.Bound == nil {
			return 0
		}
		return *r.Accuracy.Bound
	}},
	{name: "beyond", value: func(r *Result) (float64, bool) {
		if r.Accuracy == nil || r.Accuracy.Bound == nil {
			return 0, false
		}
		return float64(r.Accuracy.Beyond), true
	}},
	{name: "wrongly-denied", value: accuracyOf(func(a *Accuracy) float64 { return float64(a.WronglyDenied) })},
}

// MetricNames lists the figures that thresholds can name.
func MetricNames() (names []string) {
	for i := range metrics {
		names = append(names, metrics[i].name)
	}
	return names
}

// String implements flag.Value.
func (t *Thresholds) String() string {
	var all []string
	for _, one := range *t {
		all = append(all, one.text)
	}
	return strings.Join(all, ",")
}

// Set implements flag.Value.
func (t *Thresholds) Set(text string) error {
	var all Thresholds
	for part := range strings.SplitSeq(text, ",") {
		one, err := parseThreshold(strings.TrimSpace(part))
		if err != nil {
			return err
		}
		all = append(all, one)
	}
	*t = append(*t, all...)
	return nil
}

func parseThreshold(text string) (threshold, error) {
	i := strings.IndexAny(text, "<>")
	if i < 0 {
		return threshold{}, fmt.Errorf("%q: must be like p99<1ms: a figure, one of < <= > >=, and a value", text)
	}
	op := text[i : i+1]
	if strings.HasPrefix(text[i+1:], "=") {
		op = text[i : i+2]
	}
	name, value := strings.TrimSpace(text[:i]), strings.TrimSpace(text[i+len(op):])
	at := slices.IndexFunc(metrics, func(m metric) bool { return m.name == name })
	if at < 0 {
		return threshold{}, fmt.Errorf("%q: there is no figure %q; known are %s", text, name, strings.Join(MetricNames(), ", "))
	}
	one := threshold{text: text, metric: &metrics[at], op: op}
	number, percent := strings.CutSuffix(value, "%")
	var err error
	switch m := one.metric; {
	case m.duration:
		var d time.Duration
		d, err = time.ParseDuration(value)
		one.value = float64(d) / float64(time.Millisecond)
		if err != nil {
			return one, fmt.Errorf("%q: %s needs a duration such as 1ms", text, name)
		}
		return one, nil
	case percent && m.of == nil && !m.always:
		return one, fmt.Errorf("%q: %s is no share of anything, so it takes no %%", text, name)
	case !percent && m.always:
		return one, fmt.Errorf("%q: %s is a percentage: write %s%s1%%", text, name, name, op)
	}
	one.share = percent && !one.metric.always
	if one.value, err = strconv.ParseFloat(strings.TrimSpace(number), 64); err != nil || !(one.value >= 0) {
		return one, fmt.Errorf("%q: must end in a number, 0 or more", text)
	}
	return one, nil
}

// Judge notes in the result which thresholds it misses, and reports whether it misses any.
func (t Thresholds) Judge(r *Result) (missed bool) {
	r.Failed = nil
	for _, one := range t {
		v, known := one.metric.value(r)
		if one.share && known {
			whole := one.metric.of(r)
			if known = whole > 0; known {
				v = 100 * v / whole
			}
		}
		switch {
		case !known:
			r.Failed = append(r.Failed, one.text+": it is not known")
		case !one.holds(v):
			r.Failed = append(r.Failed, fmt.Sprintf("%s: it is %s", one.text, one.show(v)))
		}
	}
	return len(r.Failed) > 0
}

func (t *threshold) holds(v float64) bool {
	switch t.op {
	case "<":
		return v < t.value
	case "<=":
		return v <= t.value
	case ">":
		return v > t.value
	}
	return v >= t.value
}

func (t *threshold) show(v float64) string {
	switch {
	case t.metric.duration:
		return fmt.Sprintf("%.3fms", v)
	case t.share || t.metric.always:
		return fmt.Sprintf("%.2f%%", v)
	}
	return strconv.FormatFloat(v, 'f', -1, 64)
}
