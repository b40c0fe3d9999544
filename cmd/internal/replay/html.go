package replay

import (
	"fmt"
	"io"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/cmd/internal/report"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/limit"
)

// HTML writes the result as a page with charts.
func (r *Result) HTML(w io.Writer) error {
	p := report.Page{
		Title: "What a limit would have done",
		Lead: []string{
			fmt.Sprintf("%d requests of %d clients, from %s to %s; %d unreadable lines.", r.Requests, r.Clients, r.From.Format(time.RFC3339), r.To.Format(time.RFC3339), r.BadLines),
			fmt.Sprintf("Limit: %s, for each client address, on %d nodes.", r.Policy, r.Nodes),
		},
		Facts: []report.Fact{
			{Name: "denied", Value: fmt.Sprint(r.Cluster.Denied)},
			{Name: "of all requests", Value: fmt.Sprintf("%.2g %%", 100*float64(r.Cluster.Denied)/float64(r.Requests))},
			{Name: "clients denied", Value: fmt.Sprint(r.Cluster.ClientsLimited)},
			{Name: "denied by one central limiter", Value: fmt.Sprint(r.Central.Denied)},
			{Name: "E, units", Value: fmt.Sprintf("%.2f", r.Excess)},
			{Name: "bound, units", Value: fmt.Sprintf("%.2f", r.Bound)},
		},
		Data: r,
	}
	for _, bad := range r.BadSamples {
		p.Lead = append(p.Lead, "Unreadable: "+bad.String())
	}
	p.Parts = append(p.Parts, r.when())
	if len(r.Top) > 0 {
		p.Parts = append(p.Parts, r.who())
	}
	if len(r.Proposals) > 0 {
		p.Parts = append(p.Parts, r.choices())
	}
	return p.Write(w)
}

func (r *Result) when() report.Part {
	c := &report.Chart{XUnit: "time", Y: "requests in " + limit.Span(time.Duration(r.StepMS*float64(time.Millisecond)))}
	admitted := report.Line{Name: "admitted", Style: report.Good}
	denied := report.Line{Name: "denied", Style: report.Bad}
	central := report.Line{Name: "one central limiter would deny", Style: report.Bound}
	for _, p := range r.Timeline {
		c.X = append(c.X, float64(p.At)/1e9)
		admitted.Y = append(admitted.Y, float64(p.Admitted))
		denied.Y = append(denied.Y, float64(p.Denied))
		central.Y = append(central.Y, float64(p.CentralDenied))
	}
	c.Lines = []report.Line{admitted, denied, central}
	return report.Part{Title: "When", Chart: c}
}

func (r *Result) who() report.Part {
	t := &report.Table{Head: []string{"client", "first denied", "last denied", "requests", "denied", "by central", "E"}, Left: 3}
	for i := range r.Top {
		d := &r.Top[i]
		t.Rows = append(t.Rows, []string{
			d.Client, when(d.First), when(d.Last), fmt.Sprint(d.Requests), fmt.Sprint(d.Denied), fmt.Sprint(d.CentralDenied), fmt.Sprintf("%.2f", d.Excess),
		})
	}
	return report.Part{Title: "Who", Note: fmt.Sprintf("The clients that were denied most, of %d.", max(r.Cluster.ClientsLimited, len(r.Top))), Table: t}
}

func (r *Result) choices() report.Part {
	t := &report.Table{Head: []string{"window", "never met by", "limit", "denies", "of clients", "most denied", fmt.Sprintf("%d nodes at most", r.Nodes)}, Left: 2}
	for i := range r.Proposals {
		p := &r.Proposals[i]
		t.Rows = append(t.Rows, []string{
			p.window(), fmt.Sprintf("%v %%", p.Percent), fmt.Sprint(p.Limit), r.share(p.Denied), fmt.Sprint(p.Clients), p.most(), fmt.Sprintf("%.0f more", p.Bound),
		})
	}
	return report.Part{
		Title: "Limits to choose from", Table: t,
		Note: "For each window, the smallest limit that the given share of the clients never meets, and what it would have denied to the others. The burst is the limit.",
	}
}
