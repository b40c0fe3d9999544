package main

import (
	"context"
	"net/http"
)

func charge(c *call) action {
	c.daemon()
	q := newCost(c, "units that were used")
	return func(ctx context.Context) error {
		return c.ask(ctx, http.MethodPost, "/v1/charge", q.body(c.args[0]))
	}
}
