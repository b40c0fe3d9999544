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
	cost   int64
	client *http.Client
}

// NewHTTP makes a target of the daemon at addr, like http://127.0.0.1:8080. A limit "" is the
// daemon's default one. The target keeps up to workers connections open, until Close.
func NewHTTP(addr, limit string, cost int64, workers int, timeout time.Duration) *HTTP {
	return &HTTP{
		url: addr + "/v1/take", limit: limit, cost: cost,
		client: &http.Client{
			Timeout:   timeout,
			Transport: &http.Transport{MaxIdleConnsPerHost: workers, MaxConnsPerHost: workers},
		},
	}
}

// Close closes the connections.
func (h *HTTP) Close() { h.client.CloseIdleConnections() }

// Take implements Target.
func (h *HTTP) Take(ctx context.Context, client string) (bool, error) {
	body, err := json.Marshal(struct {
		Client string `json:"client"`
		Limit  string `json:"limit,omitempty"`
		Cost   int64  `json:"cost"`
	}{client, h.limit, h.cost})
	if err != nil {
		return false, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, h.url, bytes.NewReader(body))
	if err != nil {
		return false, err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := h.client.Do(req)
	if err != nil {
		return false, err
	}
	defer func() { _ = resp.Body.Close() }() // read to its end below
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return false, err
	}
	var d struct {
		Allowed *bool `json:"allowed"`
	}
	// A proxy in between may answer 200 or 429 too, so only a body with a decision counts.
	decided := resp.StatusCode == http.StatusOK || resp.StatusCode == http.StatusTooManyRequests
	if !decided || json.Unmarshal(answer, &d) != nil || d.Allowed == nil || *d.Allowed != (resp.StatusCode == http.StatusOK) {
		return false, fmt.Errorf("%s, and not a decision: %.200s", resp.Status, bytes.TrimSpace(answer))
	}
	return *d.Allowed, nil
}
