package envoyrls

import (
	"context"
	"log/slog"
	"net/http"
	"runtime"
	"sync"
	"sync/atomic"

	rls "github.com/envoyproxy/go-control-plane/envoy/service/ratelimit/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
)

// Node decides and charges; *node.Node is one. The service calls it concurrently. Only Refund
// may block, until ctx is done.
type Node interface {
	Do(r node.Request) node.Decision
	DoDetailed(r node.Request) node.Detail
	Charge(r node.Request) node.ChargeDetail
	Refund(ctx context.Context, r node.Request) (node.Refund, error)
}

// Config configures a Service. The zero value of a field other than Node is its default.
type Config struct {
	Node Node
	// Rules hold from the start. Default: none, and every request fails as unavailable until
	// SetRules.
	Rules *Rules
	// Headers are the fields that Envoy is told to add to the client's answer.
	Headers Headers
	// Metadata puts what was asked, and the metadata of the rules that let it pass, into the
	// answers' dynamic_metadata.
	Metadata bool
	// Shadow lets every request pass, whatever its descriptors' codes are. Quota treats every
	// rule as if it had quota_mode.
	Shadow, Quota bool
	// Stats counts by rule, for Stats.
	Stats bool
	// Decided is told of each request that a rule limits, with its context, before it is answered:
	// for its trace, see package oteltrace. It gets the request and the decision of the tightest
	// rule, whose Limit is the rule's name, and Allowed is the answer of the whole request. It must
	// not block. Default: nobody is told.
	Decided func(context.Context, node.Request, node.Detail)
	// Logger gets changes of the rules and refunds that failed. Default: no log.
	Logger *slog.Logger
}

// Service is Envoy's rate limit service. Make one with New. Safe for concurrent use.
type Service struct {
	rls.UnimplementedRateLimitServiceServer

	cfg       Config // never changes
	rules     atomic.Pointer[Rules]
	overrides overrides
	health    *health.Server // follows serving
	serving   atomic.Bool
	stats     *stats    // nil if nobody counts
	work      sync.Pool // of *work
}

// HealthName is the service's name in gRPC's health protocol, as in envoyproxy/ratelimit. The
// empty name answers alike.
const HealthName = "ratelimit"

// New makes a service that serves.
func New(cfg Config) *Service {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	s := &Service{cfg: cfg, health: health.NewServer()}
	s.work.New = func() any { return new(work) }
	if cfg.Stats {
		s.stats = newStats()
	}
	s.rules.Store(cfg.Rules)
	s.SetServing(true)
	return s
}

// SetRules replaces all rules at once. Requests under way go on with the old ones. A bucket whose
// limit and unit stay keeps its level. With another limit it is another bucket, which is full.
func (s *Service) SetRules(r *Rules) { s.rules.Store(r) }

// Rules are the rules in force, nil before the first.
func (s *Service) Rules() *Rules { return s.rules.Load() }

// SetServing says whether clients are to ask this service. It answers in any case.
func (s *Service) SetServing(ok bool) {
	s.serving.Store(ok)
	state := healthpb.HealthCheckResponse_NOT_SERVING
	if ok {
		state = healthpb.HealthCheckResponse_SERVING
	}
	s.health.SetServingStatus(HealthName, state)
	s.health.SetServingStatus("", state)
}

// ServerOptions make a gRPC server fast for this service. Without them, each request runs on a new
// goroutine, whose stack grows twice before a decision is made: a tenth of a request's processor
// time (`make bench-network`). With them, workers keep their stacks. A request that finds no idle
// worker still gets a goroutine of its own, so a slow request holds up nobody. More workers
// keep more stacks of 16 KiB; fewer leave more requests to new goroutines.
func ServerOptions() []grpc.ServerOption {
	return []grpc.ServerOption{grpc.NumStreamWorkers(uint32(4 * runtime.GOMAXPROCS(0)))} //nolint:gosec // small
}

// Register makes a gRPC server serve the service, and its health.
func (s *Service) Register(server grpc.ServiceRegistrar) {
	rls.RegisterRateLimitServiceServer(server, s)
	healthpb.RegisterHealthServer(server, s.health)
}

// Handler serves POST /json, the service for those who cannot speak gRPC, and GET
// /healthcheck. refuse says why the sender of a request may not give units back, or "" if it
// may. Without refuse, nobody may.
func (s *Service) Handler(refuse func(*http.Request) string) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /json", func(w http.ResponseWriter, r *http.Request) { s.json(w, r, refuse) })
	mux.HandleFunc("/healthcheck", s.healthcheck)
	return mux
}

// ShouldRateLimit implements the service. A request is at fault if it has no domain or no
// descriptor, as in envoyproxy/ratelimit; a domain without rules lets everything pass. The node
// decides in memory. Only a descriptor with
// is_negative_hits can wait for other nodes: for half of the time that ctx leaves, at most a second.
func (s *Service) ShouldRateLimit(ctx context.Context, req *rls.RateLimitRequest) (*rls.RateLimitResponse, error) {
	rules := s.rules.Load()
	switch {
	case req.GetDomain() == "":
		return nil, status.Error(codes.InvalidArgument, "domain: must not be empty")
	case len(req.GetDescriptors()) == 0:
		return nil, status.Error(codes.InvalidArgument, "descriptors: must not be empty")
	case rules == nil:
		return nil, status.Error(codes.Unavailable, "no rules have been loaded yet")
	}
	w := s.work.Get().(*work) //nolint:errcheck,forcetypeassert // it holds nothing else
	defer s.work.Put(w)
	defer w.reset()
	if err := w.list(s, rules, req); err != nil {
		return nil, err
	}
	if err := w.decide(ctx, s); err != nil {
		return nil, err
	}
	s.count(rules, req, w)
	answer := s.answer(req, w)
	if s.cfg.Decided != nil {
		s.tell(ctx, w, answer.GetOverallCode())
	}
	return answer, nil
}

// tell tells Config.Decided what the answer to a request says, by its tightest part.
func (s *Service) tell(ctx context.Context, w *work, code rls.RateLimitResponse_Code) {
	best := w.tightest()
	if best == nil {
		return
	}
	q, d := best.request(), best.d
	q.Limit, q.Peek = best.rule.label, best.how == look
	d.Limit, d.Allowed = best.rule.label, code == rls.RateLimitResponse_OK
	s.cfg.Decided(ctx, q, node.Detail{Decision: d})
}
