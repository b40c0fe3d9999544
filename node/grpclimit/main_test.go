package grpclimit_test

import (
	"context"
	"io"
	"maps"
	"net"
	"testing"
	"time"

	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/grpclimit"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/doortest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// open makes a node whose clock stands still, with a limit of 3 a minute named default.
func open(t testing.TB, more map[string]node.Policy) *node.Node {
	t.Helper()
	limits := map[string]node.Policy{"default": {Limit: 3, Window: time.Minute}}
	maps.Copy(limits, more)
	return doortest.Open(t, limits)
}

type text = wrapperspb.StringValue

// echo is a service that repeats what it gets: once, or each message of a stream.
var echo = grpc.ServiceDesc{
	ServiceName: "test.Echo",
	HandlerType: (*any)(nil),
	Methods: []grpc.MethodDesc{{MethodName: "Once", Handler: func(_ any, ctx context.Context, dec func(any) error, by grpc.UnaryServerInterceptor) (any, error) {
		in := &text{}
		if err := dec(in); err != nil {
			return nil, err
		}
		return by(ctx, in, &grpc.UnaryServerInfo{FullMethod: "/test.Echo/Once"}, func(_ context.Context, req any) (any, error) { return req, nil })
	}}},
	Streams: []grpc.StreamDesc{{StreamName: "Many", ServerStreams: true, ClientStreams: true, Handler: func(_ any, s grpc.ServerStream) error {
		for {
			in := &text{}
			switch err := s.RecvMsg(in); {
			case err == io.EOF: //nolint:errorlint // a stream's end is this very value
				return nil
			case err != nil:
				return err
			}
			if err := s.SendMsg(in); err != nil {
				return err
			}
		}
	}}},
}

// dial starts the service behind interceptors, and returns a connection to it.
func dial(t testing.TB, cfg grpclimit.Config) *grpc.ClientConn {
	t.Helper()
	limits, err := grpclimit.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	s := grpc.NewServer(grpc.UnaryInterceptor(limits.Unary()), grpc.StreamInterceptor(limits.Stream()))
	s.RegisterService(&echo, nil)
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	conn, err := grpc.NewClient(l.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = conn.Close()
		s.Stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return conn
}

// once makes a unary call with metadata, and returns its trailer.
func once(t testing.TB, conn *grpc.ClientConn, say string, md ...string) (metadata.MD, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	var trailer metadata.MD
	out := &text{}
	err := conn.Invoke(metadata.AppendToOutgoingContext(ctx, md...), "/test.Echo/Once", &text{Value: say}, out, grpc.Trailer(&trailer))
	if err == nil && out.Value != say {
		t.Errorf("said %q, heard %q", say, out.Value)
	}
	return trailer, err
}
