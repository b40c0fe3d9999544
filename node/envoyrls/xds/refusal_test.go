package xds

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"

	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	conf "github.com/envoyproxy/go-control-plane/ratelimit/config/ratelimit/v3"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/envoyrls"
)

// go-control-plane's server answers a refusal with the same set at once.
func TestTheSameSetIsRefusedMoreAndMoreSlowly(t *testing.T) {
	var log bytes.Buffer
	refused := 0
	c := &client{node: &core.Node{}, cfg: Config{
		Backoff: time.Second, Logger: slog.New(slog.NewTextHandler(&log, nil)), Take: func(*envoyrls.Rules) {}, Refused: func() { refused++ },
	}}
	const faulty, good = "", "k"
	for i, step := range []struct {
		version, key string
		seconds      float64
		logged       bool
	}{
		{"1", faulty, 0, true},
		{"1", faulty, 1, false},
		{"1", faulty, 2, false},
		{"2", faulty, 0, true},
		{"2", faulty, 1, false},
		{"3", good, 0, true},
		{"2", faulty, 0, true},
		{"2", faulty, 1, false},
		{"2", faulty, 2, false},
		{"2", faulty, 4, false},
		{"2", faulty, 8, false},
		{"2", faulty, 16, false},
		{"2", faulty, 30, false},
		{"2", faulty, 30, false},
	} {
		resource, err := anypb.New(&conf.RateLimitConfig{Name: "d", Domain: "d", Descriptors: []*conf.RateLimitDescriptor{{Key: step.key}}})
		if err != nil {
			t.Fatal(err)
		}
		log.Reset()
		reply, wait := c.take(&discovery.DiscoveryResponse{TypeUrl: TypeURL, VersionInfo: step.version, Resources: []*anypb.Any{resource}})
		if (reply.GetErrorDetail() == nil) != (step.key == good) || wait.Seconds() != step.seconds || strings.Contains(log.String(), "version="+step.version) != step.logged {
			t.Errorf("step %d: got %v, after %v, and the log has %q", i, reply, wait, &log)
		}
	}
	if refused != 13 {
		t.Errorf("%d sets were refused", refused)
	}
}
