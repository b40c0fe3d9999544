package grpclimit

import (
	"context"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/keys"
)

// Interceptors limit the calls of a server. Make them by New. Immutable; safe for concurrent
// use.
type Interceptors struct{ cfg Config }

// New makes interceptors. The error joins every fault of cfg, each a *node.FieldError.
func New(cfg Config) (*Interceptors, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	if cfg.Failed == nil {
		cfg.Failed = Refuse
	}
	if len(cfg.Limits) == 0 {
		cfg.Limits = []Limit{{}}
	}
	return &Interceptors{cfg}, nil
}

// Unary limits unary calls.
func (i *Interceptors) Unary() grpc.UnaryServerInterceptor {
	return func(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
		if err := i.decide(Call{Context: ctx, Method: info.FullMethod, Message: req}, func(m metadata.MD) { _ = grpc.SetTrailer(ctx, m) }); err != nil {
			return nil, err
		}
		return handler(ctx, req)
	}
}

// Stream limits streams, and with Config.Messages each message that they receive. A handler
// gets the denial of a message from RecvMsg, and should return it.
func (i *Interceptors) Stream() grpc.StreamServerInterceptor {
	return func(srv any, s grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
		if err := i.decide(Call{Context: s.Context(), Method: info.FullMethod}, s.SetTrailer); err != nil {
			return err
		}
		if i.cfg.Messages {
			s = &limitedStream{ServerStream: s, by: i, method: info.FullMethod}
		}
		return handler(srv, s)
	}
}

// limitedStream decides on each message that it receives.
type limitedStream struct {
	grpc.ServerStream

	by     *Interceptors
	method string
}

func (s *limitedStream) RecvMsg(m any) error {
	if err := s.ServerStream.RecvMsg(m); err != nil {
		return err
	}
	return s.by.decide(Call{Context: s.Context(), Method: s.method, Message: m}, s.SetTrailer)
}

// Limit decides on the call of a server's context. It makes Interceptors the ratelimit.Limiter
// of go-grpc-middleware, which answers RESOURCE_EXHAUSTED with the error's text alone: Unary
// and Stream tell the client more.
func (i *Interceptors) Limit(ctx context.Context) error {
	method, _ := grpc.Method(ctx)
	return i.decide(Call{Context: ctx, Method: method}, func(m metadata.MD) { _ = grpc.SetTrailer(ctx, m) })
}

// decide returns the status of a call that may not pass, or nil.
func (i *Interceptors) decide(c Call, trailer func(metadata.MD)) error {
	if i.cfg.Skip != nil && i.cfg.Skip(c) {
		return nil
	}
	q, limited, err := i.request(c)
	if err != nil {
		return i.cfg.Failed(c, err)
	}
	if !limited {
		return nil
	}
	d := i.cfg.Limiter.DoDetailed(q)
	if d.Fault != nil && d.Reason != node.ReasonCostTooHigh {
		return i.cfg.Failed(c, d.Fault)
	}
	if i.cfg.Decided != nil {
		i.cfg.Decided(c.Context, q, d)
	}
	if !d.Allowed {
		trailer(pushback(&d.Decision))
		return denied(&d)
	}
	return nil
}

// request is what the node is asked. limited is false if no limit is to be passed.
func (i *Interceptors) request(c Call) (q node.Request, limited bool, err error) {
	limits := i.cfg.Limits
	if i.cfg.By != nil {
		if limits = i.cfg.By(c); len(limits) == 0 {
			return q, false, nil
		}
	}
	q.Origin = keys.Origin(remote(c.Context))
	for n, l := range limits {
		key, cost := l.Key, l.Cost
		if key.Zero() {
			key = i.cfg.Key
		}
		if cost == nil {
			cost = i.cfg.Cost
		}
		client, err := key.Find(c.Context)
		if err != nil {
			return q, false, err
		}
		if n == 0 {
			q.Client, q.Limit, q.Cost = client, l.Name, keys.CostOf(cost, c)
			continue
		}
		also := node.Check{Client: client, Limit: l.Name, Cost: keys.CostOf(cost, c)}
		if also.Limit == "" {
			also.Limit = node.DefaultLimit
		}
		q.Also = append(q.Also, also)
	}
	q.Door, q.Hold = node.DoorGRPC, c.Context
	return q, true, nil
}
