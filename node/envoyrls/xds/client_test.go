package xds_test

import (
	"context"
	"errors"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	conf "github.com/envoyproxy/go-control-plane/ratelimit/config/ratelimit/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/envoyrls"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/envoyrls/xds"
)

// plane is a control plane that a test plays: it passes on what the client sends, and sends
// what the test gives it.
type plane struct {
	discovery.UnimplementedAggregatedDiscoveryServiceServer
	asked   chan *discovery.DiscoveryRequest
	answers chan *discovery.DiscoveryResponse
	headers chan metadata.MD
	end     chan struct{} // ends a stream
}

func (p *plane) StreamAggregatedResources(stream discovery.AggregatedDiscoveryService_StreamAggregatedResourcesServer) error {
	md, _ := metadata.FromIncomingContext(stream.Context())
	p.headers <- md
	go func() {
		for {
			req, err := stream.Recv()
			if err != nil {
				return
			}
			p.asked <- req
		}
	}()
	for {
		select {
		case a := <-p.answers:
			if err := stream.Send(a); err != nil {
				return err
			}
		case <-p.end:
			return errors.New("the stream ends")
		case <-stream.Context().Done():
			return nil
		}
	}
}

// start starts a control plane and a client of it.
func start(t *testing.T) (*plane, <-chan *envoyrls.Rules) {
	t.Helper()
	p := &plane{
		asked: make(chan *discovery.DiscoveryRequest, 10), answers: make(chan *discovery.DiscoveryResponse, 1),
		headers: make(chan metadata.MD, 10), end: make(chan struct{}),
	}
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer()
	discovery.RegisterAggregatedDiscoveryServiceServer(server, p)
	go server.Serve(l) //nolint:errcheck // Stop ends it
	taken := make(chan *envoyrls.Rules, 10)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		xds.Follow(ctx, xds.Config{
			Dial: func() (*grpc.ClientConn, error) {
				return grpc.NewClient(l.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
			},
			Take: func(r *envoyrls.Rules) { taken <- r }, NodeID: "rl", Metadata: map[string]string{"zone": "a"},
			Headers: map[string]string{"x-token": "t"}, Backoff: time.Millisecond,
		})
	}()
	t.Cleanup(func() {
		cancel()
		server.Stop()
		<-done
	})
	return p, taken
}

func await[T any](t *testing.T, c <-chan T, what string) (v T) {
	t.Helper()
	select {
	case v = <-c:
	case <-time.After(30 * time.Second):
		t.Fatalf("no %s within 30 s", what)
	}
	return v
}

