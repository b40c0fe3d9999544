package httpapi

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
)

// Decider makes decisions. It must not block.
type Decider interface {
	DoDetailed(r node.Request) node.Detail
}

// Reserver makes decisions that are settled later. Reserve must not block, Commit and Cancel
// may until ctx is done. Their errors are node.ErrUnknownReservation, node.ErrUnconfirmed,
// node.ErrTooManyHeld or a *node.FieldError.
type Reserver interface {
	Reserve(r node.Request) *node.Reservation
	Commit(ctx context.Context, token string, actual int64) (back int64, err error)
	Cancel(ctx context.Context, token string) (back int64, err error)
}

// Admin changes what is decided. Errors are node.ErrUnknownLimit, node.ErrTooManyLimits,
// node.ErrTooManyResets, node.ErrTooManyChanges or a *node.FieldError, wrapped or joined.
type Admin interface {
	// SetLimit and DeleteLimit return the instant from which the change holds.
	SetLimit(name string, p node.Policy) (from time.Time, err error)
	DeleteLimit(name string) (from time.Time, err error)
	Reset(limit, client string) error
	// Forget takes a node that will not come back off the list of members, and
	// reports whether it was on it.
	Forget(node string) bool
}

// Observed tells how the node is doing.
type Observed interface {
	Limits() map[string]node.Policy
	Stats() node.Stats
	Top(limit string) ([]node.TopClient, error)
	Explain(limit, client string) (node.Explanation, error)
	Ready() error
}

// Node is what is served. *node.Node is one; all methods are called concurrently.
type Node interface {
	Decider
	Reserver
	Admin
	Observed
}

// Config is what a handler is made from. The zero value of a field other than Node is
// its default.
type Config struct {
	Node Node
	// Version is the program's, shown in status. Default "unknown".
	Version string
	// AdminToken is what writes must present. Without one they are refused, but see
	// Loopback.
	AdminToken string
	// Loopback says that the listener is reachable from this machine alone. Writes
	// need no token then if none is set.
	Loopback bool
	// RedactClients shows clients in /v1/top and /v1/shadow under made-up names that stay
	// the same until the restart. /v1/explain answers those who know the name.
	RedactClients bool
	// Metrics answers GET /metrics. Default: there is none.
	Metrics http.Handler
	// Logger gets changes of limits and resets. Default: nothing is logged.
	Logger *slog.Logger
}

// api is the state behind the handlers.
type api struct {
	node    Node
	version string
	auth    auth
	redact  redactor
	log     *slog.Logger
}

// New makes the handler. It is safe for concurrent use and keeps no state of clients.
func New(cfg Config) http.Handler {
	a := &api{
		node: cfg.Node, version: cfg.Version, log: cfg.Logger,
		auth: newAuth(cfg.AdminToken, cfg.Loopback),
	}
	if a.version == "" {
		a.version = "unknown"
	}
	if a.log == nil {
		a.log = slog.New(slog.DiscardHandler)
	}
	if cfg.RedactClients {
		a.redact = newRedactor()
	}
	mux := http.NewServeMux()
	for _, r := range a.routes(cfg.Metrics) {
		pattern := r.path
		if pattern == "/" {
			pattern = "/{$}" // and nothing below it
		}
		mux.Handle(pattern, r.methods)
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		(&problem{Status: http.StatusNotFound, Detail: "there is nothing at this path: GET / lists what there is"}).write(w)
	})
	return mux
}
