package dashboard

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"testing"
	"testing/slogtest"
	"time"
)

func TestTheLogKeepsWhatIsAtInfoOrAbove(t *testing.T) {
	var out bytes.Buffer
	l := NewLog()
	log := slog.New(l.Handler(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelWarn})))
	log.Debug("debug")
	log.With("of", "n1").Info("limit set", "limit", "login", "old", "5 per 1m", "at", time.Unix(0, 0))
	log.Warn("twice", "n", 1)
	log.Warn("twice", "n", 1)
	got := l.since(0)
	if len(got) != 2 {
		t.Fatalf("got %+v", got)
	}
	want := [][2]string{{"of", "n1"}, {"limit", "login"}, {"old", "5 per 1m"}, {"at", "1970-01-01T00:00:00Z"}}
	if e := got[0]; e.Level != "info" || e.Text != "limit set" || !reflect.DeepEqual(e.Attrs, want) || e.Times != 1 {
		t.Errorf("got %+v", e)
	}
	if e := got[1]; e.Level != "warn" || e.Times != 2 || e.Seq != 3 {
		t.Errorf("got %+v", e)
	}
	if text := out.String(); strings.Count(text, "twice") != 2 || strings.Contains(text, "limit set") {
		t.Errorf("the next handler got %s", text)
	}
	if later := l.since(got[1].Seq); len(later) != 0 {
		t.Errorf("got %+v again", later)
	}
}

func TestTheLogIsBounded(t *testing.T) {
	l := NewLog()
	log := slog.New(l.Handler(nil))
	for i := range 2 * logHeld {
		log.Info(fmt.Sprint(i), "value", strings.Repeat("ä", 2*logValue))
	}
	got := l.since(0)
	if len(got) != logHeld || got[logHeld-1].Text != fmt.Sprint(2*logHeld-1) || len(got[0].Attrs[0][1]) > logValue+3 {
		t.Errorf("%d entries, the last %q, a value of %d bytes", len(got), got[len(got)-1].Text, len(got[0].Attrs[0][1]))
	}
}

// slogtest knows what a handler owes: groups, empty attributes, values that resolve themselves.
func TestTheLogIsAHandlerAsSlogWantsOne(t *testing.T) {
	var out bytes.Buffer
	l := NewLog()
	h := l.Handler(slog.NewTextHandler(&out, nil))
	err := slogtest.TestHandler(h, func() []map[string]any {
		var all []map[string]any
		for _, e := range l.since(0) {
			m := map[string]any{slog.LevelKey: e.Level, slog.MessageKey: e.Text, slog.TimeKey: time.UnixMilli(e.At)}
			if e.At < 0 || e.Text == "" {
				delete(m, slog.TimeKey)
			}
			for _, a := range e.Attrs {
				group := m
				path := strings.Split(a[0], ".")
				for _, name := range path[:len(path)-1] {
					inner, ok := group[name].(map[string]any)
					if !ok {
						inner = map[string]any{}
						group[name] = inner
					}
					group = inner
				}
				group[path[len(path)-1]] = a[1]
			}
			for range e.Times {
				all = append(all, m)
			}
		}
		return all
	})
	if err != nil {
		t.Error(err)
	}
	if h.Enabled(context.Background(), slog.LevelDebug) {
		t.Error("nobody wants debugging")
	}
}
