package httplimit

import (
	"encoding/json"
	"errors"
	"net/http"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/headers"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/keys"
)

// problem is an error in the form of RFC 9457.
type problem struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail,omitempty"`
}

// writeProblem answers with a problem, which has a form in JSON.
func writeProblem(w http.ResponseWriter, status int, problem any) {
	body, err := json.Marshal(problem)
	if err != nil {
		panic(err)
	}
	w.Header().Set("Content-Type", headers.ProblemType)
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n')) // an error means that the client has gone
}

// deny is the answer to a request that may not pass.
func deny(w http.ResponseWriter, _ *http.Request, d node.Detail) {
	writeProblem(w, http.StatusTooManyRequests, headers.QuotaExceeded(http.StatusTooManyRequests, decisions(&d)))
}

// Refuse refuses a request that nobody could decide: with 400 if it has no key, 503 if the
// node lacks room, and otherwise 500. It is the default of Config.Failed.
func Refuse(w http.ResponseWriter, _ *http.Request, err error) (pass bool) {
	p := problem{Type: "about:blank", Status: http.StatusInternalServerError}
	missing := keys.Missing("")
	switch {
	case errors.As(err, &missing):
		p.Status, p.Detail = http.StatusBadRequest, string(missing)
	case errors.Is(err, ErrNoKey):
		p.Status, p.Detail = http.StatusBadRequest, "nothing in the request says whom it counts for"
	case errors.Is(err, node.ErrTooManyPolicies), errors.Is(err, node.ErrTooManyHeld):
		p.Status, p.Type = http.StatusServiceUnavailable, headers.TypeReducedCapacity
		w.Header().Set(headers.FieldRetry, "1")
	}
	p.Title = http.StatusText(p.Status)
	writeProblem(w, p.Status, p)
	return false
}

// Pass lets a request pass that nobody could decide, uncounted. With a key that a client can
// leave out, that is a way around the limit.
func Pass(http.ResponseWriter, *http.Request, error) (pass bool) { return true }

// warn logs a fault that is the program's. One of the request is not: anybody could fill the
// log with those.
func (m *middleware) warn(err error) {
	if !errors.Is(err, ErrNoKey) {
		m.faults.Warn(m.Logger, "a request could not be limited", "error", err)
	}
}
