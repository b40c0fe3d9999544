package bench

import (
	"fmt"
	"io"
	"math"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/cmd/internal/report"
)

// HTML writes the result as a page with charts.
func (r *Result) HTML(w io.Writer) error {
	p := report.Page{
		Title: "Load test of " + r.Begun.Format("2006-01-02 15:04 UTC"),
		Lead: []string{fmt.Sprintf("%d nodes, %d clients (%s), %s requests per second, up to %d at once, seed %d, for %.1f s.",
			len(r.Nodes), r.Clients, r.Dist, r.Rate, r.Workers, r.Seed, r.Seconds)},
		Data: r,
	}
	if r.Accuracy != nil {
		for _, limit := range r.Accuracy.Limits {
			p.Lead = append(p.Lead, "Limit: "+limit+".")
		}
	}
	if r.Warmup > 0 {
		p.Lead = append(p.Lead, fmt.Sprintf("The figures and tables leave out the first %g s; E and the charts do not.", r.Warmup))
	}
	p.Lead = append(p.Lead, r.Failed...)
	p.Facts = r.facts()
	p.Parts = append(p.Parts, r.decisions())
	if r.Accuracy != nil {
		p.Parts = append(p.Parts, r.excess())
	}
	p.Parts = append(p.Parts, r.latency())
	if len(r.Nodes) > 1 {
		p.Parts = append(p.Parts, r.perNode(), r.nodeTable())
	}
	if r.Accuracy != nil && len(r.Accuracy.Clients) > 0 {
		p.Parts = append(p.Parts, r.clientTable())
	}
	if len(r.Happened) > 0 {
		p.Parts = append(p.Parts, r.happenedTable())
	}
	return p.Write(w)
}

func (r *Result) facts() []report.Fact {
	all := []report.Fact{
		{Name: "answered per second", Value: fmt.Sprintf("%.0f", r.Achieved)},
		{Name: "p50", Value: r.Latency.text(r.Latency.P50)},
		{Name: "p99", Value: r.Latency.text(r.Latency.P99)},
		{Name: "p99.9", Value: r.Latency.text(r.Latency.P999)},
		{Name: "allowed", Value: fmt.Sprint(r.Allowed)},
		{Name: "denied", Value: fmt.Sprint(r.Denied)},
		{Name: "errors", Value: fmt.Sprint(r.Errors), Bad: r.Errors > 0},
		{Name: "unsent", Value: fmt.Sprint(r.Unsent), Bad: r.Unsent > 0},
	}
	if a := r.Accuracy; a != nil {
		all = append(all,
			report.Fact{Name: "admitted, units", Value: fmt.Sprint(a.Admitted)},
			report.Fact{Name: "central limiter, units", Value: fmt.Sprint(a.Central)},
			report.Fact{Name: "overshoot", Value: fmt.Sprintf("%.2f %%", 100*a.Overshoot)},
			report.Fact{Name: "undershoot", Value: fmt.Sprintf("%.2f %%", 100*a.Undershoot)},
			report.Fact{Name: "E, units", Value: fmt.Sprintf("%.2f", a.Excess), Bad: a.Beyond > 0},
			report.Fact{Name: "bound, units", Value: a.boundText()},
			report.Fact{Name: "wrongly denied", Value: fmt.Sprint(a.WronglyDenied), Bad: a.WronglyDenied > 0},
		)
	}
	return all
}

func (a *Accuracy) boundText() string {
	if a.Bound == nil {
		return "unknown"
	}
	return fmt.Sprintf("%.2f", *a.Bound)
}

// chart is an empty chart over the timeline, with a mark for each event.
func (r *Result) chart(y string) *report.Chart {
	c := &report.Chart{XUnit: "s", Y: y}
	for i := range r.Timeline {
		c.X = append(c.X, r.Timeline[i].At)
	}
	for _, h := range r.Happened {
		if h.Error == "" {
			c.Marks = append(c.Marks, report.Mark{X: h.At.Seconds(), Text: h.Name})
		}
	}
	return c
}

// line adds a line of one value for each point.
func (r *Result) line(c *report.Chart, name string, style report.Style, value func(p *Point) float64) {
	l := report.Line{Name: name, Style: style}
	for i := range r.Timeline {
		l.Y = append(l.Y, value(&r.Timeline[i]))
	}
	c.Lines = append(c.Lines, l)
}

