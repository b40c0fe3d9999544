package main

import (
	"cmp"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/cmd/internal/bench"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/cmd/internal/flags"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/config"
)

// targetFlags are the flags that say which nodes to ask, and how.
type targetFlags struct {
	urls, status string
	descriptor   string
	cluster      string
	prefix       string
	creds        string
	limit        *string

	call    *call
	workers int
}

// mostTargets caps the targets of one load. Raising it opens more connections than a machine has;
// lowering it refuses large clusters.
const mostTargets = 64

// list returns the targets' URLs.
func (t *targetFlags) list() []string {
	if t.urls == "" {
		return nil
	}
	return strings.Split(t.urls, ",")
}

func (t *targetFlags) validate() error {
	var faults []error
	needs := map[string]bool{}
	for _, text := range t.list() {
		u, err := url.Parse(text)
		switch {
		case err != nil || u.Host == "":
			faults = append(faults, fmt.Errorf("-target %q: must be a URL such as http://127.0.0.1:8080", text))
			continue
		case kinds[u.Scheme] == "":
			faults = append(faults, fmt.Errorf("-target %q: must begin with http://, https://, grpc://, grpcs://, nats:// or tls://", text))
		}
		needs[kinds[u.Scheme]] = true
	}
	if n := len(t.list()); n > mostTargets {
		faults = append(faults, fmt.Errorf("-target: %d are too many: at most %d", n, mostTargets))
	}
	domain, key, two := strings.Cut(t.descriptor, "/")
	switch {
	case needs["grpc"] && t.descriptor == "":
		faults = append(faults, errors.New("-descriptor is missing: grpc targets need one, such as edge/remote_address"))
	case t.descriptor != "" && (!two || domain == "" || key == ""):
		faults = append(faults, fmt.Errorf("-descriptor %q: must be DOMAIN/KEY", t.descriptor))
	case t.descriptor != "" && !needs["grpc"]:
		faults = append(faults, errors.New("-descriptor: no -target is grpc"))
	}
	for name, text := range map[string]string{"cluster": t.cluster, "subject-prefix": t.prefix, "nats-creds": t.creds} {
		if text != "" && !needs["nats"] {
			faults = append(faults, fmt.Errorf("-%s: no -target is nats", name))
		}
	}
	return errors.Join(faults...)
}

// kinds are the kinds of targets, by scheme.
var kinds = map[string]string{"http": "http", "https": "http", "grpc": "grpc", "grpcs": "grpc", "nats": "nats", "tls": "nats"}

// open connects to all targets. One request goes to each first. If a daemon is away or has no
// such limit, the user gets one line instead of a table of errors.
func (t *targetFlags) open(ctx context.Context) (*lab, error) {
	l := &lab{}
	var closers []func()
	l.close = func() {
		for _, c := range closers {
			c()
		}
	}
	var daemons []*api
	urls := t.list()
	if urls == nil {
		urls = []string{t.call.api.addr}
	}
	for _, text := range urls {
		u, _ := url.Parse(text) // validate has read it, and open the default one
		var target bench.Target
		var end func()
		var err error
		switch kinds[u.Scheme] {
		case "http":
			var d *api
			if d, err = t.daemon(text); err == nil {
				daemons = append(daemons, d)
				target, end, err = t.http(ctx, d)
			}
		case "grpc":
			target, end, err = t.grpc(ctx, u)
		default:
			target, end, err = t.nats(ctx, l, text)
		}
		if end != nil {
			closers = append(closers, end)
		}
		if err != nil {
			l.close()
			return nil, err
		}
		l.nodes = append(l.nodes, bench.Node{Name: u.Host, Target: target})
	}
	if t.status != "" {
		for text := range strings.SplitSeq(t.status, ",") {
			d, err := t.daemon(text)
			if err != nil {
				l.close()
				return nil, fmt.Errorf("-status %q: %w", text, err)
			}
			daemons = append(daemons, d)
		}
	}
	if err := t.inspect(ctx, l, daemons); err != nil {
		l.close()
		return nil, err
	}
	return l, nil
}

// daemon is the API at another address, under the same flags.
func (t *targetFlags) daemon(addr string) (*api, error) {
	d := *t.call.api
	d.addr = addr
	return &d, d.open()
}

func (t *targetFlags) http(ctx context.Context, d *api) (bench.Target, func(), error) {
	if _, err := d.call(ctx, http.MethodGet, "/v1/peek?"+query(probe, *t.limit).Encode(), nil); err != nil {
		return nil, nil, err
	}
	base, ok := d.client.Transport.(*http.Transport)
	if !ok { // the default client has none of its own
		base = &http.Transport{Proxy: http.ProxyFromEnvironment}
	}
	target := bench.NewHTTP(d.addr, *t.limit, d.token, base, t.workers, d.timeout)
	return target, target.Close, nil
}

