package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/config"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/limit"
)

const (
	// askWithin is the longest wait for a running node's answer. Raising it holds up whoever
	// names an address where nothing answers; lowering it gives up on nodes that are far away.
	askWithin = 5 * time.Second
	// mostAsked is the largest answer that is read, in bytes. A lower one would not hold all
	// limits that a node can have; a higher one takes memory.
	mostAsked = mostState
)

// running is what a running node tells of its limits.
type running struct {
	url    string
	node   string
	limits map[string]node.Policy
	set    map[string]bool // limits that somebody set by PUT
}

// nodeURL reads the address of a running node, which may lack http://.
func nodeURL(addr string) (*url.URL, error) {
	if !strings.Contains(addr, "://") {
		addr = "http://" + addr
	}
	u, err := url.Parse(addr)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, errors.New("must be a node's HTTP address, such as http://127.0.0.1:8080")
	}
	return u, nil
}

// ask asks a running node for its limits, with the token that it may want.
func ask(ctx context.Context, u *url.URL, token string) (*running, error) {
	r := &running{url: u.Redacted(), set: map[string]bool{}}
	var status struct {
		Node   struct{ Name string }
		Limits map[string]struct{ Set bool }
	}
	text, err := get(ctx, u.JoinPath("/v1/limits"), token)
	if err == nil {
		r.limits, err = config.ServedLimits(text)
	}
	if err == nil {
		text, err = get(ctx, u.JoinPath("/v1/status"), token)
	}
	if err == nil {
		err = json.Unmarshal(text, &status)
	}
	if err != nil {
		return nil, fmt.Errorf("-against %s: %w", r.url, err)
	}
	r.node = status.Node.Name
	for name, l := range status.Limits {
		r.set[name] = l.Set
	}
	return r, nil
}

func get(ctx context.Context, u *url.URL, token string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, askWithin)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, err
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close() //nolint:errcheck // it was only read
	switch resp.StatusCode {
	case http.StatusOK:
	case http.StatusUnauthorized, http.StatusForbidden:
		return nil, fmt.Errorf("%s answers %s: it wants the token of -api-token-file or -admin-token-file", u.Path, resp.Status)
	default:
		return nil, fmt.Errorf("%s answers %s: is it a ratelimitd?", u.Path, resp.Status)
	}
	text, err := io.ReadAll(io.LimitReader(resp.Body, mostAsked+1))
	if err == nil && len(text) > mostAsked {
		err = fmt.Errorf("%s answers with more than %d bytes", u.Path, mostAsked)
	}
	return text, err
}

// changes says what would change if the node had these limits in its file: a line for each
// limit that would change, or that a PUT keeps as it is.
func (r *running) changes(file map[string]node.Policy) []string {
	names := maps.Clone(file)
	maps.Copy(names, r.limits)
	var lines []string
	for _, name := range slices.Sorted(maps.Keys(names)) {
		was, is := policyOf(r.limits, name), policyOf(file, name)
		if was != nil && is != nil && was.Same(*is) {
			continue
		}
		before, after := limit.Change(was, is)
		line := fmt.Sprintf("%s: %s -> %s", name, before, after)
		if r.set[name] {
			line += ", but only after DELETE /v1/limits/" + name + ": until then what somebody set by PUT holds"
		}
		lines = append(lines, line)
	}
	return lines
}

// policyOf is a limit's policy, nil if there is no such limit.
func policyOf(limits map[string]node.Policy, name string) *node.Policy {
	if l, found := limits[name]; found {
		return &l
	}
	return nil
}

// compare prints what would change on a running node.
func (p *plan) compare(ctx context.Context, u *url.URL, w io.Writer) error {
	r, err := ask(ctx, u, cmp.Or(p.apiToken, p.adminToken)) // which the same settings give that node
	if err != nil {
		return err
	}
	lines := r.changes(p.node.Limits)
	what := "no limit would change"
	if len(lines) > 0 {
		what = "these limits would change:\n  " + strings.Join(lines, "\n  ")
	}
	_, err = fmt.Fprintf(w, "ratelimitd: on node %s at %s, %s\n", r.node, r.url, what)
	return err
}
