package simulate

import (
	"fmt"
	"io"
	"math"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/cmd/internal/report"
)

// HTML writes the sweep as a page with charts and the table.
func (s *Sweep) HTML(w io.Writer) error {
	sc := &s.Base
	excess, messages := s.chart("over-admission E, units"), s.chart("messages per second")
	add := func(c *report.Chart, name string, style report.Style, value func(p *Point) float64) {
		l := report.Line{Name: name, Style: style}
		for i := range s.Points {
			l.Y = append(l.Y, value(&s.Points[i]))
		}
		c.Lines = append(c.Lines, l)
	}
	add(excess, "bound for any load", report.Bound, func(p *Point) float64 { return p.Ceiling })
	add(excess, "bound for this load", report.Bad, func(p *Point) float64 {
		if p.Bound <= 0 {
			return math.NaN() // none holds
		}
		return p.Bound
	})
	add(excess, "measured, median", report.Light, func(p *Point) float64 { return p.EMedian })
	add(excess, "measured, largest", report.Strong, func(p *Point) float64 { return p.EMax })
	excess.Log = true
	add(messages, "messages", report.Strong, func(p *Point) float64 { return p.Messages })
	head, rows := s.table()
	page := report.Page{
		Title: "How far beyond the limit can one client get?",
		Lead: []string{
			describeCluster(sc, s.Parameter) + "; limit " + describePolicy(sc.Policy, s.Parameter) + ".",
			fmt.Sprintf("%s; faults: %s; %s for each point.", describeLoad(sc, s.Parameter), describeFaults(sc.Faults), plural(s.Seeds, "seed")),
		},
		Parts: []report.Part{
			{Title: "Error and bounds", Chart: excess},
			{Title: "Messages", Note: "Of all nodes together.", Chart: messages},
			{Title: "Figures", Table: &report.Table{Head: head, Rows: rows, Left: 1}},
		},
		Data: s,
	}
	return page.Write(w)
}

// chart is an empty chart over the parameter.
func (s *Sweep) chart(y string) *report.Chart {
	c := &report.Chart{XUnit: parameters[s.Parameter].label, Y: y}
	for i := range s.Points {
		c.X = append(c.X, s.Points[i].X)
	}
	// Small values would crowd on a straight axis that reaches far.
	const wide = 15
	c.LogX = c.X[0] > 0 && c.X[len(c.X)-1]/c.X[0] >= wide
	return c
}
