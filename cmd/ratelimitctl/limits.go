package main

import (
	"context"
	"flag"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/cmd/internal/output"
)

func runLimits(ctx context.Context, args []string, stdout, _ io.Writer) error {
	f := newFlags("limits", "[list | get NAME | set NAME -limit N -window W | delete NAME] [flags]", stdout)
	a := newAPI(f)
	var format output.Format
	var window windowFlag
	limit := f.Int64("limit", 0, "set: units for each window")
	f.Var(&window, "window", "set: a number of seconds, or a duration like 1m30s")
	burst := f.Int64("burst", 0, "set: the most units at once (default: the limit)")
	overshoot := f.Float64("max-overshoot", 0, "set: share of the burst by which nodes may typically overshoot together (default 0.1)")
	isolation := f.String("on-isolation", "", "set: keep, share, open or closed, while nodes cannot hear each other (default keep)")
	f.Var(&format, "o", "output `FORMAT`, text or json (default text)")
	words, err := f.parse(args, 0, 2)
	if err != nil {
		return err
	}
	verb, name, err := limitsVerb(words)
	if err != nil {
		return err
	}
	fields := map[string]any{
		"limit": *limit, "window": time.Duration(window).String(), "burst": *burst,
		"max_overshoot": *overshoot, "on_isolation": *isolation,
	}
	given := map[string]any{} // all else is left to the daemon's defaults
	f.Visit(func(set *flag.Flag) {
		field := strings.ReplaceAll(set.Name, "-", "_")
		if value, ok := fields[field]; ok {
			given[field] = value
			if verb != "set" {
				err = usagef("-%s is for set", set.Name)
			}
		}
	})
	if err != nil {
		return err
	}
	path := "/v1/limits/" + url.PathEscape(name)
	switch verb {
	case "list":
		return ask(ctx, a, http.MethodGet, "/v1/limits", nil, format, stdout)
	case "get":
		return ask(ctx, a, http.MethodGet, path, nil, format, stdout)
	case "delete":
		return ask(ctx, a, http.MethodDelete, path, nil, format, stdout)
	}
	for _, field := range []string{"limit", "window"} {
		if given[field] == nil {
			return usagef("-%s is missing: a limit has no default", field)
		}
	}
	return ask(ctx, a, http.MethodPut, path, given, format, stdout)
}

// limitsVerb is what to do, and to which limit.
func limitsVerb(words []string) (verb, name string, err error) {
	verb = "list"
	if len(words) > 0 {
		verb = words[0]
	}
	switch {
	case !slices.Contains([]string{"list", "get", "set", "delete"}, verb):
		return "", "", usagef("%q is not understood: list, get, set or delete", verb)
	case verb == "list" && len(words) > 1:
		return "", "", usagef("unexpected argument %q", words[1])
	case verb == "list":
		return verb, "", nil
	case len(words) < 2 || words[1] == "":
		return "", "", usagef("the limit's name is missing: %s NAME", verb)
	}
	return verb, words[1], nil
}

// ask prints what a path answers. body may be nil.
func ask(ctx context.Context, a *api, method, path string, body any, format output.Format, stdout io.Writer) error {
	if err := a.open(); err != nil {
		return err
	}
	got, err := a.call(ctx, method, path, body)
	if err != nil {
		return err
	}
	return printAnswer(stdout, format, got)
}
