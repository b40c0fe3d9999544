package report

import (
	"bytes"
	"encoding/json"
	"math"
	"regexp"
	"strings"
	"testing"
)

func example() *Page {
	return &Page{
		Title: `A <b> & "quote"`,
		Lead:  []string{"One </script> sentence."},
		Facts: []Fact{{"E", "5 units", true}},
		Parts: []Part{
			{Title: "Lines", Chart: &Chart{
				X: []float64{0, 1, 2}, XUnit: "s", Y: "units",
				Lines: []Line{{"</script><script>alert(1)</script>", Strong, []float64{1, math.NaN(), math.Inf(1)}}},
				Marks: []Mark{{1, "killed"}},
			}},
			{Title: "Rows", Table: &Table{Head: []string{"client", "n"}, Rows: [][]string{{"<img src=x>", "5"}}, Left: 1}},
		},
		Data: map[string]string{"a": "</script>"},
	}
}

func TestAPageHoldsAllThatItNeeds(t *testing.T) {
	var b bytes.Buffer
	if err := example().Write(&b); err != nil {
		t.Fatal(err)
	}
	page := b.String()
	for _, text := range []string{"uPlot (v1.6.32)", "MIT License", "default-src &#39;none&#39;"} {
		if !strings.Contains(page, text) && !strings.Contains(page, strings.ReplaceAll(text, "&#39;", "'")) {
			t.Errorf("the page has no %q", text)
		}
	}
	if found := regexp.MustCompile(`(?:src|href)\s*=\s*["']?(?:https?:)?//`).FindString(page); found != "" {
		t.Errorf("the page asks for something: %s", found)
	}
	for _, text := range []string{"alert(1)</script>", "<img src=x>", "<b>"} {
		if strings.Contains(page, text) {
			t.Errorf("the page has %q, unescaped", text)
		}
	}
	if got, want := strings.Count(page, "<script"), strings.Count(page, "</script>"); got != want || got != 4 {
		t.Errorf("%d scripts begin, %d end", got, want)
	}
}

func TestAChartReachesTheScriptAsItIs(t *testing.T) {
	var b bytes.Buffer
	if err := example().Write(&b); err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(b.String(), `<figure class="chart"><script type="application/json">`)
	text, _, _ := strings.Cut(rest, "</script>")
	var c struct {
		X     []float64
		XUnit string
		Lines []struct {
			Name, Style string
			Y           []*float64
		}
		Marks []Mark
	}
	if err := json.Unmarshal([]byte(text), &c); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	l := c.Lines[0]
	if len(c.X) != 3 || c.XUnit != "s" || l.Name != "</script><script>alert(1)</script>" || l.Style != "strong" || *l.Y[0] != 1 || l.Y[1] != nil || l.Y[2] != nil || c.Marks[0].Text != "killed" {
		t.Errorf("%+v", c)
	}
}

func TestAWrongChartIsRefused(t *testing.T) {
	for name, spoil := range map[string]func(c *Chart){
		"descends":  func(c *Chart) { c.X[0] = 6 },
		"twice":     func(c *Chart) { c.X[0] = 1 },
		"NaN":       func(c *Chart) { c.X[0] = math.NaN() },
		"too short": func(c *Chart) { c.Lines[0].Y = nil },
	} {
		p := example()
		spoil(p.Parts[0].Chart)
		var b bytes.Buffer
		if err := p.Write(&b); err == nil || b.Len() > 0 || !strings.Contains(err.Error(), "Lines") {
			t.Errorf("%s: error %v, %d bytes written", name, err, b.Len())
		}
	}
}
