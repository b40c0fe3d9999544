package browser

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/heapprofiler"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// hurried is a dashboard whose stream goes on as fast as the page reads: an hour takes seconds. It
// repeats an event of a real one, later each time, with a line of the log in each.
type hurried struct {
	http.Handler
	event string
	sent  atomic.Int64
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
	server := &http.Server{Handler: h} //nolint:gosec // a test
	fast := &member{name: m.name, address: m.address}
	_ = m.server.Close()
	c.serve(t, fast, server)
	p := show(t, fast)
	heap := func(after string) float64 {
		t.Helper()
		p.wait("the stream does not come", after)
		if _, err := chromedp.Call(p.ctx, heapprofiler.CollectGarbage, cdp.Empty{}); err != nil {
			t.Fatal(err)
		}
		use, err := chromedp.Call(p.ctx, runtime.GetHeapUsage, cdp.Empty{})
		if err != nil {
			t.Fatal(err)
		}
		return use.UsedSize
	}
	shown := func(n int) string {
		return fmt.Sprintf(`Number(document.querySelector('#log b')?.innerText.match(/Event (\d+)/)?.[1]) > %d`, n)
	}
	early := heap(shown(700)) // the history is full
	late := heap(shown(3600))
	t.Logf("%.1f MB after 700 events, %.1f MB after %d", early/1e6, late/1e6, h.sent.Load())
	if late > early*1.3+1e6 {
		t.Errorf("%.1f MB became %.1f MB", early/1e6, late/1e6)
	}
}
