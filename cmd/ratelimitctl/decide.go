package main

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
)

func take(c *call) action {
	c.daemon()
	q := newRequest(c, "units to take")
	return func(ctx context.Context) error {
		got, err := c.decide(ctx, "/v1/take", q.body(c.args[0]))
		if err != nil {
			return err
		}
		return c.print(got)
	}
}

// limitFlag adds the flag -limit.
func (c *call) limitFlag() *string {
	limit := node.DefaultLimit
	c.Add(&limit, "limit", "`NAME` of the limit")
	c.api.limit = &limit
	return &limit
}

func peek(c *call) action {
	c.daemon()
	limit := c.limitFlag()
	cost := int64(1)
	c.Add(&cost, "cost", "units that a take would ask for")
	return func(ctx context.Context) error {
		query := url.Values{"client": {c.args[0]}, "limit": {*limit}, "cost": {strconv.FormatInt(cost, 10)}}
		return c.ask(ctx, http.MethodGet, "/v1/peek?"+query.Encode(), nil)
	}
}

func reset(c *call) action {
	c.daemon()
	limit := c.limitFlag()
	return func(ctx context.Context) error {
		got, err := c.api.call(ctx, http.MethodPost, "/v1/reset", map[string]any{"client": c.args[0], "limit": *limit})
		if err != nil {
			return err
		}
		if len(got.body) == 0 { // 204 of an older daemon, which says nothing
			got.body, _ = json.Marshal(map[string]any{"client": c.args[0], "limit": *limit, "reset": true})
		}
		return c.print(got)
	}
}
