package main

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/cmd/internal/output"
)

// askLimit prints what the daemon answers about the limit that the first argument names.
func (c *call) askLimit(ctx context.Context, method string, body any) error {
	if c.args[0] == "" {
		return usagef("NAME must not be empty")
	}
	c.api.limit = &c.args[0]
	return c.ask(ctx, method, "/v1/limits/"+url.PathEscape(c.args[0]), body)
}

func limitsGet(c *call) action {
	c.daemon()
	return func(ctx context.Context) error { return c.askLimit(ctx, http.MethodGet, nil) }
}

func limitsDelete(c *call) action {
	c.daemon()
	return func(ctx context.Context) error { return c.askLimit(ctx, http.MethodDelete, nil) }
}

func limitsSet(c *call) action {
	c.daemon()
	fields := newLimitFields(c)
	return func(ctx context.Context) error {
		body, err := fields.body(c.Given())
		if err != nil {
			return err
		}
		return c.askLimit(ctx, http.MethodPut, body)
	}
}

// limitsList prints all limits. Only the status says where each is from.
func limitsList(c *call) action {
	c.daemon()
	return func(ctx context.Context) error {
		if c.format == output.JSON {
			return c.ask(ctx, http.MethodGet, "/v1/limits", nil)
		}
		var body json.RawMessage
		return c.report(ctx, "/v1/status", &body, func(w io.Writer) error { return printList(body, w) })
	}
}

func printList(body []byte, w io.Writer) error {
	limits, err := limitsOf(body)
	if err != nil {
		return err
	}
	var t output.Table
	t.Row("NAME", "LIMIT", "WINDOW", "BURST", "ALGORITHM", "FROM", "OVERRIDES", "SHADOW")
	for _, l := range limits {
		t.Row(l.name, l.quota(), l.window(), l.burst(), l.algorithm(), l.from(), l.overrides(), yes(l.Shadow))
	}
	return t.Print(w)
}
