package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/cmd/internal/output"
)

func top(c *call) action {
	c.daemon()
	limit := c.limitFlag()
	return func(ctx context.Context) error {
		return c.ask(ctx, http.MethodGet, "/v1/top?"+url.Values{"limit": {*limit}}.Encode(), nil)
	}
}

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
	v := struct {
		Version  string `json:"version"`
		Revision string `json:"revision,omitempty"`
		Go       string `json:"go"`
		Platform string `json:"platform"`
	}{"unknown", "", runtime.Version(), runtime.GOOS + "/" + runtime.GOARCH}
	if info, ok := debug.ReadBuildInfo(); ok {
		v.Version = info.Main.Version
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				v.Revision = s.Value
			}
		}
	}
	return c.format.Print(c.stdout, v, func(w io.Writer) error {
		words := []string{"ratelimitctl", v.Version, v.Revision, v.Go, v.Platform}
		words = slices.DeleteFunc(words, func(s string) bool { return s == "" })
		_, err := fmt.Fprintln(w, strings.Join(words, " "))
		return err
	})
}
