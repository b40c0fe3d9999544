package xds

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"time"

	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	conf "github.com/envoyproxy/go-control-plane/ratelimit/config/ratelimit/v3"
	rpc "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/envoyrls"
)

// TypeURL is the type of the resources that the client asks for.
const TypeURL = "type.googleapis.com/ratelimit.config.ratelimit.v3.RateLimitConfig"

// Config configures a client. The zero value of a field other than Dial and Take is its
// default.
type Config struct {
	// Dial makes a connection to the control plane. The client calls it again for every
	// attempt, so that it can read certificates anew, and closes what it returned.
	Dial func() (*grpc.ClientConn, error)
	// Take gets each good set of rules, one at a time. Refused hears of each other one. Default:
	// nobody does.
	Take    func(*envoyrls.Rules)
	Refused func()
	// NodeID is the client's name at the control plane, and Metadata is what else it is told.
	NodeID   string
	Metadata map[string]string
	// Headers are gRPC metadata of the stream.
	Headers map[string]string
	Options envoyrls.Options
	// Backoff is how long the client waits before its second attempt, and before it refuses the
	// same set again; it doubles up to mostBackoff. Default 1 s. Lower asks a control plane that comes back more often.
	Backoff time.Duration
	// Logger gets new rules, rules that were refused, and control planes that are away.
	// Default: no log.
	Logger *slog.Logger
}

// mostBackoff is the longest wait between two attempts, and before the same set is refused again.
// Raising it finds a control plane, or its next set, later. Lowering it asks one that is away or
// wrong more often.
const mostBackoff = 30 * time.Second

// client follows a control plane. One goroutine uses it.
type client struct {
	cfg     Config
	node    *core.Node
	version string // of the last good set
	refused refusal
}

// refusal is the set that was refused last.
type refusal struct {
	version, text string
	wait          time.Duration // before it is refused again
}

// Follow takes rules from a control plane until ctx is done. It asks for the state of the
// world over ADS. The last good set stays while the control plane is away, and after a set
// that cannot be read, which it refuses with the reason.
func Follow(ctx context.Context, cfg Config) {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Refused == nil {
		cfg.Refused = func() {}
	}
	if cfg.Backoff == 0 {
		cfg.Backoff = time.Second
	}
	c := &client{cfg: cfg, node: &core.Node{Id: cfg.NodeID, Metadata: &structpb.Struct{Fields: map[string]*structpb.Value{}}}}
	for name, value := range cfg.Metadata {
		c.node.Metadata.Fields[name] = structpb.NewStringValue(value)
	}
	told := ""
	for wait := cfg.Backoff; ; wait = min(2*wait, mostBackoff) {
		heard, err := c.attend(ctx)
		if ctx.Err() != nil {
			return
		}
		if heard {
			wait, told = cfg.Backoff, ""
		}
		if text := err.Error(); text != told {
			told = text
			cfg.Logger.Warn("the control plane does not answer: the last good rules go on", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait/2 + rand.N(wait)):
		}
	}
}

// attend follows one connection until it ends. heard says that the control plane answered.
func (c *client) attend(ctx context.Context) (heard bool, err error) {
	conn, err := c.cfg.Dial()
	if err != nil {
		return false, err
	}
	defer conn.Close() //nolint:errcheck // nothing is lost
	ctx, cancel := context.WithCancel(metadata.NewOutgoingContext(ctx, metadata.New(c.cfg.Headers)))
	defer cancel()
	stream, err := discovery.NewAggregatedDiscoveryServiceClient(conn).StreamAggregatedResources(ctx)
	if err != nil {
		return false, err
	}
	req := &discovery.DiscoveryRequest{Node: c.node, TypeUrl: TypeURL, VersionInfo: c.version}
	for {
		if err := stream.Send(req); err != nil {
			_, err = stream.Recv() // which has the reason
			return heard, err
		}
		answer, err := stream.Recv()
		if err != nil {
			return heard, err
		}
		heard = true
		var wait time.Duration
		if req, wait = c.take(answer); wait > 0 {
			select {
			case <-ctx.Done():
				return heard, ctx.Err()
			case <-time.After(wait):
			}
		}
	}
}

// take takes over an answer's rules, and makes the request that accepts or refuses them. Some
// control planes answer a refusal with the same set at once, so the request has to wait then.
func (c *client) take(answer *discovery.DiscoveryResponse) (reply *discovery.DiscoveryRequest, wait time.Duration) {
	rules, err := read(answer, c.cfg.Options)
	reply = &discovery.DiscoveryRequest{Node: c.node, TypeUrl: TypeURL, ResponseNonce: answer.GetNonce()}
	if err != nil {
		c.cfg.Refused()
		wait = c.refuse(answer.GetVersionInfo(), err)
		reply.ErrorDetail = &rpc.Status{Code: int32(codes.InvalidArgument), Message: err.Error()}
	} else {
		c.version, c.refused = answer.GetVersionInfo(), refusal{}
		c.cfg.Take(rules)
		c.cfg.Logger.Info("rules taken from the control plane", "version", c.version, "domains", rules.Domains(), "rules", rules.Len())
	}
	reply.VersionInfo = c.version
	return reply, wait
}

// refuse notes a set that cannot be read, and returns how long to wait before it is refused. The
// log hears of it once.
func (c *client) refuse(version string, err error) (wait time.Duration) {
	last := c.refused
	c.refused = refusal{version: version, text: err.Error(), wait: c.cfg.Backoff}
	if version == last.version && last.text != "" {
		wait = last.wait
		c.refused.wait = min(2*wait, mostBackoff)
	}
	if version != last.version || c.refused.text != last.text {
		c.cfg.Logger.Error("the control plane's rules are refused: the last good ones go on", "version", version, "error", err)
	}
	return wait
}

var errType = errors.New("the answer is of another type than " + TypeURL)

// read reads the resources of an answer.
func read(answer *discovery.DiscoveryResponse, o envoyrls.Options) (*envoyrls.Rules, error) {
	if answer.GetTypeUrl() != TypeURL {
		return nil, errType
	}
	var trees []envoyrls.Named
	for _, r := range answer.GetResources() {
		c := new(conf.RateLimitConfig)
		if err := r.UnmarshalTo(c); err != nil {
			return nil, err
		}
		trees = append(trees, treeOf(c))
	}
	return envoyrls.FromTrees(trees, o)
}
