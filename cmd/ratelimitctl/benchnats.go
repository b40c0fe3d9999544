package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/cmd/internal/bench"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/cmd/internal/flags"
)

// nats connects to a cluster's service. It tells l the limit, and how to change it.
func (t *targetFlags) nats(ctx context.Context, l *lab, text string) (bench.Target, func(), error) {
	o := []nats.Option{nats.Timeout(t.call.api.timeout)}
	if t.creds != "" {
		o = append(o, nats.UserCredentials(t.creds))
	}
	if t.call.api.tls != (tlsFiles{}) {
		c, err := t.call.api.tls.config()
		if err != nil {
			return nil, nil, err
		}
		o = append(o, nats.Secure(c))
	}
	conn, err := nats.Connect(text, o...)
	if err != nil {
		return nil, nil, fmt.Errorf("-target %s: %w", hidden(text), err)
	}
	target := bench.NewNATS(conn, cmp.Or(t.prefix, "ratelimit"), cmp.Or(t.cluster, "default"), *t.limit, t.call.api.token, t.call.api.timeout)
	limits, err := target.Ask(ctx, "limits.get", nil)
	if err == nil {
		l.policy, err = t.policyOf(limits)
	}
	if err == nil {
		_, err = target.Take(ctx, probe, 1)
	}
	if err != nil {
		return nil, conn.Close, fmt.Errorf("-target %s: %w", hidden(text), err)
	}
	l.set = func(ctx context.Context, p *flags.Policy) (time.Time, error) {
		policy, err := p.Body()
		if err != nil {
			return time.Time{}, err
		}
		body, err := json.Marshal(map[string]any{"name": t.name(), "policy": json.RawMessage(policy)})
		if err != nil {
			return time.Time{}, err
		}
		if _, err := target.Ask(ctx, "limits.set", body); err != nil {
			return time.Time{}, err
		}
		status, err := target.Ask(ctx, "status", nil)
		if err != nil {
			return time.Time{}, err
		}
		return t.since(status)
	}
	l.bound = func(ctx context.Context) (float64, bool) {
		status, err := target.Ask(ctx, "status", nil) // of whichever node answers first
		if err != nil {
			return 0, false
		}
		return t.boundOf(status)
	}
	return target, conn.Close, nil
}

// hidden is a URL without its password.
func hidden(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return "?"
	}
	return u.Redacted()
}
