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

// watch is "limits watch". It looks at the limits at an interval, and prints each change.
type watch struct {
	*call
	interval time.Duration
	count    int
	name     string // "" for all limits
}

func limitsWatch(c *call) action {
	c.daemon()
	w := &watch{call: c, interval: time.Second}
	c.Add(&w.interval, "interval", "how often to look; of several changes within it only the last one shows")
	c.Add(&w.count, "n", "end after so many changes (default never)")
	return func(ctx context.Context) error {
		if len(c.args) > 0 {
			w.name = c.args[0]
		}
		return w.run(ctx)
	}
}

// limitChange is one limit before and after a change. Old is null for a new limit, New
// for one that is gone.
type limitChange struct {
	Time time.Time       `json:"time"`
	Name string          `json:"name"`
	Old  json.RawMessage `json:"old"`
	New  json.RawMessage `json:"new"`
}

// run prints changes until ctx is done. The daemon has to answer the first time. After that it may
// go away and come back.
func (w *watch) run(ctx context.Context) error {
	switch {
	case w.interval <= 0:
		return usagef("-interval %v: must be above 0", w.interval)
	case w.count < 0:
		return usagef("-n %d: must be 1 or more", w.count)
	}
	before, err := w.documents(ctx)
	if err != nil {
		return err
	}
	tick := time.NewTicker(w.interval)
	defer tick.Stop()
	away, printed := false, 0
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		now, err := w.documents(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil && !away:
			say(w.stderr, "ratelimitctl limits watch: %v; asking again\n", err)
		case err == nil && away:
			say(w.stderr, "ratelimitctl limits watch: %s answers again\n", w.api.addr)
		}
		if away = err != nil; away {
			continue
		}
		changes := changesOf(before, now)
		if len(changes) > 0 {
			w.date(ctx, changes)
		}
		for _, c := range changes {
			if err := c.print(w.stdout, w.format); err != nil {
				return err
			}
			if printed++; printed == w.count {
				return nil
			}
		}
		before = now
	}
}

// documents returns the watched limits by name, as the daemon writes them.
func (w *watch) documents(ctx context.Context) (map[string]json.RawMessage, error) {
	got, err := w.api.call(ctx, http.MethodGet, "/v1/limits", nil)
	if err != nil {
		return nil, err
	}
	var all struct{ Limits map[string]json.RawMessage }
	if err := understand(got.body, &all); err != nil {
		return nil, err
	}
	if w.name != "" {
		maps.DeleteFunc(all.Limits, func(other string, _ json.RawMessage) bool { return other != w.name })
	}
	return all.Limits, nil
}

// changesOf compares limits, in the order of their names.
func changesOf(before, now map[string]json.RawMessage) []limitChange {
	names := map[string]json.RawMessage{}
	maps.Copy(names, before)
	maps.Copy(names, now)
	var out []limitChange
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if !bytes.Equal(before[name], now[name]) {
			out = append(out, limitChange{Time: time.Now(), Name: name, Old: before[name], New: now[name]})
		}
	}
	return out
}

// date gives each change the time at which it took effect, if the daemon knows that. The others
// keep the time at which watch saw them.
func (w *watch) date(ctx context.Context, changes []limitChange) {
	got, err := w.api.call(ctx, http.MethodGet, "/v1/status", nil)
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

// what lists the changed fields, or all fields of a limit that is new or gone.
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
	_ = json.Unmarshal(document, &m) // the daemon sent it as an object
	return m
}

// fieldOrder sorts names: the fields that matter most, then the others by name.
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

// fieldText writes the value of a field on one line, and the length instead of a list.
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
