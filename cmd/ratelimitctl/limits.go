package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/cmd/internal/output"
)

// limitVerbs are what limits does, with how many names each needs and takes.
var limitVerbs = []struct {
	name        string
	least, most int
}{
	{"list", 0, 0}, {"get", 1, 1}, {"set", 1, 1}, {"delete", 1, 1}, {"watch", 0, 1},
}

func runLimits(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	f := newFlags("limits", "[list | get NAME | set NAME FIELDS | set NAME -f FILE | delete NAME | watch [NAME]] [flags]", stdout)
	a := newAPI(f)
	var format output.Format
	fields := newLimitFields(f)
	changes := newWatch(f)
	f.Var(&format, "o", "output `FORMAT`, text or json (default text)")
	words, err := f.parse(args, 0, 2)
	if err != nil {
		return err
	}
	verb, name, err := limitsVerb(words)
	if err != nil {
		return err
	}
	f.Visit(func(set *flag.Flag) {
		if of, _, _ := strings.Cut(set.Usage, ": "); (of == "set" || of == "watch") && of != verb {
			err = errors.Join(err, fmt.Errorf("-%s is for %s", set.Name, of))
		}
	})
	if err != nil {
		return usageError{err}
	}
	path := "/v1/limits/" + url.PathEscape(name)
	switch verb {
	case "list":
		return listLimits(ctx, a, format, stdout)
	case "get":
		return ask(ctx, a, http.MethodGet, path, nil, format, stdout)
	case "delete":
		return ask(ctx, a, http.MethodDelete, path, nil, format, stdout)
	case "watch":
		return changes.run(ctx, a, name, format, stdout, stderr)
	}
	body, err := fields.body(f)
	if err != nil {
		return err
	}
	return ask(ctx, a, http.MethodPut, path, body, format, stdout)
}

// limitsVerb is what to do, and to which limit; "" is all of them.
func limitsVerb(words []string) (verb, name string, err error) {
	if len(words) == 0 {
		return "list", "", nil
	}
	verb, words = words[0], words[1:]
	names := make([]string, len(limitVerbs))
	for i, v := range limitVerbs {
		names[i] = v.name
	}
	i := slices.Index(names, verb)
	switch {
	case i < 0:
		last := len(names) - 1
		return "", "", usagef("%q is not understood: %s or %s", verb, strings.Join(names[:last], ", "), names[last])
	case len(words) < limitVerbs[i].least, len(words) > 0 && words[0] == "":
		return "", "", usagef("the limit's name is missing: %s NAME", verb)
	case len(words) > limitVerbs[i].most:
		return "", "", usagef("unexpected argument %q", words[limitVerbs[i].most])
	case len(words) == 0:
		return verb, "", nil
	}
	return verb, words[0], nil
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

// listLimits prints all limits. Where each is from is in the status alone.
func listLimits(ctx context.Context, a *api, format output.Format, stdout io.Writer) error {
	if format == output.JSON {
		return ask(ctx, a, http.MethodGet, "/v1/limits", nil, format, stdout)
	}
	return report(ctx, a, "/v1/status", format, stdout, printList)
}

func printList(body []byte, w io.Writer) error {
	limits, err := limitsOf(body)
	if err != nil {
		return err
	}
	var t output.Table
	t.Row("NAME", "LIMIT", "WINDOW", "BURST", "ALGORITHM", "FROM", "OVERRIDES", "SHADOW")
	for _, l := range limits {
		t.Row(l.name, l.quota(), l.window(), l.burst(), l.algorithm(), l.from(), len(l.Overrides), yes(l.Shadow))
	}
	return t.Print(w)
}
