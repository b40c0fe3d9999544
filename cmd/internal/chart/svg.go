package chart

import (
	"bytes"
	"cmp"
	"encoding/xml"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
)

const (
	width, height = 800, 450

	left   = 60  // before the panels, for the numbers
	right  = 640 // where the panels end and the lines' names begin
	top    = 98  // below title and subtitle
	bottom = 398 // above the axis's names and label
	gap    = 34  // between panels, for the lower one's label
	row    = 15  // between lines of text
)

// style follows the reader's light or dark scheme. Lines also differ by dash and width, for
// readers who do not see colours. The name of a line has the line's colour.
const style = `
text{font:12px system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif;fill:currentColor}
svg{color:#57606a}.paper{color:#fff;fill:currentColor}.label{color:#1f2328}.title{color:#1f2328;font-size:16px;font-weight:600}
line{stroke:currentColor}.grid{color:#d8dee4}.axis{color:#8c959f}
circle{fill:currentColor}polyline{stroke:currentColor;fill:none;stroke-width:1.75;stroke-linejoin:round}
.strong{color:#0969da}.light{color:#218bff}.bound{color:#cf222e}.fine{color:#9a6700}
polyline.strong{stroke-width:2.5}polyline.bound{stroke-dasharray:7 4}polyline.fine{stroke-dasharray:2 3}
@media (prefers-color-scheme:dark){
svg{color:#9198a1}.paper{color:#0d1117}.title,.label{color:#f0f6fc}.grid{color:#262c36}.axis{color:#656c76}
.strong{color:#4493f8}.light{color:#79c0ff}.bound{color:#f85149}.fine{color:#d29922}
}
`

// SVG writes the picture. The error says what is wrong with the chart, or is the writer's.
func (c *Chart) SVG(w io.Writer) error {
	if err := c.validate(); err != nil {
		return err
	}
	p := &pen{}
	p.add(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" role="img" aria-label="%s">`, width, height, escape(c.Title))
	p.add("<style>%s</style>", style)
	p.add(`<rect class="paper" width="%d" height="%d"/>`, width, height)
	p.text(16, 28, "title", "", c.Title)
	for i, line := range c.Subtitle {
		p.text(16, float64(48+i*row), "", "", line)
	}
	x := c.X.horizontal(left+12, right-12)
	shares := 0.0
	for i := range c.Panels {
		shares += c.Panels[i].Height
	}
	y, room := float64(top), float64(bottom-top-gap*(len(c.Panels)-1))
	for i := range c.Panels {
		end := y + room*c.Panels[i].Height/shares
		p.panel(&c.Panels[i], c.X.Values, x, y, end)
		y = end + gap
	}
	p.names(&c.X, x)
	p.add("</svg>")
	_, err := w.Write(p.Bytes())
	return err
}

// pen collects elements.
type pen struct{ bytes.Buffer }

func (p *pen) add(format string, args ...any) { _, _ = fmt.Fprintf(p, format+"\n", args...) }

// text puts text at a place; anchor is "", "middle" or "end".
func (p *pen) text(x, y float64, class, anchor, text string) {
	attributes := ""
	if class != "" {
		attributes += ` class="` + class + `"`
	}
	if anchor != "" {
		attributes += ` text-anchor="` + anchor + `"`
	}
	p.add(`<text x="%.1f" y="%.1f"%s>%s</text>`, x, y, attributes, escape(text))
}

func (p *pen) line(class string, x1, y1, x2, y2 float64) {
	p.add(`<line class="%s" x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f"/>`, class, x1, y1, x2, y2)
}

// names labels the horizontal axis. It leaves out names that would touch.
func (p *pen) names(a *Axis, x scale) {
	const glyph = 7.2
	last := math.Inf(-1)
	for i, v := range a.Values {
		at := x.place(v)
		p.line("axis", at, bottom, at, bottom+4)
		if half := glyph * float64(len(a.Names[i])) / 2; at-half > last+4 {
			p.text(at, bottom+18, "", "middle", a.Names[i])
			last = at + half
		}
	}
	p.text((left+right)/2, height-12, "label", "middle", a.Label)
}

func (p *pen) panel(panel *Panel, values []float64, x scale, from, to float64) {
	y, marks, label := panel.vertical(to, from)
	p.text(16, from-10, "label", "", label)
	for _, v := range marks {
		class := "grid"
		if v == 0 {
			class = "axis"
		}
		p.line(class, left, y.place(v), right, y.place(v))
		p.text(left-8, y.place(v)+4, "", "end", number(v))
	}
	type end struct {
		at   float64
		line *Line
	}
	var ends []end
	for i := range panel.Lines {
		l := &panel.Lines[i]
		var points []string
		last := math.NaN()
		for j, v := range l.Y {
			if math.IsNaN(v) {
				continue
			}
			last = y.place(v)
			points = append(points, fmt.Sprintf("%.1f,%.1f", x.place(values[j]), last))
		}
		p.add(`<polyline class="%s" points="%s"/>`, l.Style, strings.Join(points, " "))
		for _, point := range points {
			cx, cy, _ := strings.Cut(point, ",")
			p.add(`<circle class="%s" cx="%s" cy="%s" r="2.5"/>`, l.Style, cx, cy)
		}
		if len(points) > 0 {
			ends = append(ends, end{last, l})
		}
	}
	// Each name stands where its line ends, but clear of the other names and inside the panel.
	slices.SortStableFunc(ends, func(a, b end) int { return cmp.Compare(a.at, b.at) })
	for i := range ends {
		ends[i].at = max(ends[i].at, from)
		if i > 0 {
			ends[i].at = max(ends[i].at, ends[i-1].at+row)
		}
	}
	for i := len(ends) - 1; i >= 0; i-- {
		limit := to
		if i < len(ends)-1 {
			limit = ends[i+1].at - row
		}
		ends[i].at = min(ends[i].at, limit)
		p.text(right+10, ends[i].at+4, string(ends[i].line.Style), "", ends[i].line.Name)
	}
}

// number is the text of a tick, with k and M for thousands and millions.
func number(v float64) string {
	unit := ""
	switch {
	case v >= 1e6:
		v, unit = v/1e6, "M"
	case v >= 1e4:
		v, unit = v/1e3, "k"
	}
	return strconv.FormatFloat(math.Round(v*1e6)/1e6, 'f', -1, 64) + unit
}

func escape(s string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(s)) // to memory
	return b.String()
}
