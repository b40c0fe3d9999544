package main

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/cmd/internal/output"
)

// nothingHeld stands for a token if a request passed and took nothing, as for unlimited clients.
// commit and cancel take it and do nothing, so that scripts need no case for it.
const nothingHeld = "-"

func reserve(c *call) action {
	c.daemon()
	q := newRequest(c, "units to take, and to settle later")
	var hold time.Duration
	c.Add(&hold, "for", "time in which it can be settled; after that all of it stays taken (default 1m)")
	return func(ctx context.Context) error {
		if hold < 0 {
			return usagef("-for %v: must be above 0", hold)
		}
		body := q.body(c.args[0])
		if hold > 0 {
			body["timeout"] = hold.Seconds()
		}
		got, err := c.decide(ctx, "/v1/reserve", body)
		if err != nil {
			return err
		}
		if c.format == output.JSON {
			return c.print(got)
		}
		made := struct{ Reservation string }{}
		if err := understand(got.body, &made); err != nil {
			return err
		}
		if made.Reservation == "" {
			made.Reservation = nothingHeld
		}
		var line output.Table // which replaces control characters
		line.Row(made.Reservation)
		return line.Print(c.stdout)
	}
}

func commit(c *call) action {
	c.daemon()
	return func(ctx context.Context) error {
		actual, err := strconv.ParseInt(c.args[1], 10, 64)
		if err != nil || actual < 0 {
			return usagef("N %q: must be the units that were used, 0 or more", c.args[1])
		}
		return settle(ctx, c, "/v1/commit", map[string]any{"reservation": c.args[0], "actual": actual})
	}
}

func cancel(c *call) action {
	c.daemon()
	return func(ctx context.Context) error {
		return settle(ctx, c, "/v1/cancel", map[string]any{"reservation": c.args[0]})
	}
}

func settle(ctx context.Context, c *call, path string, body any) error {
	got := answer{http.StatusOK, []byte(`{"settled":true}`)}
	switch c.args[0] {
	case "":
		return usagef("TOKEN must not be empty: reserve prints it")
	case nothingHeld:
	default:
		var err error
		if got, err = c.api.call(ctx, http.MethodPost, path, body); err != nil {
			return err
		}
	}
	if err := c.print(got); err != nil {
		return err
	}
	if got.status == http.StatusAccepted {
		return errors.New("not confirmed yet: the node that made the reservation has not answered; the daemon keeps asking it. Repeat the command to see: that is safe")
	}
	return nil
}
