package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"

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

// health prints whether the daemon is live or ready. Below that it prints each reason why the daemon
// is degraded, which it can be in either case.
func (c *call) health(ctx context.Context, path, word string) error {
	got, err := c.api.call(ctx, http.MethodGet, path, nil, http.StatusServiceUnavailable)
	verdict, degraded := readHealth(got.body)
	if why, not := strings.CutPrefix(verdict, "not "+word+": "); err == nil && got.status != http.StatusOK {
		if !not { // somebody else answers
			why = (&statusError{got.status, problem(got.body, "no answer of a ratelimitd")}).Error()
		}
		err = errors.New(why)
	}
	health := struct {
		Addr     string   `json:"addr"`
		OK       bool     `json:"ok"`
		Detail   string   `json:"detail,omitempty"`
		Degraded []string `json:"degraded,omitempty"`
	}{Addr: c.api.addr, OK: err == nil, Degraded: degraded}
	if err != nil {
		health.Detail = err.Error()
	}
	printed := c.format.Print(c.stdout, health, func(w io.Writer) error {
		var t output.Table
		if health.OK {
			t.Row(word)
		}
		for _, line := range degraded {
			t.Row(line)
		}
		return t.Print(w)
	})
	if err != nil && c.format != output.JSON {
		err = fmt.Errorf("not %s: %w", word, err)
	}
	return errors.Join(err, printed)
}

// readHealth reads an answer of /readyz: whether the node is ready, and the lines that say why it is
// degraded.
func readHealth(body []byte) (verdict string, degraded []string) {
	verdict, rest, _ := strings.Cut(string(body), "\n")
	for line := range strings.Lines(rest) {
		if strings.HasPrefix(line, "degraded by ") {
			degraded = append(degraded, strings.TrimSpace(line))
		}
	}
	return verdict, degraded
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
