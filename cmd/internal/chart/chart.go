// Package chart draws a few lines over one parameter as a self-contained SVG of 800 by 450.
// It uses the reader's light or dark colours, and no fonts or scripts from elsewhere.
package chart

import (
	"errors"
	"fmt"
	"math"
)

// Chart is panels of lines, one above the other, over one horizontal axis.
type Chart struct {
	Title    string
	Subtitle []string // at most two lines
	X        Axis
	Panels   []Panel
}

// Axis is the horizontal axis.
type Axis struct {
	Label  string    // with the unit
	Values []float64 // ascending
	Names  []string  // the text at each of Values
}

// Panel is one vertical axis from 0 up, with the lines drawn on it. Values are not negative. If
// high lines would press the others flat against the bottom, the axis is logarithmic, and its
// label says so.
type Panel struct {
	Label  string  // with the unit
	Height float64 // share of the picture, relative to the other panels
	Lines  []Line
}

// Line has one value for each value of the axis. The drawing leaves out a NaN.
type Line struct {
	Name  string
	Style Style
	Y     []float64
}

// Style tells lines apart in light and dark schemes, and without colours too.
type Style string

// The styles.
const (
	Strong Style = "strong" // the line that the chart is about
	Light  Style = "light"  // a line to compare it with
	Bound  Style = "bound"  // dashed
	Fine   Style = "fine"   // dotted
)

const mostValues = 100

func (c *Chart) validate() error {
	if n := len(c.X.Values); n < 1 || n > mostValues || len(c.X.Names) != n {
		return fmt.Errorf("chart: %d values and %d names for the axis: must be as many, 1 to %d", n, len(c.X.Names), mostValues)
	}
	for i, v := range c.X.Values {
		if math.IsNaN(v) || math.IsInf(v, 0) || i > 0 && v <= c.X.Values[i-1] {
			return fmt.Errorf("chart: the axis's values must ascend: %v", c.X.Values)
		}
	}
	for i := range c.Panels {
		p := &c.Panels[i]
		if !(p.Height > 0) {
			return fmt.Errorf("chart: panel %q has no height", p.Label)
		}
		for _, l := range p.Lines {
			if len(l.Y) != len(c.X.Values) {
				return fmt.Errorf("chart: line %q has %d values for %d of the axis", l.Name, len(l.Y), len(c.X.Values))
			}
			for _, v := range l.Y {
				if v < 0 || math.IsInf(v, 0) {
					return fmt.Errorf("chart: line %q: %v cannot be drawn", l.Name, v)
				}
			}
		}
	}
	if len(c.Panels) == 0 {
		return errors.New("chart: no panel")
	}
	return nil
}

// scale maps values to coordinates.
type scale struct {
	low, high float64 // values
	from, to  float64 // places
	bend      func(float64) float64
}

func linear(v float64) float64 { return v }

func (s scale) place(v float64) float64 {
	v, low, high := s.bend(v), s.bend(s.low), s.bend(s.high)
	if high == low {
		return (s.from + s.to) / 2
	}
	return s.from + (v-low)/(high-low)*(s.to-s.from)
}

// horizontal is the scale of the axis. It is logarithmic if small values would crowd otherwise.
func (a *Axis) horizontal(from, to float64) scale {
	low, high := a.Values[0], a.Values[len(a.Values)-1]
	const wide = 15
	if low > 0 && high/low >= wide {
		return scale{low, high, from, to, math.Log}
	}
	return scale{low, high, from, to, linear}
}

// vertical returns the panel's scale from 0 up, the values to mark on it, and its label.
func (p *Panel) vertical(from, to float64) (s scale, marks []float64, label string) {
	const (
		flat    = 0.1 // of the height
		between = 40
	)
	most, least := 0.0, math.Inf(1) // of the lines' highest points
	for _, l := range p.Lines {
		high := 0.0
		for _, v := range l.Y {
			if !math.IsNaN(v) {
				high = max(high, v)
			}
		}
		most, least = max(most, high), min(least, high)
	}
	if most < 10 || least > flat*most {
		marks = ticks(most, max(2, int((from-to)/between)))
		return scale{0, marks[len(marks)-1], from, to, linear}, marks, p.Label
	}
	// Log1p shows 0, too.
	s = scale{0, most * 1.1, from, to, math.Log1p}
	marks = []float64{0}
	for decade := 1.0; decade <= s.high; decade *= 10 {
		marks = append(marks, decade)
		if 3*decade <= s.high {
			marks = append(marks, 3*decade)
		}
	}
	return s, marks, p.Label + " (logarithmic)"
}

// ticks returns about n round values, from 0 to at least most.
func ticks(most float64, n int) []float64 {
	if !(most > 0) || math.IsInf(most, 0) {
		most = 1
	}
	step := math.Pow(10, math.Floor(math.Log10(most/float64(n))))
	for _, factor := range []float64{1, 2, 2.5, 5, 10} {
		if step*factor*float64(n) >= most {
			step *= factor
			break
		}
	}
	out := []float64{0}
	for out[len(out)-1] < most*(1-1e-9) {
		out = append(out, float64(len(out))*step)
	}
	return out
}
