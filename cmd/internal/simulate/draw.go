package simulate

import (
	"bytes"
	"errors"
	"fmt"
	"html/template"
	"io"
	"math"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/cmd/internal/chart"
)

// SVG writes the sweep as a picture.
func (s *Sweep) SVG(w io.Writer) error { return s.chart().SVG(w) }

// HTML writes the sweep as a page with the picture and the table.
func (s *Sweep) HTML(w io.Writer) error {
	var picture, table bytes.Buffer
	if err := errors.Join(s.SVG(&picture), s.Print(&table)); err != nil {
		return err
	}
	return sweepPage.Execute(w, struct {
		Parameter, Table string
		Picture          template.HTML
	}{s.Parameter, table.String(), template.HTML(picture.String())}) //nolint:gosec // the chart escapes what it is given
}

var sweepPage = template.Must(template.New("sweep").Parse(`<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Error bound over {{.Parameter}}</title>
<style>
:root { color-scheme: light dark }
body { max-width: 800px; margin: 2em auto; padding: 0 1em; background: Canvas; color: CanvasText }
svg { width: 100%; height: auto }
pre { overflow-x: auto; font-size: 12px }
</style>
{{.Picture}}
<pre>{{.Table}}</pre>
</html>
`))

func (s *Sweep) chart() *chart.Chart {
	x := chart.Axis{Label: parameters[s.Parameter].label}
	lines := map[string][]float64{}
	add := func(name string, v float64) { lines[name] = append(lines[name], v) }
	for i := range s.Points {
		p := &s.Points[i]
		x.Values = append(x.Values, p.X)
		x.Names = append(x.Names, number(p.X))
		add("max", p.EMax)
		add("median", p.EMedian)
		add("ceiling", p.Ceiling)
		if p.Bound > 0 {
			add("bound", p.Bound)
		} else {
			add("bound", math.NaN())
		}
		add("messages", p.Messages)
	}
	sc := &s.Base
	return &chart.Chart{
		Title: "How far beyond the limit can one client get?",
		Subtitle: []string{
			describeCluster(sc, s.Parameter) + "; limit " + describePolicy(sc.Policy, s.Parameter),
			fmt.Sprintf("%s; %s for each point", describeLoad(sc, s.Parameter), plural(s.Seeds, "seed")),
		},
		X: x,
		Panels: []chart.Panel{
			{Label: "over-admission E, units", Height: 2.4, Lines: []chart.Line{
				{Name: "bound for any load", Style: chart.Bound, Y: lines["ceiling"]},
				{Name: "bound for this load", Style: chart.Fine, Y: lines["bound"]},
				{Name: "measured, median", Style: chart.Light, Y: lines["median"]},
				{Name: "measured, largest", Style: chart.Strong, Y: lines["max"]},
			}},
			{Label: "messages per second, all nodes", Height: 1, Lines: []chart.Line{
				{Name: "messages", Style: chart.Strong, Y: lines["messages"]},
			}},
		},
	}
}

func number(v float64) string { return fmt.Sprintf("%.6g", v) }
