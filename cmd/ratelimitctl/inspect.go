package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/cmd/internal/build"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/cmd/internal/output"
)

func health(c *call) action {
	c.daemon()
	live := false
	c.Add(&live, "live", "ask only whether the process lives, not whether it is ready")
	return func(ctx context.Context) error {
		if live {
			return c.health(ctx, "/livez", "live")
		}
		return c.health(ctx, "/readyz", "ready")
	}
}

func (c *call) health(ctx context.Context, path, word string) error {
	_, err := c.api.call(ctx, http.MethodGet, path, nil)
	health := struct {
		Addr   string `json:"addr"`
		OK     bool   `json:"ok"`
		Detail string `json:"detail,omitempty"`
	}{c.api.addr, err == nil, ""}
	if err != nil {
		health.Detail = err.Error()
		if c.format != output.JSON {
			return fmt.Errorf("not %s: %w", word, err)
		}
	}
	printed := c.format.Print(c.stdout, health, func(w io.Writer) error {
		_, err := fmt.Fprintln(w, word)
		return err
	})
	return errors.Join(err, printed)
}

func version(c *call) action { return func(context.Context) error { return c.version() } }

func (c *call) version() error {
	b := build.Read()
	v := struct {
		Version  string `json:"version"`
		Revision string `json:"revision"`
		Go       string `json:"go"`
		Platform string `json:"platform"`
	}{b.Version, b.Revision, b.Go, runtime.GOOS + "/" + runtime.GOARCH}
	return c.format.Print(c.stdout, v, func(w io.Writer) error {
		_, err := fmt.Fprintln(w, "ratelimitctl", v.Version, v.Revision, v.Go, v.Platform)
		return err
	})
}
