//go:build pictures

// The pictures of the documents, which make screenshots takes anew.

package browser

import (
	"net/url"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// The picture at the top of the README. It shows a minute of load.
func TestThePictureOfTheReadme(t *testing.T) {
	c := start(t)
	p := show(t, c.members[0])
	p.do(chromedp.EmulateViewport(1280, 1150))
	time.Sleep(90 * time.Second) // what the picture shows
	p.wait("the page is not well", `document.querySelector('#health').dataset.state === 'healthy' && document.querySelectorAll('#clients li').length >= 4`)
	for _, theme := range []string{"light", "dark"} {
		p.theme(theme)
		time.Sleep(2 * time.Second) // the charts are drawn anew
		p.picture("dashboard-"+theme, false)
	}
}

// TestThePictureOfASweep takes the picture of docs/simulator.md, by the command that stands there.
func TestThePictureOfASweep(t *testing.T) {
	file := filepath.Join(t.TempDir(), "sweep.html")
	command := exec.CommandContext(t.Context(), tool(t), "sim", "-nodes", "5", "-load", "zipf", "-clients", "50", "-rate", "1000", "-duration", "60s",
		"-sweep", "flush=1ms,2ms,5ms,10ms,20ms,50ms,100ms,200ms", "-seeds", "10", "-html", file)
	if out, err := command.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	p := open(t)
	p.do(chromedp.EmulateViewport(960, 900), chromedp.Navigate((&url.URL{Scheme: "file", Path: file}).String()))
	p.theme("light")
	p.wait("the charts are drawn", `document.querySelectorAll('figure.chart .uplot').length === 2`)
	p.picture("sweep", false)
}
