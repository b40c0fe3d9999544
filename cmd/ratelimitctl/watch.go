package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/cmd/internal/output"
)

// watch is "limits watch": it looks at the limits every so often, and prints what is
// another than before.
type watch struct {
	interval *time.Duration
	count    *int
}

// newWatch adds the flags. That they are for watch is told by their usage.
func newWatch(f *flags) *watch {
	return &watch{
		interval: f.Duration("interval", time.Second, "watch: how often to look; of changes that follow each other faster the last one shows"),
		count:    f.Int("n", 0, "watch: end after so many changes (default never)"),
	}
}

// limitChange is one limit before and after; null is none of that name.
type limitChange struct {
	Time time.Time       `json:"time"`
	Name string          `json:"name"`
	Old  json.RawMessage `json:"old"`
	New  json.RawMessage `json:"new"`
}

// run prints changes until ctx is done. A daemon that was there once may go away and
// come back.
func (w *watch) run(ctx context.Context, a *api, name string, format output.Format, stdout, stderr io.Writer) error {
	if *w.interval <= 0 {
		return usagef("-interval %v: must be above 0", *w.interval)
	}
	if *w.count < 0 {
		return usagef("-n %d: must be 1 or more", *w.count)
	}
	if err := a.open(); err != nil {
		return err
	}
	before, err := documents(ctx, a, name)
	if err != nil {
		return err
	}
	tick := time.NewTicker(*w.interval)
	defer tick.Stop()
	away, printed := false, 0
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		now, err := documents(ctx, a, name)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil && !away:
			say(stderr, "ratelimitctl limits: %v; it is asked on\n", err)
		case err == nil && away:
			say(stderr, "ratelimitctl limits: %s answers again\n", a.addr)
		}
		if away = err != nil; away {
			continue
		}
		changes := changesOf(before, now)
		if len(changes) > 0 {
			since(ctx, a, changes)
		}
		for _, c := range changes {
			if err := c.print(stdout, format); err != nil {
				return err
			}
			if printed++; printed == *w.count {
				return nil
			}
		}
		before = now
	}
}

// documents are the limits as documents, or the one of that name if there is one.
func documents(ctx context.Context, a *api, name string) (map[string]json.RawMessage, error) {
	got, err := a.call(ctx, http.MethodGet, "/v1/limits", nil)
	if err != nil {
		return nil, err
	}
	var all struct{ Limits map[string]json.RawMessage }
	if err := json.Unmarshal(got.body, &all); err != nil {
		return nil, fmt.Errorf("the answer is not understood: %w", err)
	}
	if name != "" {
		maps.DeleteFunc(all.Limits, func(other string, _ json.RawMessage) bool { return other != name })
	}
	return all.Limits, nil
}

// changesOf compares limits, in the order of their names.
func changesOf(before, now map[string]json.RawMessage) []limitChange {
	names := maps.Clone(before)
	if names == nil {
		names = map[string]json.RawMessage{}
	}
	maps.Copy(names, now)
	var out []limitChange
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if !bytes.Equal(before[name], now[name]) {
			out = append(out, limitChange{Time: time.Now(), Name: name, Old: before[name], New: now[name]})
		}
	}
	return out
}

// since puts the time at which each change took effect, where the daemon knows it, in
// place of that at which it was seen.
func since(ctx context.Context, a *api, changes []limitChange) {
	got, err := a.call(ctx, http.MethodGet, "/v1/status", nil)
	if err != nil {
		return
	}
	limits, err := limitsOf(got.body)
	if err != nil {
		return
	}
	for i := range changes {
		at := slices.IndexFunc(limits, func(l limit) bool { return l.name == changes[i].Name })
		if at >= 0 && limits[at].Since != nil && changes[i].New != nil {
			changes[i].Time = *limits[at].Since
		}
	}
}

func (c *limitChange) print(w io.Writer, format output.Format) error {
	c.Time = c.Time.UTC()
	if format == output.JSON {
		e := json.NewEncoder(w)
		e.SetEscapeHTML(false)
		return e.Encode(c)
	}
	var t output.Table
	t.Row(c.Time.Format("2006-01-02T15:04:05.000Z"), c.Name, c.what())
	return t.Print(w)
}

// what says what is new, or all of a limit that was not there before, or is not any
// more.
func (c *limitChange) what() string {
	switch {
	case c.Old == nil:
		return "new: " + c.fields(c.New)
	case c.New == nil:
		return "gone: " + c.fields(c.Old)
	}
	was, is := members(c.Old), members(c.New)
	names := maps.Clone(was)
	maps.Copy(names, is)
	var parts []string
	for _, name := range fieldOrder(names) {
		before, now := fieldText(name, was[name]), fieldText(name, is[name])
		switch {
		case bytes.Equal(was[name], is[name]):
		case before == now:
			parts = append(parts, name+" changed, still "+now)
		default:
			parts = append(parts, name+" "+before+" -> "+now)
		}
	}
	return strings.Join(parts, ", ")
}

func (c *limitChange) fields(document json.RawMessage) string {
	m := members(document)
	var parts []string
	for _, name := range fieldOrder(m) {
		parts = append(parts, name+" "+fieldText(name, m[name]))
	}
	return strings.Join(parts, ", ")
}

func members(document json.RawMessage) map[string]json.RawMessage {
	var m map[string]json.RawMessage
	_ = json.Unmarshal(document, &m) // an object, or it would not have been read
	return m
}

// fieldOrder sorts names, the most telling ones first.
func fieldOrder(m map[string]json.RawMessage) []string {
	first := []string{"block", "unlimited", "limit", "window", "burst"}
	names := slices.Sorted(maps.Keys(m))
	slices.SortStableFunc(names, func(x, y string) int {
		at := func(name string) int {
			if i := slices.Index(first, name); i >= 0 {
				return i
			}
			return len(first)
		}
		return at(x) - at(y)
	})
	return names
}

// fieldText is the value of a field on one line, of a list how long it is.
func fieldText(name string, value json.RawMessage) string {
	var list []json.RawMessage
	var text string
	switch {
	case value == nil:
		return "-"
	case name == "window":
		return windowText(value)
	case json.Unmarshal(value, &list) == nil:
		return fmt.Sprint(len(list))
	case json.Unmarshal(value, &text) == nil:
		return text
	default:
		return string(value)
	}
}
