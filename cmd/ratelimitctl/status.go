package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/cmd/internal/output"
)

func status(c *call) action {
	c.daemon()
	return func(ctx context.Context) error {
		var body json.RawMessage
		return c.report(ctx, "/v1/status", &body, func(w io.Writer) error { return printStatus(body, w) })
	}
}

// tabled are the members of a status that are printed as tables of their own: limits have
// members that would fill a table's cells, and a bound that is not known has to say so.
var tabled = map[string]func(body []byte, w io.Writer) error{"limits": printLimits, "bound": printBounds}

// printStatus prints the members of a status as they come, but some as tables of their own.
func printStatus(body []byte, w io.Writer) error {
	d := json.NewDecoder(bytes.NewReader(body))
	if start, err := d.Token(); err != nil || start != json.Delim('{') {
		return errors.New("the answer is not understood: it is no JSON object")
	}
	var part bytes.Buffer
	some := false
	flush := func() error {
		if part.Len() == 0 {
			return nil
		}
		part.WriteByte('}')
		if some {
			if _, err := fmt.Fprintln(w); err != nil {
				return err
			}
		}
		some = true
		defer part.Reset()
		return output.Tree(w, part.Bytes())
	}
	for d.More() {
		name, err := d.Token()
		var value json.RawMessage
		if err = errors.Join(err, d.Decode(&value)); err != nil {
			return fmt.Errorf("the answer is not understood: %w", err)
		}
		if show, is := tabled[fmt.Sprint(name)]; is {
			if err := flush(); err != nil {
				return err
			}
			if some {
				if _, err := fmt.Fprintln(w); err != nil {
					return err
				}
			}
			some = true
			if err := show(body, w); err != nil {
				return err
			}
			continue
		}
		lead := byte(',')
		if part.Len() == 0 {
			lead = '{'
		}
		part.WriteByte(lead)
		quoted, _ := json.Marshal(name) // a string
		part.Write(quoted)
		part.WriteByte(':')
		part.Write(value)
	}
	return flush()
}

// printBounds lists by how much the limits can have been exceeded.
func printBounds(body []byte, w io.Writer) error {
	var all struct {
		Bound map[string]struct {
			Units    *float64 `json:"units"`
			Expected *float64 `json:"expected"`
			Observed uint64   `json:"observed_units"`
			Peak     uint64   `json:"observed_peak_units"`
		} `json:"bound"`
	}
	if err := json.Unmarshal(body, &all); err != nil {
		return fmt.Errorf("the answer is not understood: %w", err)
	}
	units := func(x *float64) string {
		if x == nil {
			return "unknown"
		}
		return fmt.Sprintf("%.1f", *x)
	}
	if _, err := fmt.Fprintln(w, "error bound, units"); err != nil {
		return err
	}
	var t output.Table
	t.Row("LIMIT", "AT MOST", "EXPECTED", "SEEN", "SEEN AT ONCE")
	for _, name := range slices.Sorted(maps.Keys(all.Bound)) {
		b := all.Bound[name]
		t.Row(name, units(b.Units), units(b.Expected), b.Observed, b.Peak)
	}
	return t.Print(w)
}

func printLimits(body []byte, w io.Writer) error {
	limits, err := limitsOf(body)
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintln(w, "limits"); err != nil {
		return err
	}
	var t output.Table
	t.Row("NAME", "LIMIT", "WINDOW", "BURST", "ALGORITHM", "FROM", "SINCE", "ALLOWED", "DENIED", "WOULD DENY", "OVERRIDES")
	for _, l := range limits {
		since, would := "-", "-"
		if l.Since != nil {
			since = l.Since.UTC().Format("2006-01-02T15:04:05Z")
		}
		if l.Shadow {
			would = fmt.Sprint(l.WouldDeny)
		}
		t.Row(l.name, l.quota(), l.window(), l.burst(), l.algorithm(), l.from(), since, l.Allowed, l.Denied, would, l.overrides())
	}
	return t.Print(w)
}
