package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/cmd/internal/output"
)

func shadow(c *call) action {
	c.daemon()
	return func(ctx context.Context) error {
		var got struct {
			Limits map[string]shadowReport `json:"limits"`
		}
		return c.report(ctx, "/v1/shadow", &got, func(w io.Writer) error {
			if len(got.Limits) == 0 {
				_, err := fmt.Fprintln(w, "no limit is a shadow")
				return err
			}
			for i, name := range slices.Sorted(maps.Keys(got.Limits)) {
				if i > 0 {
					say(w, "\n")
				}
				r := got.Limits[name]
				if err := r.print(w, name); err != nil {
					return err
				}
			}
			return nil
		})
	}
}

// shadowReport has the denials that one shadow limit would have made.
type shadowReport struct {
	Checked uint64  `json:"checked"`
	Denied  uint64  `json:"would_deny"`
	Percent float64 `json:"percent"`
	Clients []struct {
		Client  string `json:"client"`
		Denied  uint64 `json:"would_deny_units"`
		Allowed uint64 `json:"allowed_units"`
	} `json:"clients"`
	ByOverride map[string]struct {
		Checked uint64 `json:"checked"`
		Denied  uint64 `json:"would_deny"`
	} `json:"by_override"`
}

func (r *shadowReport) print(w io.Writer, name string) error {
	var t output.Table
	t.Row(fmt.Sprintf("%s would have denied %.4g %% (%d of %d) of what this node decided since its start", name, r.Percent, r.Denied, r.Checked))
	for _, name := range slices.Sorted(maps.Keys(r.ByOverride)) {
		o := r.ByOverride[name]
		t.Row(fmt.Sprintf("  of override %s: %d of %d", name, o.Denied, o.Checked))
	}
	if err := t.Print(w); err != nil || len(r.Clients) == 0 {
		return err
	}
	t.Row("CLIENT", "UNITS DENIED", "UNITS ALLOWED")
	for _, c := range r.Clients {
		t.Row(c.Client, c.Denied, c.Allowed)
	}
	return t.Print(w)
}