func resource(t *testing.T, domain string, ds ...*conf.RateLimitDescriptor) *anypb.Any {
	t.Helper()
	a, err := anypb.New(&conf.RateLimitConfig{Name: domain, Domain: domain, Descriptors: ds})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func limited(key string) *conf.RateLimitDescriptor {
	return &conf.RateLimitDescriptor{Key: key, RateLimit: &conf.RateLimitPolicy{Unit: conf.RateLimitUnit_HOUR, RequestsPerUnit: 5}}
}

func TestGoodRulesAreTakenAndBadOnesRefused(t *testing.T) {
	p, taken := start(t)
	if md := await(t, p.headers, "stream"); !slices.Equal(md.Get("x-token"), []string{"t"}) {
		t.Errorf("got %v", md)
	}
	first := await(t, p.asked, "request")
	if first.GetTypeUrl() != xds.TypeURL || first.GetNode().GetId() != "rl" || first.GetNode().GetMetadata().AsMap()["zone"] != "a" || first.GetVersionInfo() != "" || first.GetResponseNonce() != "" {
		t.Errorf("the first request: %v", first)
	}
	p.answers <- &discovery.DiscoveryResponse{TypeUrl: xds.TypeURL, VersionInfo: "1", Nonce: "n1", Resources: []*anypb.Any{resource(t, "a", limited("k")), resource(t, "b", limited("k"), limited("l"))}}
	if r := await(t, taken, "rules"); r.Domains() != 2 || r.Len() != 3 {
		t.Errorf("got %d domains, %d rules", r.Domains(), r.Len())
	}
	if ack := await(t, p.asked, "ACK"); ack.GetVersionInfo() != "1" || ack.GetResponseNonce() != "n1" || ack.GetErrorDetail() != nil {
		t.Errorf("got %v", ack)
	}
	for i, bad := range [][]*anypb.Any{
		{resource(t, "a", limited(""))},
		{resource(t, "a"), resource(t, "a")},
		{resource(t, "a", &conf.RateLimitDescriptor{Key: "k", RateLimit: &conf.RateLimitPolicy{RequestsPerUnit: 5}})},
		{{TypeUrl: xds.TypeURL, Value: []byte{0xff}}},
		{{TypeUrl: "type.googleapis.com/google.protobuf.Empty"}},
	} {
		p.answers <- &discovery.DiscoveryResponse{TypeUrl: xds.TypeURL, VersionInfo: "2", Nonce: "bad", Resources: bad}
		if nack := await(t, p.asked, "NACK"); nack.GetVersionInfo() != "1" || nack.GetResponseNonce() != "bad" || nack.GetErrorDetail().GetMessage() == "" {
			t.Errorf("bad set %d: %v", i, nack)
		}
	}
	p.answers <- &discovery.DiscoveryResponse{TypeUrl: "type.googleapis.com/other", VersionInfo: "2", Nonce: "type"}
	if nack := await(t, p.asked, "NACK"); nack.GetErrorDetail() == nil {
		t.Errorf("another type: %v", nack)
	}
	select {
	case r := <-taken:
		t.Errorf("refused rules are taken: %v", r)
	default:
	}

	close(p.end) // the next streams end at once, too, and the client goes on trying
	for {
		again := await(t, p.asked, "request")
		if again.GetResponseNonce() != "" {
			continue
		}
		if again.GetVersionInfo() != "1" || again.GetNode().GetId() != "rl" {
			t.Errorf("the first request of a new stream: %v", again)
		}
		break
	}
}

func TestAResourceSaysAllThatAFileSays(t *testing.T) {
	p, taken := start(t)
	await(t, p.asked, "request")
	metadata, err := structpb.NewStruct(map[string]any{"ratelimiter": map[string]any{"burst": 2.0}, "team": "a", "tags": []any{1.5, true, nil}})
	if err != nil {
		t.Fatal(err)
	}
	p.answers <- &discovery.DiscoveryResponse{TypeUrl: xds.TypeURL, VersionInfo: "1", Nonce: "n", Resources: []*anypb.Any{resource(t, "d",
		&conf.RateLimitDescriptor{Key: "a", Value: "v*", ShadowMode: true, DetailedMetric: true, Metadata: metadata, RateLimit: &conf.RateLimitPolicy{
			Unit: conf.RateLimitUnit_DAY, RequestsPerUnit: 1 << 31, Name: "n", Replaces: []*conf.RateLimitReplace{{Name: "o"}},
		}},
		&conf.RateLimitDescriptor{Key: "b", QuotaMode: true, RateLimit: &conf.RateLimitPolicy{Unlimited: true}},
		&conf.RateLimitDescriptor{Key: "c", Descriptors: []*conf.RateLimitDescriptor{limited("d")}},
	)}}
	if r := await(t, taken, "rules"); r.Len() != 3 {
		t.Errorf("got %d rules", r.Len())
	}
	await(t, p.asked, "ACK")
	metadata.Fields["ratelimiter"].GetStructValue().Fields["burst"] = structpb.NewNumberValue(-1)
	bad := limited("k")
	bad.Metadata = metadata
	p.answers <- &discovery.DiscoveryResponse{TypeUrl: xds.TypeURL, VersionInfo: "2", Nonce: "n2", Resources: []*anypb.Any{resource(t, "d", bad)}}
	if nack := await(t, p.asked, "NACK"); !strings.Contains(nack.GetErrorDetail().GetMessage(), `resource "d": descriptors[0].metadata.ratelimiter.burst "-1"`) {
		t.Errorf("got %v", nack)
	}
}
