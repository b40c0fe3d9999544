package chart

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"math"
	"reflect"
	"strconv"
	"strings"
	"testing"
)

func example() *Chart {
	return &Chart{
		Title: "a < b & \"c\"", Subtitle: []string{"one", "<two>"},
		X: Axis{Label: "flush & co, ms", Values: []float64{1, 5, 20}, Names: []string{"1", "5", "20"}},
		Panels: []Panel{
			{Label: "E", Height: 2, Lines: []Line{
				{Name: "bound", Style: Bound, Y: []float64{200, 205, 210}},
				{Name: "max", Style: Strong, Y: []float64{0, 2, math.NaN()}},
				{Name: "median", Style: Light, Y: []float64{0, 1, 2}},
			}},
			{Label: "messages", Height: 1, Lines: []Line{{Name: "all", Style: Strong, Y: []float64{9, 8, 7}}}},
		},
	}
}

// element is what the tests look at.
type element struct {
	name, text string
	attributes map[string]string
}

// elements parses an SVG strictly.
func elements(t *testing.T, svg []byte) []element {
	t.Helper()
	var out []element
	d := xml.NewDecoder(bytes.NewReader(svg))
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatalf("%v in\n%s", err, svg)
		}
		switch token := token.(type) {
		case xml.StartElement:
			e := element{token.Name.Local, "", map[string]string{}}
			for _, a := range token.Attr {
				e.attributes[a.Name.Local] = a.Value
			}
			out = append(out, e)
		case xml.CharData:
			if len(out) > 0 {
				out[len(out)-1].text += strings.TrimSpace(string(token))
			}
		}
	}
}

func TestAPictureIsXMLWithAllTextInIt(t *testing.T) {
	var b bytes.Buffer
	if err := example().SVG(&b); err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{}
	points := 0
	for _, e := range elements(t, b.Bytes()) {
		found[e.text] = true
		if e.name == "circle" {
			points++
		}
	}
	for _, want := range []string{
		"a < b & \"c\"", "one", "<two>", "flush & co, ms", "1", "5", "20",
		"E (logarithmic)", "bound", "max", "median", "messages", "all",
	} {
		if !found[want] {
			t.Errorf("%q is not in the picture", want)
		}
	}
	if points != 11 {
		t.Errorf("%d points are drawn, want 11: four lines of three, one without its last", points)
	}
	if bytes.Contains(b.Bytes(), []byte("NaN")) {
		t.Errorf("NaN is in the picture:\n%s", &b)
	}
	if !bytes.Contains(b.Bytes(), []byte("prefers-color-scheme:dark")) {
		t.Error("the picture has no dark colours")
	}
}

func TestEverythingIsDrawnInside(t *testing.T) {
	c := example()
	c.Panels[0].Lines[0].Y = []float64{1e9, 0, 1e-9}
	var b bytes.Buffer
	if err := c.SVG(&b); err != nil {
		t.Fatal(err)
	}
	for _, e := range elements(t, b.Bytes()) {
		for name, size := range map[string]float64{"x": width, "y": height, "x1": width, "x2": width, "y1": height, "y2": height, "cx": width, "cy": height} {
			text, some := e.attributes[name]
			if v, err := strconv.ParseFloat(text, 64); some && (err != nil || v < 0 || v > size) {
				t.Errorf("%s %q stands at %s = %s", e.name, e.text, name, text)
			}
		}
	}
}

func TestNamesOfLinesDoNotTouch(t *testing.T) {
	c := example()
	c.Panels = c.Panels[:1]
	c.Panels[0].Lines = nil
	for _, name := range []string{"l1", "l2", "l3", "l4"} {
		c.Panels[0].Lines = append(c.Panels[0].Lines, Line{name, Strong, []float64{0, 0, 0}})
	}
	var b bytes.Buffer
	if err := c.SVG(&b); err != nil {
		t.Fatal(err)
	}
	last := 0.0
	count := 0
	for _, e := range elements(t, b.Bytes()) {
		if !strings.HasPrefix(e.text, "l") || len(e.text) != 2 {
			continue
		}
		y, err := strconv.ParseFloat(e.attributes["y"], 64)
		if err != nil {
			t.Fatal(err)
		}
		if count > 0 && math.Abs(y-last) < row-0.11 {
			t.Errorf("%s stands at %.1f, its neighbour at %.1f", e.text, y, last)
		}
		last = y
		count++
	}
	if count != 4 {
		t.Errorf("found %d names, want 4", count)
	}
}

func TestTicksAreRoundAndReachTheTop(t *testing.T) {
	for _, c := range []struct {
		most float64
		n    int
		want []float64
	}{
		{0, 4, []float64{0, 0.25, 0.5, 0.75, 1}},
		{1, 2, []float64{0, 0.5, 1}},
		{212, 4, []float64{0, 100, 200, 300}},
		{81, 2, []float64{0, 50, 100}},
		{4e6, 4, []float64{0, 1e6, 2e6, 3e6, 4e6}},
		{math.Inf(1), 2, []float64{0, 0.5, 1}},
	} {
		if got := ticks(c.most, c.n); !reflect.DeepEqual(got, c.want) {
			t.Errorf("up to %v in %d: got %v, want %v", c.most, c.n, got, c.want)
		}
	}
}

func TestAWrongChartIsRefused(t *testing.T) {
	for name, spoil := range map[string]func(*Chart){
		"no values":         func(c *Chart) { c.X.Values, c.X.Names = nil, nil },
		"a name too few":    func(c *Chart) { c.X.Names = c.X.Names[1:] },
		"values descend":    func(c *Chart) { c.X.Values[0] = 6 },
		"a value twice":     func(c *Chart) { c.X.Values[0] = 5 },
		"a value is NaN":    func(c *Chart) { c.X.Values[0] = math.NaN() },
		"no panel":          func(c *Chart) { c.Panels = nil },
		"no height":         func(c *Chart) { c.Panels[0].Height = 0 },
		"a line too short":  func(c *Chart) { c.Panels[0].Lines[0].Y = nil },
		"a negative value":  func(c *Chart) { c.Panels[0].Lines[0].Y[0] = -1 },
		"an infinite value": func(c *Chart) { c.Panels[0].Lines[0].Y[0] = math.Inf(1) },
	} {
		c := example()
		spoil(c)
		var b bytes.Buffer
		if err := c.SVG(&b); err == nil || b.Len() > 0 {
			t.Errorf("%s: error %v, %d bytes written", name, err, b.Len())
		}
	}
}
