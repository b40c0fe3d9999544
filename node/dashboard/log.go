package dashboard

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	// logHeld caps the entries of the log. Raising it takes memory, at most 2 kB for each.
	logHeld = 300
	// logValue caps the bytes of one value.
	logValue = 300
)

// Log holds the last entries of the log at level Info and above, which tell what changed: limits
// with old and new value and by whom, nodes that come and go, degradations, reloads. Nodes and
// doors name no client in them. Make one with NewLog. Safe for concurrent use.
type Log struct {
	mu      sync.Mutex
	entries []entry // oldest first
	seq     uint64
}

// entry is one line of the log.
type entry struct {
	Seq   uint64      `json:"seq"`
	At    int64       `json:"at_ms"` // unix milliseconds, of the last time
	Level string      `json:"level"` // info, warn or error
	Text  string      `json:"text"`
	Attrs [][2]string `json:"attrs"`
	Times int         `json:"times"` // in a row
}

// NewLog makes an empty log.
func NewLog() *Log { return &Log{} }

// Handler is a handler that adds to the log what is at Info or above, and hands on to next, nil
// for nobody, what next is enabled for.
func (l *Log) Handler(next slog.Handler) slog.Handler {
	if next == nil {
		next = slog.DiscardHandler
	}
	return &logHandler{log: l, next: next}
}

func (l *Log) add(e entry) {
	l.mu.Lock()
	defer l.mu.Unlock()
	e.Times = 1
	if n := len(l.entries); n > 0 {
		last := &l.entries[n-1]
		if last.Text == e.Text && last.Level == e.Level && slices.Equal(last.Attrs, e.Attrs) {
			e.Times = last.Times + 1
			l.entries = l.entries[:n-1]
		}
	}
	l.seq++
	e.Seq = l.seq
	l.entries = keepLast(append(l.entries, e), logHeld)
}

// since lists the entries after number seq, oldest first.
func (l *Log) since(seq uint64) []entry {
	l.mu.Lock()
	defer l.mu.Unlock()
	out := []entry{}
	for _, e := range l.entries {
		if e.Seq > seq {
			out = append(out, e)
		}
	}
	return out
}

type logHandler struct {
	log    *Log
	next   slog.Handler
	attrs  [][2]string
	prefix string // of the open groups
}

// Enabled implements slog.Handler.
func (h *logHandler) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= slog.LevelInfo || h.next.Enabled(ctx, level)
}

// Handle implements slog.Handler.
func (h *logHandler) Handle(ctx context.Context, r slog.Record) error {
	if r.Level >= slog.LevelInfo {
		e := entry{At: r.Time.UnixMilli(), Level: levelName(r.Level), Text: cut(r.Message), Attrs: slices.Clone(h.attrs)}
		r.Attrs(func(a slog.Attr) bool {
			e.Attrs = appendAttr(e.Attrs, h.prefix, a)
			return true
		})
		h.log.add(e)
	}
	if !h.next.Enabled(ctx, r.Level) {
		return nil
	}
	return h.next.Handle(ctx, r)
}

// WithAttrs implements slog.Handler.
func (h *logHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	out := *h
	out.next, out.attrs = h.next.WithAttrs(attrs), slices.Clone(h.attrs)
	for _, a := range attrs {
		out.attrs = appendAttr(out.attrs, h.prefix, a)
	}
	return &out
}

// WithGroup implements slog.Handler.
func (h *logHandler) WithGroup(name string) slog.Handler {
	out := *h
	out.next = h.next.WithGroup(name)
	if name != "" {
		out.prefix += name + "."
	}
	return &out
}

func appendAttr(to [][2]string, prefix string, a slog.Attr) [][2]string {
	v := a.Value.Resolve()
	if v.Kind() == slog.KindGroup {
		if a.Key != "" {
			prefix += a.Key + "."
		}
		for _, one := range v.Group() {
			to = appendAttr(to, prefix, one)
		}
		return to
	}
	if a.Equal(slog.Attr{}) {
		return to
	}
	text := v.String()
	if v.Kind() == slog.KindTime {
		text = v.Time().UTC().Format(time.RFC3339Nano)
	}
	return append(to, [2]string{prefix + a.Key, cut(text)})
}

func cut(text string) string {
	if len(text) > logValue {
		text = strings.ToValidUTF8(text[:logValue], "") + "…"
	}
	return text
}

func levelName(l slog.Level) string {
	switch {
	case l >= slog.LevelError:
		return "error"
	case l >= slog.LevelWarn:
		return "warn"
	}
	return "info"
}
