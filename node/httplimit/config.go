package httplimit

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/keys"
)

// Limiter decides; *node.Node is one. Its methods must not block, but for a request with a Hold.
// The middleware calls all of them concurrently.
type Limiter interface {
	DoDetailed(q node.Request) node.Detail
	// Reserve and Charge are called only with Config.After.
	Reserve(q node.Request) *node.Reservation
	Charge(q node.Request) node.ChargeDetail
}

// Config configures a middleware. The zero value of a field other than Limiter and Key is its
// default. The middleware calls all functions concurrently.
type Config struct {
	Limiter Limiter
	// Key says which client a request counts for. It has no default.
	Key Key
	// Limits all have to admit a request, at most 1 + node.MaxChecks; if one denies, none is
	// charged. Default: the limit "default". By returns them for one request instead, such as
	// those of a user's plan; a request for which it returns none passes.
	Limits []Limit
	By     func(*http.Request) []Limit
	// Cost is how many units a request takes. Less than 1 counts as 1, so that a length that
	// is not known makes no request free. Default 1.
	Cost func(*http.Request) int64
	// Skip lets requests pass that it returns true for, and nothing counts them.
	Skip func(*http.Request) bool
	// After is the true cost, once the handler has answered. Cost is the estimate then, which
	// the request has to be able to pay: whatever After finds, up to a debt of the larger of
	// one burst and one window's limit, is charged. So a client can go beyond its limit by
	// its last answers, and not again before it has paid. The larger the estimate, the less
	// requests at once can go beyond. Limits with a Cost of their own keep it; if By chooses
	// only such, After is not asked.
	After func(Answer) int64
	// Headers says which fields an answer carries.
	Headers Headers
	// PartitionKey is a secret of at least 16 bytes, with which RateLimit and RateLimit-Policy tell
	// a program that acts for several clients whose quota they are of (pk), without the client's
	// name. Default: they do not.
	PartitionKey []byte
	// ResetEpoch makes X-RateLimit-Reset a Unix time, as GitHub and httprate do, instead of
	// seconds from now.
	ResetEpoch bool
	// Denied answers a request that may not pass, instead of the problem. The fields are set.
	Denied func(http.ResponseWriter, *http.Request, node.Detail)
	// Failed says what happens if nobody can decide: the error wraps ErrNoKey, or is the fault
	// of node.Detail. If it returns true, the request passes, uncounted; otherwise it has
	// answered. Default Refuse.
	Failed func(http.ResponseWriter, *http.Request, error) (pass bool)
	// Decided is told what the limits decided on a request, with the request's context, before it
	// is answered: for its trace, see package oteltrace. With After it is told once more, with the
	// true cost. It must not block. Default: nobody is told.
	Decided func(context.Context, node.Request, node.Detail)
	// Logger gets the faults that are the program's, such as an unknown limit, at most one a
	// minute. Default: no log.
	Logger *slog.Logger
}

// Limit is one limit that a request has to pass. The zero value is the limit "default", with
// the Key and Cost of Config.
type Limit struct {
	Name string
	Key  Key
	Cost func(*http.Request) int64
}

// Headers says which fields an answer carries. Each denial has Retry-After as well.
type Headers uint8

// The choices.
const (
	HeadersIETF   Headers = iota // RateLimit-Policy and RateLimit
	HeadersLegacy                // X-RateLimit-Limit, -Remaining and -Reset of the limit that binds
	HeadersBoth
	HeadersNone
)

// New makes a middleware. The error joins every fault of cfg, each a *node.FieldError. What it
// returns is safe for concurrent use, and so are the handlers that it makes.
func New(cfg Config) (func(http.Handler) http.Handler, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	m := &middleware{Config: cfg}
	if m.Failed == nil {
		m.Failed = Refuse
	}
	if m.Denied == nil {
		m.Denied = deny
	}
	if m.Logger == nil {
		m.Logger = slog.New(slog.DiscardHandler)
	}
	if len(m.Limits) == 0 {
		m.Limits = []Limit{{}}
	}
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { m.serve(w, r, next) })
	}, nil
}

// leastSecret is the length of the shortest PartitionKey. Lowering it takes some that can be guessed.
const leastSecret = 16

func (cfg *Config) validate() error {
	limits := make([]keys.Key[*http.Request], len(cfg.Limits))
	for i, l := range cfg.Limits {
		limits[i] = l.Key.Key
	}
	faults := keys.Faults(cfg.Limiter != nil, cfg.Key.Key, limits, cfg.By != nil)
	refuse := func(field string, value any, reason string) {
		faults = append(faults, &node.FieldError{Field: field, Value: value, Reason: reason})
	}
	if cfg.After != nil && len(cfg.Limits) > 0 && !slices.ContainsFunc(cfg.Limits, func(l Limit) bool { return l.Cost == nil }) {
		refuse("After", "is given", "must not stand beside Limits that all have a Cost of their own: none of them gets its cost")
	}
	if n := len(cfg.PartitionKey); n > 0 && n < leastSecret {
		refuse("PartitionKey", fmt.Sprint(n, " bytes"), fmt.Sprintf("must be a secret of at least %d bytes: whoever guesses it finds out clients", leastSecret))
	}
	if cfg.Headers > HeadersNone {
		refuse("Headers", cfg.Headers, "must be one of the choices")
	}
	return errors.Join(faults...)
}
