package browser

import (
	"encoding/json"
	"net/url"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// tool builds ratelimitctl.
func tool(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "ratelimitctl")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", file, "./cmd/ratelimitctl")
	build.Dir = "../.."
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return file
}

// reports runs ratelimitctl for reports of each kind. They are files, by kind.
func reports(t *testing.T) map[string]string {
	t.Helper()
	dir, ctl := t.TempDir(), tool(t)
	files := map[string]string{}
	for kind, args := range map[string][]string{
		"bench": {
			"bench", "-nodes", "3", "-policy", "200/10s", "-clients", "4", "-dist", "zipf", "-rate", "400", "-duration", "4s",
			"-set", "1s=100/10s", "-kill", "2s=2",
		},
		"replay": {"replay", "-lines", "3000", "-limit", "20"},
		"sweep":  {"sim", "-duration", "2s", "-seeds", "1", "-sweep", "flush=1ms,20ms,200ms"},
	} {
		files[kind] = filepath.Join(dir, kind+".html")
		if out, err := exec.CommandContext(t.Context(), ctl, append(args, "-html", files[kind])...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %v\n%s", args, err, out)
		}
	}
	return files
}

// colours counts the different colours that a chart's canvas has.
const colours = `(() => {
  const c = document.querySelectorAll('figure.chart canvas')[INDEX];
  const copy = new OffscreenCanvas(c.width, c.height).getContext('2d', {willReadFrequently: true});
  copy.drawImage(c, 0, 0);
  const d = copy.getImageData(0, 0, c.width, c.height).data, seen = new Set();
  for (let i = 0; i < d.length; i += 4) if (d[i+3] === 255) seen.add(d[i] + ',' + d[i+1] + ',' + d[i+2]);
  return seen.size;
})()`

// TestReportsOpenFromDisk opens the pages that ratelimitctl writes as files, without a server. They
// draw all charts, ask nobody for anything, and complain of nothing.
func TestReportsOpenFromDisk(t *testing.T) {
	for kind, file := range reports(t) {
		t.Run(kind, func(t *testing.T) {
			p := open(t)
			address := (&url.URL{Scheme: "file", Path: file}).String()
			p.do(chromedp.Navigate(address))
			charts := map[string]int{"bench": 4, "replay": 1, "sweep": 2}[kind]
			if n := eval[int](p, `[...document.querySelectorAll('figure.chart')].filter(f => f.plotted).length`); n != charts {
				t.Fatalf("%d charts are drawn, want %d", n, charts)
			}
			for i := range charts {
				script := indexed(colours, i)
				light := eval[int](p, script)
				if light < 4 {
					t.Errorf("chart %d has %d colours, so it has no lines", i, light)
				}
			}
			p.followsThePointer()
			p.theme("dark")
			p.wait("the charts follow the dark scheme", `document.querySelectorAll('figure.chart .uplot').length === `+indexed("INDEX", charts)+` && getComputedStyle(document.body).backgroundColor === 'rgb(13, 17, 23)'`)
			if eval[int](p, indexed(colours, 0)) < 4 {
				t.Error("the first chart is gone in the dark scheme")
			}
			p.picture("report-"+kind+"-dark", true)
			p.theme("light")
			p.picture("report-"+kind, true)
			p.do(chromedp.EmulateViewport(320, 700))
			p.wait("the charts fit into 320 pixels", `document.querySelector('figure.chart .uplot').getBoundingClientRect().width <= 320`)
			if wide := eval[int](p, `document.documentElement.scrollWidth`); wide > 320 {
				t.Errorf("the page is %d pixels wide on a phone", wide)
			}
			p.mu.Lock()
			defer p.mu.Unlock()
			for _, line := range p.console {
				t.Errorf("the console has %q", line)
			}
			if len(p.requests) == 0 {
				t.Error("the test does not see requests")
			}
			for _, r := range p.requests {
				if r != address && r != "data:," {
					t.Errorf("the page asks %s", r)
				}
			}
		})
	}
}

// followsThePointer moves the pointer over the first chart. Its legend then shows the values there.
func (p *page) followsThePointer() {
	p.t.Helper()
	const legend = `document.querySelector('figure.chart .u-legend').innerText`
	before := eval[string](p, legend)
	move := func(share string) string {
		eval[bool](p, `(() => {
		  const over = document.querySelector('figure.chart .u-over'), r = over.getBoundingClientRect();
		  over.dispatchEvent(new MouseEvent('mousemove', {clientX: r.left + r.width * `+share+`, clientY: r.top + r.height / 2, bubbles: true}));
		  return true;
		})()`)
		p.wait("the legend shows values", legend+` !== `+quoted(before))
		before = eval[string](p, legend)
		return before
	}
	if first, second := move("0.3"), move("0.8"); first == second {
		p.t.Errorf("the legend stays %q", first)
	}
}

func indexed(script string, i int) string {
	return strings.ReplaceAll(script, "INDEX", strconv.Itoa(i))
}

func quoted(s string) string {
	text, _ := json.Marshal(s) // a string
	return string(text)
}
