package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/cmd/internal/output"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
)

// printAnswer prints a JSON answer as the daemon gave it, whatever its fields are.
func printAnswer(stdout io.Writer, format output.Format, a answer) error {
	if !json.Valid(a.body) {
		return fmt.Errorf("the answer is not JSON: %s", problem(a.body, "empty"))
	}
	return format.Print(stdout, json.RawMessage(a.body), func(w io.Writer) error {
		return output.Tree(w, a.body)
	})
}

func runTake(ctx context.Context, args []string, stdout, _ io.Writer) error {
	f := newFlags("take", "CLIENT [flags]", stdout)
	a := newAPI(f)
	var format output.Format
	q := newRequest(f, "units to take")
	f.Var(&format, "o", "output `FORMAT`, text or json (default text)")
	client, err := f.parse(args, 1, 1)
	if err != nil {
		return err
	}
	if err := a.open(); err != nil {
		return err
	}
	got, err := a.call(ctx, http.MethodPost, "/v1/take", q.body(client[0]), http.StatusTooManyRequests)
	if err != nil {
		return err
	}
	return decided(stdout, format, got)
}

// decided prints a decision. A denial is an error, for the exit code.
func decided(stdout io.Writer, format output.Format, got answer) error {
	if err := printAnswer(stdout, format, got); err != nil {
		return err
	}
	if got.status == http.StatusTooManyRequests {
		return errDenied
	}
	return nil
}

func runPeek(ctx context.Context, args []string, stdout, _ io.Writer) error {
	f := newFlags("peek", "CLIENT [flags]", stdout)
	a := newAPI(f)
	var format output.Format
	limit := f.String("limit", node.DefaultLimit, "name of the limit")
	cost := f.Int64("cost", 1, "units that a take would ask for")
	f.Var(&format, "o", "output `FORMAT`, text or json (default text)")
	client, err := f.parse(args, 1, 1)
	if err != nil {
		return err
	}
	query := url.Values{"client": {client[0]}, "limit": {*limit}, "cost": {strconv.FormatInt(*cost, 10)}}
	return ask(ctx, a, http.MethodGet, "/v1/peek?"+query.Encode(), nil, format, stdout)
}

func runReset(ctx context.Context, args []string, stdout, _ io.Writer) error {
	f := newFlags("reset", "CLIENT [flags]", stdout)
	a := newAPI(f)
	var format output.Format
	limit := f.String("limit", node.DefaultLimit, "name of the limit")
	f.Var(&format, "o", "output `FORMAT`, text or json (default text)")
	client, err := f.parse(args, 1, 1)
	if err != nil {
		return err
	}
	if err := a.open(); err != nil {
		return err
	}
	got, err := a.call(ctx, http.MethodPost, "/v1/reset", map[string]any{"client": client[0], "limit": *limit})
	if err != nil {
		return err
	}
	if len(got.body) == 0 { // 204: done, and nothing to say
		got.body, _ = json.Marshal(map[string]any{"client": client[0], "limit": *limit, "reset": true})
	}
	return printAnswer(stdout, format, got)
}
