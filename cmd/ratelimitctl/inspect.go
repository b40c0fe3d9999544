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
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
)

func runTop(ctx context.Context, args []string, stdout, _ io.Writer) error {
	f := newFlags("top", "[flags]", stdout)
	a := newAPI(f)
	var format output.Format
	limit := f.String("limit", node.DefaultLimit, "name of the limit")
	f.Var(&format, "o", "output `FORMAT`, text or json (default text)")
	if _, err := f.parse(args, 0, 0); err != nil {
		return err
	}
	query := url.Values{"limit": {*limit}}
	return ask(ctx, a, http.MethodGet, "/v1/top?"+query.Encode(), nil, format, stdout)
}

func runHealth(ctx context.Context, args []string, stdout, _ io.Writer) error {
	f := newFlags("health", "[flags]", stdout)
	a := newAPI(f)
	var format output.Format
	live := f.Bool("live", false, "ask only whether the process lives, not whether it is ready")
	f.Var(&format, "o", "output `FORMAT`, text or json (default text)")
	if _, err := f.parse(args, 0, 0); err != nil {
		return err
	}
	if err := a.open(); err != nil {
		return err
	}
	path, word := "/readyz", "ready"
	if *live {
		path, word = "/livez", "live"
	}
	_, err := a.call(ctx, http.MethodGet, path, nil)
	health := struct {
		Addr   string `json:"addr"`
		OK     bool   `json:"ok"`
		Detail string `json:"detail,omitempty"`
	}{a.addr, err == nil, ""}
	if err != nil {
		health.Detail = err.Error()
		if format != output.JSON {
			return fmt.Errorf("not %s: %w", word, err)
		}
	}
	printed := format.Print(stdout, health, func(w io.Writer) error {
		_, err := fmt.Fprintln(w, word)
		return err
	})
	return errors.Join(err, printed)
}

func runVersion(_ context.Context, args []string, stdout, _ io.Writer) error {
	f := newFlags("version", "[flags]", stdout)
	var format output.Format
	f.Var(&format, "o", "output `FORMAT`, text or json (default text)")
	if _, err := f.parse(args, 0, 0); err != nil {
		return err
	}
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
	return format.Print(stdout, v, func(w io.Writer) error {
		words := []string{"ratelimitctl", v.Version, v.Revision, v.Go, v.Platform}
		words = slices.DeleteFunc(words, func(s string) bool { return s == "" })
		_, err := fmt.Fprintln(w, strings.Join(words, " "))
		return err
	})
}
