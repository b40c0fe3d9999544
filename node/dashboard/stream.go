package dashboard

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// MaxStreams caps the streams that run at once. Raising it lets more people look, and costs each a
// connection. Lowering it refuses people who look.
const MaxStreams = 64

const (
	// writeWithin is how long a reader may take for one event. Raising it lets readers that are
	// gone hold a stream for longer.
	writeWithin = 15 * time.Second
	// retryMS is what a browser waits before it connects again.
	retryMS = 2000
)

// serveEvents writes the stream of one reader.
func (d *Dashboard) serveEvents(w http.ResponseWriter, r *http.Request) {
	select {
	case d.streams <- struct{}{}:
		defer func() { <-d.streams }()
	default:
		w.Header().Set("Retry-After", "10")
		http.Error(w, "too many people look at this node: close other pages, or ask another node", http.StatusServiceUnavailable)
		return
	}
	control := http.NewResponseController(w)
	// The server's limits are for requests that end.
	_ = control.SetReadDeadline(time.Time{}) // not every server can
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Accel-Buffering", "no") // nginx
	if r.Method == http.MethodHead {
		return
	}
	from, limit := d.resume(r.Header.Get("Last-Event-ID")), r.URL.Query().Get("limit")
	if _, err := fmt.Fprintf(w, "retry: %d\n\n", retryMS); err != nil {
		return
	}
	for {
		t, woken := d.tick(limit, from)
		text, err := json.Marshal(t)
		if err != nil {
			return // it has no value that JSON lacks
		}
		_ = control.SetWriteDeadline(time.Now().Add(writeWithin)) // not every server can
		if _, err := fmt.Fprintf(w, "id: %s\nevent: tick\ndata: %s\n\n", t.to.id(d.incarnation()), text); err != nil {
			return
		}
		if err := control.Flush(); err != nil {
			return
		}
		from = t.to
		select {
		case <-r.Context().Done():
			return
		case <-d.closed:
			return
		case <-woken:
		}
	}
}

// cursor says what a reader has: the points and the entries of the log up to these numbers.
type cursor struct{ point, entry uint64 }

// id is the cursor as the id of an event. Another incarnation of the node has other numbers.
func (c cursor) id(incarnation string) string {
	return incarnation + "-" + strconv.FormatUint(c.point, 10) + "-" + strconv.FormatUint(c.entry, 10)
}

// resume reads the id of the last event that a reader has, the zero cursor if it is none of ours.
func (d *Dashboard) resume(id string) (c cursor) {
	parts := strings.Split(id, "-")
	if len(parts) != 3 || parts[0] != d.incarnation() {
		return cursor{}
	}
	point, err := strconv.ParseUint(parts[1], 10, 64)
	if err != nil {
		return cursor{}
	}
	if c.entry, err = strconv.ParseUint(parts[2], 10, 64); err != nil {
		return cursor{}
	}
	c.point = point
	return c
}

func (d *Dashboard) incarnation() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return incarnation(d.past.now.Replica)
}
