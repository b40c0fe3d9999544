package browser

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/heapprofiler"
	"github.com/chromedp/cdproto/memory"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// hurried is a dashboard whose stream goes on as fast as the page reads: an hour takes seconds. It
// repeats an event of a real one, later each time, with a line of the log in each. It stops at most, so
// that no events wait in the page while its memory is measured.
type hurried struct {
	http.Handler
	event      string
	sent, most atomic.Int64
}

func (h *hurried) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != "/v1/events" {
		h.Handler.ServeHTTP(w, r)
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	var tick map[string]any
	if json.Unmarshal([]byte(h.event), &tick) != nil {
		return
	}
	node, points := tick["node"].(map[string]any), tick["points"].(map[string]any)
	for name, column := range points {
		points[name] = column.([]any)[:1]
	}
	now := node["now_ms"].(float64)
	for r.Context().Err() == nil {
		if h.sent.Load() >= h.most.Load() {
			time.Sleep(time.Millisecond)
			continue
		}
		n := h.sent.Add(1)
		node["now_ms"], tick["reset"] = now+1e3*float64(n), n == 1
		points["at_ms"] = []float64{now + 1e3*float64(n)}
		tick["log"] = []any{map[string]any{"seq": n, "at_ms": now + 1e3*float64(n), "level": "info", "text": fmt.Sprint("event ", n), "times": 1, "attrs": [][]string{{"limit", "default"}}}}
		text, err := json.Marshal(tick)
		if err != nil {
			return
		}
		if _, err := fmt.Fprintf(w, "event: tick\ndata: %s\n\n", text); err != nil {
			return
		}
		_ = http.NewResponseController(w).Flush()
	}
}

// firstEvent is the first event of a member's stream.
func firstEvent(t *testing.T, m *member) string {
	t.Helper()
	resp, err := http.Get(m.url() + "v1/events") //nolint:noctx // a test
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close() //nolint:errcheck // of what was read
	lines := bufio.NewReader(resp.Body)
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		if data, ok := strings.CutPrefix(line, "data: "); ok {
			return data
		}
	}
}

// A page that is open for an hour takes no more memory than one that is open for ten minutes.
func TestMemoryStaysFlat(t *testing.T) {
	c := start(t)
	m := c.members[0]
	h := &hurried{Handler: m.board, event: firstEvent(t, m)}
	h.most.Store(1)                    // a page is live with its first event
	server := &http.Server{Handler: h} //nolint:gosec // a test
	fast := &member{name: m.name, address: m.address}
	_ = m.server.Close()
	c.serve(t, fast, server)
	p := show(t, fast)
	after := func(n int) usage {
		h.most.Store(int64(n))
		p.wait("the stream does not come", fmt.Sprintf(`Number(document.querySelector('#log b')?.innerText.match(/Event (\d+)/)?.[1]) >= %d`, n))
		return p.usage()
	}
	early := after(700) // the history is full
	late := after(3600)
	t.Logf("%v after 700 events, %v after %d", early, late, h.sent.Load())
	late.noMoreThan(t, early)
}

// usage is what a page holds once its garbage is gone.
type usage struct {
	heap             float64 // bytes of the scripts' objects
	nodes, listeners int     // of the document
}

func (p *page) usage() usage {
	p.t.Helper()
	if _, err := chromedp.Call(p.ctx, heapprofiler.CollectGarbage, cdp.Empty{}); err != nil {
		p.t.Fatal(err)
	}
	heap, err := chromedp.Call(p.ctx, runtime.GetHeapUsage, cdp.Empty{})
	if err != nil {
		p.t.Fatal(err)
	}
	document, err := chromedp.Call(p.ctx, memory.GetDOMCounters, cdp.Empty{})
	if err != nil {
		p.t.Fatal(err)
	}
	return usage{heap.UsedSize, int(document.Nodes), int(document.JsEventListeners)}
}

// String implements fmt.Stringer.
func (u usage) String() string {
	return fmt.Sprintf("%.2f MB, %d nodes and %d listeners", u.heap/1e6, u.nodes, u.listeners)
}

// noMoreThan fails the test if a page holds more than before. The lists and the log of a page change
// their lengths, and Chromium its own caches: what is within these allowances does not add up.
func (u usage) noMoreThan(t *testing.T, before usage) {
	t.Helper()
	if u.heap > before.heap*1.3+1e6 || u.nodes > before.nodes*3/2+500 || u.listeners > before.listeners*3/2+50 {
		t.Errorf("%v became %v", before, u)
	}
}
