package httpapi

import (
	"cmp"
	"context"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/headers"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/proxies"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/redact"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/seldom"
)

// Decider makes decisions and charges. It must not block, but for a request with a Hold.
type Decider interface {
	DoDetailed(r node.Request) node.Detail
	Charge(r node.Request) node.ChargeDetail
}

// Reserver makes decisions that somebody settles later. Reserve is like DoDetailed; Settle may
// block until ctx is done. Their errors are node.ErrUnknownReservation,
// node.ErrUnconfirmed, node.ErrTooManyHeld or a *node.FieldError.
type Reserver interface {
	Reserve(r node.Request) *node.Reservation
	Settle(ctx context.Context, token string, actual int64) (node.Settlement, error)
}

// Admin changes limits and clients. Its errors are node.ErrUnknownLimit, node.ErrTooManyLimits,
// node.ErrTooManyResets, node.ErrTooManyChanges, node.ErrClockAhead, node.ErrClosed or a
// *node.FieldError, wrapped or joined.
type Admin interface {
	// SetLimit and DeleteLimit return the instant from which the change holds.
	SetLimit(name string, p node.Policy) (from time.Time, err error)
	DeleteLimit(name string) (from time.Time, err error)
	Reset(limit, client string) error
	// Refund may block until ctx is done. Its other errors are node.ErrTooManyPolicies,
	// node.ErrTooManyHeld and node.ErrClosed.
	Refund(ctx context.Context, r node.Request) (node.Refund, error)
	// Forget removes a node that will not come back from the list of members. It reports
	// whether the node was on the list.
	Forget(node string) bool
}

// Observed says how the node is doing.
type Observed interface {
	Limits() map[string]node.Policy
	// Changes are those of limits that do not hold yet.
	Changes() []node.LimitChange
	Stats() node.Stats
	Top(limit string) ([]node.TopClient, error)
	Explain(limit, client string) (node.Explanation, error)
	Ready() error
	// DegradedReasons are those of Stats, and cheap: health asks for them without a token.
	DegradedReasons() []string
}

// Node is the node behind the handler; *node.Node is one. The handler calls all methods
// concurrently.
type Node interface {
	Decider
	Reserver
	Admin
	Observed
}

// Config configures a handler. The zero value of a field other than Node is its default.
type Config struct {
	Node Node
	// Version is the program's version, for the status. Default "unknown".
	Version string
	// AdminToken is the token that writes must present. Without one, the handler refuses
	// writes, but see Loopback.
	AdminToken string
	// AdminTokenName is what the log calls the token of those who write. Default "admin".
	AdminTokenName string
	// APIToken is the token that decisions and reads must present, as a Bearer token or as
	// X-Api-Token. The AdminToken does as well. Without one, they need none. Health never does.
	APIToken string
	// Loopback says that only this machine can reach the listener. Without an AdminToken,
	// writes then need no token. Requests have to call the server localhost, by an address, or
	// by one of Hosts; those that trusted proxies pass on for others, and health, by any name.
	Loopback bool
	Hosts    []string
	// RedactClients shows clients in /v1/top and /v1/shadow under made-up names, which stay
	// the same until the process ends. /v1/explain answers a caller that knows the name.
	RedactClients bool
	// TrustedProxies are the networks of the proxies that /v1/forward believes when they name
	// a client's address. Default: none, and the handler then refuses requests by address.
	TrustedProxies []netip.Prefix
	// PartitionKey is a secret with which RateLimit and RateLimit-Policy tell a program that acts for
	// several clients whose quota they are of (pk), without the client's name. Default: they do not.
	PartitionKey []byte
	// ReadWithin is how long a body may take to arrive, if the server can limit that. Default
	// 10 s. Raising it lets slow clients hold connections for longer; lowering it refuses
	// large limits over slow links.
	ReadWithin time.Duration
	// Metrics answers GET /metrics. Default: 404.
	Metrics http.Handler
	// Dashboard answers GET /, /ui/{file} and /v1/events: see package dashboard. Default: 404.
	Dashboard http.Handler
	// Envoy makes the handler that answers /json and /healthcheck, as Envoy's rate limit service
	// does. refuse says why a request may not do what needs the AdminToken, or "" if it may.
	// Default: 404.
	Envoy func(refuse func(*http.Request) string) http.Handler
	// Decided is told what the limits decided on a request, with the request's context, before it
	// is answered: for its trace, see package oteltrace. It is told of takes, reservations,
	// charges, which are always allowed, and questions of proxies, but not of peeks. Of a batch, it
	// is told of the request that binds. It must not block. Default: nobody is told.
	Decided func(context.Context, node.Request, node.Detail)
	// Logger gets changes of limits and resets, and once a minute that a proxy asks /v1/forward
	// which is not among TrustedProxies. Default: no log.
	Logger *slog.Logger
}

// api is the state behind the handlers.
type api struct {
	node    Node
	version string
	auth    auth
	sites   *sites
	// tokenName is what the log calls the admin token.
	tokenName string
	redact    redact.Names
	proxies   proxies.Trusted
	partition headers.Partition
	decided   func(context.Context, node.Request, node.Detail)
	// changing lets a conditional change see the one before it.
	changing sync.Mutex
	log      *slog.Logger
	asked    seldom.Warner // by proxies that nobody trusts
}

// New makes the handler. It is safe for concurrent use and keeps no state of clients.
func New(cfg Config) http.Handler {
	a := &api{
		node: cfg.Node, version: cfg.Version, log: cfg.Logger,
		auth: auth{newToken(cfg.AdminToken), newToken(cfg.APIToken), cfg.Loopback}, tokenName: cmp.Or(cfg.AdminTokenName, "admin"),
		redact: redact.Names(cfg.RedactClients), decided: cfg.Decided,
	}
	a.partition = cfg.PartitionKey
	a.proxies = proxies.Of(cfg.TrustedProxies)
	a.sites = newSites(cfg.Loopback, cfg.Hosts)
	if a.version == "" {
		a.version = "unknown"
	}
	if a.log == nil {
		a.log = slog.New(slog.DiscardHandler)
	}
	mux, exact := http.NewServeMux(), map[string]methods{} // paths without a parameter need no search
	for _, r := range a.routes(cfg.Metrics, cfg.Dashboard) {
		if !strings.Contains(r.path, "{") {
			exact[r.path] = r.methods
		}
		pattern := r.path
		if pattern == "/" {
			pattern = "/{$}" // and nothing below it
		}
		mux.Handle(pattern, r.methods)
	}
	if cfg.Envoy != nil {
		envoy := cfg.Envoy(a.auth.refuseWrite)
		mux.Handle(envoyPath, envoy)
		mux.Handle("/healthcheck", envoy)
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		(&problem{Status: http.StatusNotFound, Detail: "there is nothing at this path: GET /openapi.yaml lists what there is"}).write(w)
	})
	readWithin := cmp.Or(cfg.ReadWithin, 10*time.Second)
	all := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// A client that sends its body byte by byte would otherwise hold a connection and a
		// buffer for as long as it likes.
		if r.ContentLength != 0 {
			_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(readWithin)) // not every server can
		}
		if m, ok := exact[r.URL.Path]; ok {
			m.ServeHTTP(w, r)
			return
		}
		// The mux redirects a path such as /a//b. Here it is the client's, and a redirect would
		// send the client to the limiter.
		if strings.HasPrefix(r.URL.Path, forwardPath) {
			a.forward(w, r)
			return
		}
		mux.ServeHTTP(w, r)
	})
	return a.sites.guard(a.ask(all))
}
