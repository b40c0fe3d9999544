package main

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/config"
)

const (
	defaultAddr = "http://127.0.0.1:8080"
	envAddr     = "RATELIMITCTL_ADDR"
	envToken    = "RATELIMITCTL_TOKEN"
	// maxAnswer is the largest answer that call reads, in bytes. Raising it costs memory if
	// something else answers. Lowering it cuts off the limits of a daemon with many overrides.
	maxAnswer = 16 << 20
)

// api is a running daemon, through its HTTP interface.
type api struct {
	addr    string
	timeout time.Duration
	token   string
	tls     tlsFiles
	client  *http.Client
	limit   *string // the limit that the call names, for suggest; nil for none
}

// daemon adds the flags that say which daemon to ask. open judges their values.
func (c *call) daemon() {
	c.api = &api{addr: cmp.Or(os.Getenv(envAddr), defaultAddr), timeout: 5 * time.Second}
	c.Add(&c.api.addr, "addr", "`URL` or host:port of the daemon; "+envAddr+" sets it, too")
	c.Add(&c.api.timeout, "timeout", "give up on an answer after this long")
	c.Add(&c.api.tls.ca, "tls-ca", "`FILE` of certificates that vouch for the daemon (default: those of the system)")
	c.Add(&c.api.tls.cert, "tls-cert", "`FILE` of the certificate for a daemon that asks for one")
	c.Add(&c.api.tls.key, "tls-key", "`FILE` of that certificate's key")
}

// tlsFiles are what a connection to a daemon with TLS needs.
type tlsFiles struct{ ca, cert, key string }

// client is the client of a connection that uses the files.
func (f tlsFiles) client() (*http.Client, error) {
	if f == (tlsFiles{}) {
		return http.DefaultClient, nil
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if f.ca != "" {
		text, err := os.ReadFile(f.ca)
		if err != nil {
			return nil, usagef("-tls-ca: %v", err)
		}
		if c.RootCAs = x509.NewCertPool(); !c.RootCAs.AppendCertsFromPEM(text) {
			return nil, usagef("-tls-ca %q: holds no certificate in PEM", f.ca)
		}
	}
	if f.cert != "" || f.key != "" {
		pair, err := tls.LoadX509KeyPair(f.cert, f.key)
		if err != nil {
			return nil, usagef("-tls-cert and -tls-key: %v", err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return &http.Client{Transport: &http.Transport{TLSClientConfig: c, ForceAttemptHTTP2: true}}, nil
}

// open judges the flags, and takes the token from the environment: the admin token, or the API
// token for calls that change nothing. On the command line, every user of the machine could read
// the token.
func (a *api) open() error {
	if !strings.Contains(a.addr, "://") {
		a.addr = "http://" + a.addr
	}
	u, err := url.Parse(a.addr)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		return usagef("-addr %q: must be like %s", a.addr, defaultAddr)
	}
	if a.timeout <= 0 {
		return usagef("-timeout %v: must be above 0", a.timeout)
	}
	a.addr, a.token = strings.TrimSuffix(a.addr, "/"), os.Getenv(envToken)
	a.client, err = a.tls.client()
	return err
}

// answer is what a daemon answered.
type answer struct {
	status int
	body   []byte
}

// statusError is an answer that is an error, in the daemon's words.
type statusError struct {
	status int
	text   string
}

// Error reads "404: no limit is named \"x\"".
func (e *statusError) Error() string {
	text := fmt.Sprintf("%d: %s", e.status, e.text)
	if e.status == http.StatusUnauthorized || e.status == http.StatusForbidden {
		text += " (ratelimitctl takes the admin token from " + envToken + ")"
	}
	return text
}

// call makes one request, with body as JSON if it is not nil. A status below 300 and those in also
// are answers. Every other status is an error.
func (a *api) call(ctx context.Context, method, path string, body any, also ...int) (answer, error) {
	ctx, cancel := context.WithTimeout(ctx, a.timeout)
	defer cancel()
	var in io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return answer{}, err
		}
		in = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, a.addr+path, in)
	if err != nil {
		return answer{}, err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if a.token != "" {
		req.Header.Set("Authorization", "Bearer "+a.token)
	}
	resp, err := a.client.Do(req)
	if err != nil {
		return answer{}, a.explain(err)
	}
	defer func() { _ = resp.Body.Close() }() // read to its end, or given up
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return answer{}, a.explain(err)
	}
	if resp.StatusCode < 300 || slices.Contains(also, resp.StatusCode) {
		return answer{resp.StatusCode, b}, nil
	}
	e := &statusError{resp.StatusCode, problem(b, resp.Status)}
	if e.status == http.StatusNotFound && a.limit != nil {
		e.text += a.suggest(ctx)
	}
	return answer{}, e
}

// suggest asks the daemon for its limits, and returns the end of an error that names the one which
// the call probably meant; "" if none is near.
func (a *api) suggest(ctx context.Context) string {
	name := *a.limit
	a.limit = nil // one question is enough
	if name == "" {
		return ""
	}
	got, err := a.call(ctx, http.MethodGet, "/v1/limits", nil)
	var all struct{ Limits map[string]json.RawMessage }
	if err != nil || json.Unmarshal(got.body, &all) != nil || all.Limits[name] != nil {
		return ""
	}
	near := config.Nearest(name, slices.Sorted(maps.Keys(all.Limits)))
	if near == "" {
		return ""
	}
	return "; did you mean " + near + "?"
}

// problem returns the text of an application/problem+json body, or the body itself.
func problem(body []byte, status string) string {
	var p struct{ Title, Detail string }
	if json.Unmarshal(body, &p) == nil {
		if p.Detail != "" {
			return p.Detail
		}
		if p.Title != "" {
			return p.Title
		}
	}
	text := strings.Join(strings.Fields(string(body[:min(len(body), 200)])), " ")
	if text == "" {
		return status
	}
	return text
}

// explain turns an error of the network into advice for the operator.
func (a *api) explain(err error) error {
	var timeout interface{ Timeout() bool }
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("nothing answers at %s: start the daemon with `ratelimitd` (in a checkout: `make run`), or say where it is with -addr or %s", a.addr, envAddr)
	case errors.As(err, &timeout) && timeout.Timeout():
		return fmt.Errorf("no answer from %s within %v: is it a ratelimitd's HTTP address, and reachable? -timeout waits longer", a.addr, a.timeout)
	}
	if u, ok := errors.AsType[*url.Error](err); ok {
		err = u.Err
	}
	return fmt.Errorf("%s: %w", a.addr, err)
}