// probe is the client of the first request.
const probe = "load-probe"

func (t *targetFlags) grpc(ctx context.Context, u *url.URL) (bench.Target, func(), error) {
	by := insecure.NewCredentials()
	if u.Scheme == "grpcs" {
		c, err := t.call.api.tls.config()
		if err != nil {
			return nil, nil, err
		}
		by = credentials.NewTLS(c)
	}
	conn, err := grpc.NewClient(u.Host, grpc.WithTransportCredentials(by))
	if err != nil {
		return nil, nil, fmt.Errorf("-target %s: %w", u, err)
	}
	domain, key, _ := strings.Cut(t.descriptor, "/")
	target := bench.NewRLS(conn, domain, key, t.call.api.timeout)
	if _, err := target.Take(ctx, probe, 1); err != nil {
		return nil, func() { _ = conn.Close() }, fmt.Errorf("-target %s: %w", u, err)
	}
	return target, func() { _ = conn.Close() }, nil
}

// name is the limit's name.
func (t *targetFlags) name() string { return cmp.Or(*t.limit, node.DefaultLimit) }

// inspect asks the daemons for the limit, and makes them state their bound and set limits.
func (t *targetFlags) inspect(ctx context.Context, l *lab, daemons []*api) error {
	if l.set == nil {
		l.set = func(context.Context, *flags.Policy) (time.Time, error) {
			return time.Time{}, errors.New("-set: no target can set a limit: give -status, the HTTP address of a daemon")
		}
	}
	if len(daemons) == 0 {
		return nil
	}
	if len(t.list()) == 0 || kinds[strings.SplitN(t.list()[0], ":", 2)[0]] == "http" {
		got, err := daemons[0].call(ctx, http.MethodGet, "/v1/limits", nil)
		if err != nil {
			return err
		}
		if l.policy, err = t.policyOf(got.body); err != nil {
			return err
		}
	}
	l.set = func(ctx context.Context, p *flags.Policy) (time.Time, error) {
		policy, err := p.Body()
		if err != nil {
			return time.Time{}, err
		}
		if _, err := daemons[0].call(ctx, http.MethodPut, "/v1/limits/"+url.PathEscape(t.name()), json.RawMessage(policy)); err != nil {
			return time.Time{}, err
		}
		got, err := daemons[0].call(ctx, http.MethodGet, "/v1/status", nil)
		if err != nil {
			return time.Time{}, err
		}
		return t.since(got.body)
	}
	l.bound = func(ctx context.Context) (float64, bool) {
		bounds := make([]float64, len(daemons))
		known := make([]bool, len(daemons))
		var asking sync.WaitGroup
		for i, d := range daemons {
			asking.Go(func() {
				if got, err := d.call(ctx, http.MethodGet, "/v1/status", nil); err == nil {
					bounds[i], known[i] = t.boundOf(got.body)
				}
			})
		}
		asking.Wait()
		most, ok := 0.0, false
		for i := range bounds {
			if known[i] {
				most, ok = max(most, bounds[i]), true
			}
		}
		return most, ok
	}
	return nil
}

// policyOf reads the limit from the answer to GET /v1/limits.
func (t *targetFlags) policyOf(body []byte) (*node.Policy, error) {
	limits, err := config.ServedLimits(body)
	if err != nil {
		return nil, fmt.Errorf("the answer is not understood: %w", err)
	}
	p, ok := limits[t.name()]
	if !ok {
		return nil, nil //nolint:nilnil // it was changed away since the probe: the limit is not known
	}
	return &p, nil
}

// since reads the time from which the limit holds from a status.
func (t *targetFlags) since(status []byte) (time.Time, error) {
	limits, err := limitsOf(status)
	if err != nil {
		return time.Time{}, err
	}
	for _, one := range limits {
		if one.name == t.name() && one.Since != nil {
			return *one.Since, nil
		}
	}
	return time.Time{}, nil
}

// boundOf reads the limit's bound from a status.
func (t *targetFlags) boundOf(status []byte) (bound float64, ok bool) {
	var all struct {
		Bound map[string]struct {
			Units *float64 `json:"units"`
		} `json:"bound"`
	}
	if json.Unmarshal(status, &all) != nil {
		return 0, false
	}
	b := all.Bound[t.name()]
	if b.Units == nil {
		return 0, false
	}
	return *b.Units, true
}

// config is the TLS configuration of a connection that uses the files.
func (f tlsFiles) config() (*tls.Config, error) {
	client, err := f.client()
	if err != nil {
		return nil, err
	}
	if t, ok := client.Transport.(*http.Transport); ok {
		return t.TLSClientConfig, nil
	}
	return &tls.Config{MinVersion: tls.VersionTLS12}, nil
}
