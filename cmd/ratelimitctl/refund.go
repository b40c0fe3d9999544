package main

import (
	"context"
	"net/http"
)

func refund(c *call) action {
	c.daemon()
	limit, cost := c.limitFlag(), int64(1)
	c.Add(&cost, "cost", "units to give back at most")
	return func(ctx context.Context) error {
		return c.ask(ctx, http.MethodPost, "/v1/refund", map[string]any{"client": c.args[0], "limit": *limit, "cost": cost})
	}
}