// perSecond makes a count of a point a rate. The last point is a gap if the load ended within its
// stretch: the few answers that came so late would look like a fall to nothing.
func (r *Result) perSecond() func(p *Point, n float64) float64 {
	if len(r.Timeline) < 2 {
		return func(_ *Point, n float64) float64 { return n }
	}
	step, last := r.Timeline[1].At-r.Timeline[0].At, &r.Timeline[len(r.Timeline)-1]
	return func(p *Point, n float64) float64 {
		if p == last && p.At+step > r.Seconds {
			return math.NaN()
		}
		return n / step
	}
}

func (r *Result) decisions() report.Part {
	c, rate := r.chart("requests per second"), r.perSecond()
	r.line(c, "allowed", report.Good, func(p *Point) float64 { return rate(p, float64(p.Allowed)) })
	r.line(c, "denied", report.Bad, func(p *Point) float64 { return rate(p, float64(p.Denied)) })
	note := ""
	if r.Accuracy != nil {
		r.line(c, "one central limiter would allow", report.Bound, func(p *Point) float64 { return rate(p, float64(p.Central)/float64(r.Cost)) })
		note = "The dashed line is what one limiter that sees all requests would have allowed."
	}
	if r.Errors > 0 {
		r.line(c, "errors", report.Light, func(p *Point) float64 { return rate(p, float64(p.Errors)) })
	}
	return report.Part{Title: "Decisions", Note: note, Chart: c}
}

func or(v *float64) float64 {
	if v == nil {
		return math.NaN()
	}
	return *v
}

func (r *Result) excess() report.Part {
	c := r.chart("units")
	r.line(c, "E of the worst client", report.Strong, func(p *Point) float64 { return or(p.Excess) })
	r.line(c, "bound that the nodes stated", report.Bound, func(p *Point) float64 { return or(p.Bound) })
	return report.Part{
		Title: "How far beyond the limit", Chart: c,
		Note: "E is the most that a client has got beyond what one central limiter could have admitted. The nodes state at any time how much that can be.",
	}
}

func (r *Result) latency() report.Part {
	c := r.chart("milliseconds")
	c.Log = true
	r.line(c, "p99", report.Strong, func(p *Point) float64 { return positive(p.P99) })
	r.line(c, "p50", report.Light, func(p *Point) float64 { return positive(p.P50) })
	note := "From the moment at which a request was due to its answer."
	if r.Offered == 0 {
		note = "From request to answer: a load without a rate waits for its answers."
	}
	return report.Part{Title: "Latency", Note: note, Chart: c}
}

// positive is v, or a gap.
func positive(v float64) float64 {
	if v <= 0 {
		return math.NaN()
	}
	return v
}

var nodeStyles = []report.Style{report.Strong, report.Good, report.Light, report.Bound, report.Bad}

func (r *Result) perNode() report.Part {
	c, rate := r.chart("allowed per second"), r.perSecond()
	for i := range r.Nodes {
		r.line(c, r.Nodes[i].Name, nodeStyles[i%len(nodeStyles)], func(p *Point) float64 { return rate(p, float64(p.Nodes[i])) })
	}
	return report.Part{Title: "Allowed by each node", Chart: c}
}

func (r *Result) nodeTable() report.Part {
	t := &report.Table{Head: []string{"node", "allowed", "share", "denied", "errors"}, Left: 1}
	for _, n := range r.Nodes {
		t.Rows = append(t.Rows, []string{n.Name, fmt.Sprint(n.Allowed), percent(n.Allowed, r.Allowed), fmt.Sprint(n.Denied), fmt.Sprint(n.Errors)})
	}
	return report.Part{Title: "Nodes", Table: t}
}

func (r *Result) clientTable() report.Part {
	t := &report.Table{Head: []string{"client", "requests", "admitted", "central", "difference", "E"}, Left: 1}
	for i := range r.Accuracy.Clients {
		c := &r.Accuracy.Clients[i]
		t.Rows = append(t.Rows, []string{
			c.Client, fmt.Sprint(c.Requests), fmt.Sprint(c.Admitted), fmt.Sprint(c.Central), fmt.Sprintf("%+d", c.Admitted-c.Central), fmt.Sprintf("%.2f", c.Excess),
		})
	}
	return report.Part{
		Title: "Clients", Table: t,
		Note: fmt.Sprintf("Of %d clients, those whose numbers differ most from the central limiter's, in units.", r.Accuracy.ClientCount),
	}
}

func (r *Result) happenedTable() report.Part {
	t := &report.Table{Head: []string{"at", "event", ""}, Left: 3}
	for _, h := range r.Happened {
		t.Rows = append(t.Rows, []string{h.At.Round(time.Millisecond).String(), h.Name, h.Error})
	}
	return report.Part{Title: "Events", Table: t}
}
