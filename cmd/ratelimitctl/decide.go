package main

import (
	"context"
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

// limitFlag adds the flag -limit. Without it the call names no limit: a daemon that has no
// limit "default" then answers with the names of those that it has.
func (c *call) limitFlag() *string {
	limit := ""
	c.Add(&limit, "limit", "`NAME` of the limit (default "+node.DefaultLimit+", if the daemon has it)")
	c.api.limit = &limit
	return &limit
}

// query is the query about a client under a limit, "" for the default one.
func query(client, limit string) url.Values {
	q := url.Values{}
	for name, value := range map[string]string{"client": client, "limit": limit} {
		if value != "" {
			q.Set(name, value)
		}
	}
	return q
}

func peek(c *call) action {
	c.daemon()
	limit := c.limitFlag()
	cost := int64(1)
	c.Add(&cost, "cost", "units that a take would ask for")
	return func(ctx context.Context) error {
		q := query(c.args[0], *limit)
		q.Set("cost", strconv.FormatInt(cost, 10))
		return c.ask(ctx, http.MethodGet, "/v1/peek?"+q.Encode(), nil)
	}
}

func reset(c *call) action {
	c.daemon()
	limit := c.limitFlag()
	return func(ctx context.Context) error {
		body := map[string]any{"client": c.args[0]}
		if *limit != "" {
			body["limit"] = *limit
		}
		return c.ask(ctx, http.MethodPost, "/v1/reset", body)
	}
}
