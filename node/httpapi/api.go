package httpapi

import (
	"log/slog"
	"net/http"
	"slices"
	"strings"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
)

// Decider makes decisions. It must not block.
type Decider interface {
	Do(r node.Request) node.Decision
}

// Admin changes what is decided. Errors are node.ErrUnknownLimit,
// node.ErrTooManyLimits, node.ErrTooManyResets, node.ErrTooManyChanges or a *node.FieldError, wrapped or
// joined.
type Admin interface {
	SetLimit(name string, p node.Policy) error
	DeleteLimit(name string) error
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
	Ready() error
}

// Node is what is served. *node.Node is one; all methods are called concurrently.
type Node interface {
	Decider
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
	// RedactClients shows clients in /v1/top under made-up names that stay the same
	// until the restart.
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
	mux.Handle("/v1/take", methods{http.MethodPost: a.take})
	mux.Handle("/v1/peek", methods{http.MethodGet: a.peek})
	mux.Handle("/v1/reset", methods{http.MethodPost: a.write(a.reset)})
	mux.Handle("/v1/forget", methods{http.MethodPost: a.write(a.forget)})
	mux.Handle("/v1/limits", methods{http.MethodGet: a.listLimits})
	mux.Handle("/v1/limits/{name}", methods{
		http.MethodGet: a.getLimit, http.MethodPut: a.write(a.putLimit), http.MethodDelete: a.write(a.deleteLimit),
	})
	mux.Handle("/v1/status", methods{http.MethodGet: a.status})
	mux.Handle("/v1/top", methods{http.MethodGet: a.top})
	mux.Handle("/livez", methods{http.MethodGet: a.livez})
	mux.Handle("/readyz", methods{http.MethodGet: a.readyz})
	if cfg.Metrics != nil {
		mux.Handle("/metrics", methods{http.MethodGet: cfg.Metrics.ServeHTTP})
	}
	mux.Handle("/{$}", methods{http.MethodGet: a.page})
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		(&problem{Status: http.StatusNotFound, Detail: "there is nothing at this path: GET / lists what there is"}).write(w)
	})
	return mux
}

// methods is one path's handlers. HEAD is GET without the body.
type methods map[string]http.HandlerFunc

func (m methods) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	method := r.Method
	if method == http.MethodHead {
		method = http.MethodGet
	}
	h, ok := m[method]
	if !ok {
		w.Header().Set("Allow", strings.Join(m.allowed(), ", "))
		(&problem{Status: http.StatusMethodNotAllowed, Detail: r.Method + " is not for this path: use " + strings.Join(m.allowed(), " or ")}).write(w)
		return
	}
	w.Header().Set("Cache-Control", "no-store")
	h(w, r)
}

func (m methods) allowed() []string {
	var all []string
	for method := range m {
		all = append(all, method)
		if method == http.MethodGet {
			all = append(all, http.MethodHead)
		}
	}
	slices.Sort(all)
	return all
}
