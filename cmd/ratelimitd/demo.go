package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/cmd/internal/demo"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/config"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/dashboard"
)

// demoSettings are the settings that a demonstration heeds. It refuses all others.
var demoSettings = []string{"http", "admin_token_file", "redact_clients", "log_format", "log_level"}

// demoCloses is how long requests under way may take once the demonstration ends.
const demoCloses = time.Second

// runDemo runs a demonstration and serves its first node meanwhile.
func runDemo(ctx context.Context, s *config.Settings, stdout io.Writer, log *slog.Logger) error {
	var faults []error
	for _, set := range s.All() {
		if s.Origin(set.Key) != "" && !slices.Contains(demoSettings, set.Key) {
			faults = append(faults, at(s, set.Key, "is of no use with -demo, which has settings of its own"))
		}
	}
	token, err := readSecret(s.AdminTokenFile)
	if err != nil {
		faults = append(faults, at(s, "admin_token_file", "%w", err))
	}
	if err := errors.Join(faults...); err != nil {
		return usageError{err}
	}
	listener, err := listen(ctx, s, "http", s.HTTP)
	if err != nil {
		return err
	}
	api := newHTTPListener("http", listener)
	// The dashboard shows the log of n1 and of its doors. Nodes warn a lot about peers that are cut
	// off or killed, so the terminal gets no log unless somebody asks for it.
	events, shown := dashboard.NewLog(), slog.DiscardHandler
	if s.Origin("log_level") != "" {
		shown = log.Handler()
	}
	logOf := func(name string) *slog.Logger {
		if name == "n1" {
			return slog.New(events.Handler(shown))
		}
		return slog.New(shown).With("of", name)
	}
	d := &daemon{plan: &plan{settings: s, adminToken: string(token), log: logOf("n1"), events: events}, requests: newRequests(s), listeners: []*httpListener{api}}
	cfg := demo.Config{Out: stdout, Log: logOf, Serve: func(n *node.Node) func() {
		d.served = &served{Node: n}
		d.openBoard()
		api.server = httpServer(d.handler(loopback(listener.Addr()), d.metrics()), log)
		_, _ = fmt.Fprintf(stdout, "\n         Open %s/ to watch n1. Ctrl-C ends the demonstration, with a verdict.\n\n", api.url())
		served := make(chan error, 1)
		go func() { served <- api.serve() }()
		return func() {
			d.board.Close()
			ctx, cancel := context.WithTimeout(context.Background(), demoCloses)
			defer cancel()
			if api.server.Shutdown(ctx) != nil {
				_ = api.server.Close()
			}
			if err := <-served; err != nil {
				log.Warn("n1 was not served to the end", "error", err)
			}
		}
	}}
	defer listener.Close() //nolint:errcheck // closed by then, unless it was never served
	return demo.Run(ctx, cfg)
}
