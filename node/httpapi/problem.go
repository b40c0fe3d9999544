package httpapi

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/spec"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/limit"
)

// problem is an error in the form that clients get (RFC 9457).
type problem struct {
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail"`
	// Field is the input at fault: a field of the body or the query, "name" for the name in
	// the path, "body" or "query" for the whole of them.
	Field string `json:"field,omitempty"`

	wait int // seconds until a retry may succeed; 0 for no Retry-After
}

// write answers with the problem. Its title is the status's own text, since all problems are of the type
// about:blank (RFC 9457, section 4.2.1).
func (p *problem) write(w http.ResponseWriter) {
	p.Title = http.StatusText(p.Status)
	if p.wait > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(p.wait))
	}
	respond(w, p.Status, "application/problem+json", p)
}

// bad is a problem with one field of the input.
func bad(field, detail string) *problem {
	return &problem{Status: http.StatusBadRequest, Field: field, Detail: detail}
}

// problemOf translates a node's error. limitField is the field in which the request named
// the limit. An error that is none of those that the node documents is a 500, and a mistake of ours.
func problemOf(err error, limitField string) *problem {
	p := &problem{Status: http.StatusInternalServerError, Detail: spec.OneLine(err)}
	switch {
	case errors.Is(err, node.ErrUnknownLimit):
		p.Status, p.Field = http.StatusNotFound, limitField
	case errors.Is(err, node.ErrTooManyLimits):
		p.Status, p.Field = http.StatusConflict, limitField
	case errors.Is(err, node.ErrTooManyResets):
		p.Status, p.wait = http.StatusServiceUnavailable, 60
	case errors.Is(err, node.ErrTooManyChanges), errors.Is(err, node.ErrTooManyHeld), errors.Is(err, node.ErrClosed), errors.Is(err, node.ErrClockAhead):
		p.Status, p.wait = http.StatusServiceUnavailable, 1
	case errors.Is(err, node.ErrUnknownReservation):
		p.Status, p.Field = http.StatusNotFound, "reservation"
	default:
		if faults := limit.FieldErrors(err); len(faults) > 0 {
			p.Status, p.Field = http.StatusBadRequest, faults[0].Field
		}
	}
	return p
}

// respond writes v as JSON. v must be a value that encoding/json can encode.
func respond(w http.ResponseWriter, status int, contentType string, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", contentType)
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n')) // an error means that the client has gone
}

// ok answers with 200 and v as JSON.
func ok(w http.ResponseWriter, v any) { respond(w, http.StatusOK, "application/json", v) }
