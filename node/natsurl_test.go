package node_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
	deltasync "github.com/distributed-rate-limiter/distributed-rate-limiter/sync"
)

func TestAWayToOthersThatCannotBeIsRefused(t *testing.T) {
	for _, url := range []string{
		"natz://a:4222", "http://a", "nats://", "nats://:4222", "nats://a:99999", "a:99999", "a:0", "nats://a:", "nats://a:-1", "nats://u:secret@a:x",
		"nats:/a:4222", "nats:a:4222", "::1:4222", "nats://a/x", "nats://a?x=1", "a b", "nats://u:secret@a,natz://b", "ws://a,nats://b", ",", " ",
	} {
		n, err := node.Open(t.Context(), node.Config{Limit: 1, Window: time.Minute, NATS: node.NATS{URL: url}})
		if err == nil {
			_ = n.Close()
		}
		if fault := new(node.FieldError); !errors.As(err, &fault) || fault.Field != "nats" || strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: %v", url, err)
		}
	}
	for _, url := range []string{"a", "a:4222, tls://u:p@b", "wss://a/path,ws://b:80", "NATS://a", "nats://[::1]:65535"} {
		if err := (node.NATS{URL: url}).Validate(); err != nil {
			t.Errorf("%q: %v", url, err)
		}
	}
	if err := (node.NATS{}).Validate(); err != nil {
		t.Errorf("a node alone: %v", err)
	}
}

// A connection that never was one has no server, and could never get one.
func TestAZeroConnectionIsAnError(t *testing.T) {
	cfg := node.Config{Limit: 1, Window: time.Minute, NATS: node.NATS{Conn: &nats.Conn{}}}
	_, err := node.Open(t.Context(), cfg)
	if fault := new(node.FieldError); !errors.As(err, &fault) || fault.Field != "nats" {
		t.Errorf("as a connection: %v", err)
	}
	for name, conn := range map[string]*nats.Conn{"zero": {}, "nil": nil} {
		cfg.NATS, cfg.Transport = node.NATS{}, deltasync.NATS(conn)
		if _, err := node.Open(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), "connection") {
			t.Errorf("%s, within a transport: %v", name, err)
		}
	}
}
