package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"
)

// maxAnswer caps the bytes that Take reads of an answer. A higher cap costs memory if a proxy
// answers with a page; a lower one would cut off the answer of a take under several limits.
const maxAnswer = 64 << 10

// HTTP is a daemon's POST /v1/take as a Target. Safe for concurrent use.
type HTTP struct {
	url    string
	limit  string
	token  string
	client *http.Client
}

// NewHTTP makes a target of the daemon at addr, like http://127.0.0.1:8080. A limit "" is the
// daemon's default one. token goes with each request, if it is not empty. base has the TLS
// settings. The target keeps up to workers connections open, until Close.
func NewHTTP(addr, limit, token string, base *http.Transport, workers int, timeout time.Duration) *HTTP {
	t := base.Clone()
	t.MaxIdleConnsPerHost, t.MaxConnsPerHost, t.MaxIdleConns = workers, workers, 0
	return &HTTP{url: addr + "/v1/take", limit: limit, token: token, client: &http.Client{Timeout: timeout, Transport: t}}
}

// Close closes the connections.
func (h *HTTP) Close() { h.client.CloseIdleConnections() }

// takeBody is the body of a take.
func takeBody(client, limit string, cost int64) []byte {
	body, err := json.Marshal(struct {
		Client string `json:"client"`
		Limit  string `json:"limit,omitempty"`
		Cost   int64  `json:"cost"`
	}{client, limit, cost})
	if err != nil {
		panic(err) // texts and a number can always be written
	}
	return body
}

// Take implements Target.
func (h *HTTP) Take(ctx context.Context, client string, cost int64) (bool, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, h.url, bytes.NewReader(takeBody(client, h.limit, cost)))
	if err != nil {
		return false, err
	}
	req.Header.Set("Content-Type", "application/json")
	if h.token != "" {
		req.Header.Set("Authorization", "Bearer "+h.token)
	}
	resp, err := h.client.Do(req)
	if err != nil {
		return false, err
	}
	defer func() { _ = resp.Body.Close() }() // read to its end below
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return false, err
	}
	allowed, ok := decision(answer)
	// A proxy in between may answer 200 or 429 too, so only a body with a decision counts.
	decided := resp.StatusCode == http.StatusOK || resp.StatusCode == http.StatusTooManyRequests
	if !decided || !ok || allowed != (resp.StatusCode == http.StatusOK) {
		return false, fmt.Errorf("%s, and not a decision: %.200s", resp.Status, bytes.TrimSpace(answer))
	}
	return allowed, nil
}

// decision reads the answer to a take.
func decision(answer []byte) (allowed, ok bool) {
	var d struct {
		Allowed *bool `json:"allowed"`
	}
	if json.Unmarshal(answer, &d) != nil || d.Allowed == nil {
		return false, false
	}
	return *d.Allowed, true
}
