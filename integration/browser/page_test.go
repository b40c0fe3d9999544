package browser

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
)

// page is a tab that shows a member's dashboard, or a report.
type page struct {
	t   *testing.T
	ctx context.Context //nolint:containedctx // the tab lives in it

	mu       sync.Mutex
	console  []string // errors and warnings
	requests []string // URLs
	tolerant bool     // of what a browser logs when a server is gone
}

// open opens an empty tab in a browser of its own, and records what it asks for and complains of.
func open(t *testing.T) *page {
	t.Helper()
	ctx, cancel := chromedp.NewContext(context.Background(), chromedp.WithAllocatorOptions(chromedp.NoSandbox, chromedp.Headless))
	t.Cleanup(cancel)
	p := &page{t: t, ctx: ctx}
	if err := chromedp.Do(ctx, chromedp.EmulateViewport(1280, 900)); err != nil {
		t.Fatalf("no browser: %v", err)
	}
	if _, err := chromedp.Call(ctx, network.Enable, network.EnableParams{}); err != nil {
		t.Fatal(err)
	}
	messages, requests := chromedp.Console(ctx), chromedp.Events(ctx, network.RequestWillBeSent)
	var readers sync.WaitGroup
	readers.Go(func() {
		for m, err := range messages {
			if err != nil {
				return
			}
			if typ := string(m.Type); typ != "log" && typ != "debug" && typ != "info" {
				p.mu.Lock()
				p.console = append(p.console, fmt.Sprintf("%s: %s %s", typ, m.Text, m.URL))
				p.mu.Unlock()
			}
		}
	})
	readers.Go(func() {
		for e, err := range requests {
			if err != nil {
				return
			}
			p.mu.Lock()
			p.requests = append(p.requests, e.Request.URL)
			p.mu.Unlock()
		}
	})
	t.Cleanup(func() {
		cancel()
		readers.Wait()
	})
	return p
}

// show opens the dashboard of a member, and waits for the first event.
func show(t *testing.T, m *member) *page {
	t.Helper()
	p := open(t)
	if err := chromedp.Do(p.ctx, chromedp.Navigate(m.url())); err != nil {
		t.Fatal(err)
	}
	p.wait("the page is not live", `document.querySelector('#link').dataset.state === 'live'`)
	t.Cleanup(func() { p.clean(m) })
	return p
}

// clean fails the test if the page complained or asked somebody else.
func (p *page) clean(m *member) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, line := range p.console {
		if !p.tolerant || !strings.Contains(line, "net::ERR_") {
			p.t.Errorf("the console has %q", line)
		}
	}
	if len(p.requests) < 5 {
		p.t.Errorf("the page made %d requests: the test does not see them", len(p.requests))
	}
	for _, r := range p.requests {
		if u, err := url.Parse(r); err != nil || u.Host != m.address {
			p.t.Errorf("the page asks %s", r)
		}
	}
}

func (p *page) do(actions ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, time.Minute)
	defer cancel()
	if err := chromedp.Do(ctx, actions...); err != nil {
		p.t.Fatal(err)
	}
}

// eval is the value of an expression in the page.
func eval[T any](p *page, expression string) T {
	p.t.Helper()
	v, err := chromedp.Run(p.ctx, chromedp.Evaluate[T](expression))
	if err != nil {
		p.t.Fatalf("%s: %v", expression, err)
	}
	return v
}

func (p *page) text(selector string) string {
	p.t.Helper()
	return eval[string](p, fmt.Sprintf(`document.querySelector(%q).innerText`, selector))
}

// wait waits until an expression is true.
func (p *page) wait(what, expression string) {
	p.t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for !eval[bool](p, "Boolean("+expression+")") {
		if time.Now().After(deadline) {
			p.t.Fatalf("%s: %s does not hold; the page says:\n%s\n%s", what, expression, p.text("main"), eval[string](p, `[...document.querySelectorAll('dialog[open]')].map(d => d.innerText + JSON.stringify([...d.querySelectorAll('input')].map(i => i.value))).join('\n')`))
		}
		time.Sleep(50 * time.Millisecond) // between two looks
	}
}

// theme makes the browser prefer light or dark pages.
func (p *page) theme(name string) {
	p.t.Helper()
	features := []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: name}, {Name: "prefers-reduced-motion", Value: "reduce"}}
	if _, err := chromedp.Call(p.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: features}); err != nil {
		p.t.Fatal(err)
	}
}

// picture writes a screenshot of the whole page, or of what the viewport shows, into the folder
// that SCREENSHOTS names. Without one it only takes it.
func (p *page) picture(name string, whole bool) {
	p.t.Helper()
	shot := chromedp.CaptureScreenshot()
	if whole {
		shot = chromedp.FullScreenshot(100)
	}
	png, err := chromedp.Run(p.ctx, shot)
	if err != nil {
		p.t.Fatal(err)
	}
	folder := os.Getenv("SCREENSHOTS")
	if folder == "" {
		return
	}
	//nolint:gosec // it is a picture for a document
	if err := os.WriteFile(filepath.Join(folder, name+".png"), png, 0o644); err != nil {
		p.t.Fatal(err)
	}
}
