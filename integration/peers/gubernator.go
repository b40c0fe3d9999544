package main

import (
	"context"
	"io"

	"github.com/gubernator-io/gubernator/v2"
	"github.com/sirupsen/logrus"
	"google.golang.org/grpc"
)

// openGubernator is one instance that owns every client, asked in process: gubernator's local
// path, without a network.
func openGubernator(q quota) (allow, error) {
	silent := logrus.New()
	silent.SetOutput(io.Discard)
	g, err := gubernator.NewV1Instance(gubernator.Config{
		GRPCServers: []*grpc.Server{grpc.NewServer()}, Logger: silent, CacheSize: 2_000_000,
	})
	if err != nil {
		return nil, err
	}
	open = append(open, g)
	g.SetPeers([]gubernator.PeerInfo{{GRPCAddress: "127.0.0.1:1", IsOwner: true}})
	ctx := context.Background()
	return func(client string) bool {
		r, err := g.GetRateLimits(ctx, &gubernator.GetRateLimitsReq{Requests: []*gubernator.RateLimitReq{{
			Name: "peers", UniqueKey: client, Hits: 1, Limit: q.limit, Duration: q.window.Milliseconds(),
		}}})
		return err == nil && r.Responses[0].Status == gubernator.Status_UNDER_LIMIT
	}, nil
}
