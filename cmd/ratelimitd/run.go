package main

import (
	"context"
	"fmt"
	"io"
	"runtime"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/cmd/internal/build"
)

// run is the whole program: it serves until ctx is done, and then stops in order. An
// error that the operator can set right is a usageError.
func run(ctx context.Context, by call, stdout, stderr io.Writer) error {
	o, err := parse(by)
	switch {
	case err != nil:
		return err
	case o.help:
		_, err := io.WriteString(stdout, usage())
		return err
	case o.version:
		b := build.Read()
		_, err := fmt.Fprintf(stdout, "ratelimitd %s (%s, %s/%s)\n", b.Version, b.Go, runtime.GOOS, runtime.GOARCH)
		return err
	}
	log, err := newLogger(&o.settings, stderr)
	if err != nil {
		return err
	}
	for _, w := range o.warnings {
		log.Warn(w)
	}
	if o.demo {
		return runDemo(ctx, &o.settings, stdout, log)
	}
	p, err := newPlan(&o.settings, log)
	if err != nil {
		return err
	}
	if err := p.check(ctx); err != nil {
		return err
	}
	if o.check {
		if _, err := fmt.Fprintf(stdout, "ratelimitd: the settings are fine: %s\n", p.summary()); err != nil || o.against == nil {
			return err
		}
		return p.compare(ctx, o.against, stdout)
	}
	p.node.ConfiguredAt = modified(o.file)
	return serveOn(ctx, p, newReloader(by, &o, p))
}
