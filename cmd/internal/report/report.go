// Package report writes a report as one HTML page with charts. The page holds all that it needs,
// its numbers included: it opens from disk, asks no network for anything, and follows the
// reader's light or dark scheme.
package report

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"html/template"
	"io"
	"math"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/dashboard/uplot"
)

// Page is a report.
type Page struct {
	Title string
	Lead  []string // sentences below the title
	Facts []Fact   // the figures that matter most
	Parts []Part
	Data  any // what the page offers for download as JSON
}

// Fact is one figure.
type Fact struct {
	Name, Value string
	Bad         bool // the reader has to look at it
}

// Part is a chart or a table under a title. One of both is set.
type Part struct {
	Title string
	Note  string // one or two sentences
	Chart *Chart
	Table *Table
}

// Table has a head and rows. The cells of all columns but the first Left ones are numbers.
type Table struct {
	Head []string
	Rows [][]string
	Left int
}

// Chart is lines over one axis.
type Chart struct {
	X     []float64 // ascending
	XUnit string    // "s": seconds after the start; "time": unix seconds; otherwise the label of the axis
	Y     string    // label, with the unit
	Log   bool      // logarithmic; nearly straight below 1 if a line has 0 or less
	LogX  bool      // the axis too; X is above 0 then
	Lines []Line
	Marks []Mark
}

// Line has one value for each of the chart's X. NaN and infinity are gaps.
type Line struct {
	Name  string
	Style Style
	Y     []float64
}

// Mark is something that happened at X.
type Mark struct {
	X    float64 `json:"x"`
	Text string  `json:"text"`
}

// Style tells lines apart in light and dark schemes, and without colours too.
type Style string

// The styles.
const (
	Strong Style = "strong" // the line that the chart is about
	Good   Style = "good"
	Bad    Style = "bad"
	Light  Style = "light" // a line to compare it with
	Bound  Style = "bound" // dashed
)

// MarshalJSON writes a line for the script: a gap is null.
func (l Line) MarshalJSON() ([]byte, error) {
	values := make([]*float64, len(l.Y))
	for i := range l.Y {
		if v := l.Y[i]; !math.IsNaN(v) && !math.IsInf(v, 0) {
			values[i] = &v
		}
	}
	return json.Marshal(map[string]any{"name": l.Name, "style": l.Style, "y": values})
}

var (
	//go:embed page.html
	pageText string
	//go:embed page.css
	pageCSS string
	//go:embed page.js
	pageScript string

	pageTemplate = template.Must(template.New("page").Parse(pageText))
)

// Write writes the page. The error says what is wrong with a chart, or is the writer's.
func (p *Page) Write(w io.Writer) error {
	for i := range p.Parts {
		if c := p.Parts[i].Chart; c != nil {
			if err := c.validate(); err != nil {
				return fmt.Errorf("report: %s: %w", p.Parts[i].Title, err)
			}
		}
	}
	return pageTemplate.Execute(w, struct {
		*Page
		Style           template.CSS
		Library, Script template.JS
		Licence         string
	}{
		p, template.CSS(string(uplot.CSS) + pageCSS), template.JS(uplot.Script), template.JS(pageScript), string(uplot.Licence), //nolint:gosec // the project's own files
	})
}

func (c *Chart) validate() error {
	for i, x := range c.X {
		if math.IsNaN(x) || math.IsInf(x, 0) || i > 0 && x <= c.X[i-1] {
			return fmt.Errorf("the values of the axis must ascend: %v comes after %v", x, c.X[max(0, i-1)])
		}
	}
	for _, l := range c.Lines {
		if len(l.Y) != len(c.X) {
			return fmt.Errorf("line %q has %d values for %d of the axis", l.Name, len(l.Y), len(c.X))
		}
	}
	return nil
}
