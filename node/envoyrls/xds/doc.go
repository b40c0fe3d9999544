// Package xds takes the rules of Envoy's rate limit service from a control plane, as
// envoyproxy/ratelimit does: by ADS, the state of the world, as Envoy Gateway and Envoy AI
// Gateway serve them.
//
//	go xds.Follow(ctx, xds.Config{
//		Dial:   func() (*grpc.ClientConn, error) { return grpc.NewClient("control-plane:18001", credentials) },
//		Take:   service.SetRules,
//		NodeID: "envoy-ratelimit",
//	})
package xds
