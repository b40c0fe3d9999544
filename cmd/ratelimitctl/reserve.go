package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/cmd/internal/output"
)

// nothingHeld is printed in place of a token where a request passed and nothing was
// taken, as for clients without a limit. Settling it does nothing, so that scripts
// need no case for it.
const nothingHeld = "-"

func runReserve(ctx context.Context, args []string, stdout, _ io.Writer) error {
	f := newFlags("reserve", "CLIENT -cost N [flags]", stdout)
	a := newAPI(f)
	var format output.Format
	q := newRequest(f, "units to take, and to be settled later")
	hold := f.Duration("for", 0, "how long it can be settled; after that all of it stays taken (default 1m)")
	f.Var(&format, "o", "output `FORMAT`, text or json (default text)")
	client, err := f.parse(args, 1, 1)
	if err != nil {
		return err
	}
	if *hold < 0 {
		return usagef("-for %v: must be above 0", *hold)
	}
	if err := a.open(); err != nil {
		return err
	}
	body := q.body(client[0])
	if *hold > 0 {
		body["timeout"] = hold.Seconds()
	}
	got, err := a.call(ctx, http.MethodPost, "/v1/reserve", body, http.StatusTooManyRequests)
	if err != nil {
		return err
	}
	if got.status == http.StatusTooManyRequests || format == output.JSON {
		return decided(stdout, format, got)
	}
	var made struct{ Reservation string }
	if err := json.Unmarshal(got.body, &made); err != nil {
		return fmt.Errorf("the answer is not understood: %w", err)
	}
	if made.Reservation == "" {
		made.Reservation = nothingHeld
	}
	var line output.Table // for what it does about control characters
	line.Row(made.Reservation)
	return line.Print(stdout)
}

func runCommit(ctx context.Context, args []string, stdout, _ io.Writer) error {
	f := newFlags("commit", "TOKEN N [flags]", stdout)
	s := newSettlement(f)
	words, err := f.parse(args, 2, 2)
	if err != nil {
		return err
	}
	actual, err := strconv.ParseInt(words[1], 10, 64)
	if err != nil || actual < 0 {
		return usagef("N %q: must be the units that were used, 0 or more", words[1])
	}
	return s.settle(ctx, stdout, "/v1/commit", words[0], map[string]any{"reservation": words[0], "actual": actual})
}

func runCancel(ctx context.Context, args []string, stdout, _ io.Writer) error {
	f := newFlags("cancel", "TOKEN [flags]", stdout)
	s := newSettlement(f)
	words, err := f.parse(args, 1, 1)
	if err != nil {
		return err
	}
	return s.settle(ctx, stdout, "/v1/cancel", words[0], map[string]any{"reservation": words[0]})
}

// settlement is what commit and cancel have in common.
type settlement struct {
	api    *api
	format output.Format
}

func newSettlement(f *flags) *settlement {
	s := &settlement{api: newAPI(f)}
	f.Var(&s.format, "o", "output `FORMAT`, text or json (default text)")
	return s
}

func (s *settlement) settle(ctx context.Context, stdout io.Writer, path, token string, body any) error {
	if token == "" {
		return usagef("TOKEN must not be empty: it is what reserve printed")
	}
	if err := s.api.open(); err != nil {
		return err
	}
	got := answer{http.StatusOK, []byte(`{"settled":true}`)}
	if token != nothingHeld {
		var err error
		if got, err = s.api.call(ctx, http.MethodPost, path, body); err != nil {
			return err
		}
	}
	if err := printAnswer(stdout, s.format, got); err != nil {
		return err
	}
	if got.status == http.StatusAccepted {
		return errors.New("not confirmed yet: the node that made the reservation has not answered; it is asked on, and the same command again is safe and tells")
	}
	return nil
}
