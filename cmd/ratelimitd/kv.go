package main

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/config"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/natskv"
)

// followerStops is how long a stop waits for a follower, which may be in the middle of connecting.
// Raising it holds up the stop. Lowering it leaves the connection to the end of the process.
const followerStops = time.Second

// bucketFault is what is wrong with the bucket's setting.
func bucketFault(s *config.Settings) error {
	const key = "nats_kv_bucket"
	switch {
	case s.NATSKVBucket == "":
		return nil
	case s.NATS == "":
		return at(s, key, "needs an external NATS server with JetStream, which -nats names: the embedded one has none")
	}
	if err := natskv.ValidBucket(s.NATSKVBucket); err != nil {
		return at(s, key, "%w", err)
	}
	return nil
}

// follower keeps a node's limits as a bucket says. It has a connection of its own, because the
// node's connection belongs to the node, and drops messages rather than repeating them.
type follower struct {
	cancel context.CancelFunc
	done   chan struct{}
}

// follow makes a node follow the bucket, if the settings name one. It waits for nothing.
func (p *plan) follow(n natskv.Node) *follower {
	bucket := p.settings.NATSKVBucket
	if bucket == "" {
		return nil
	}
	ctx, cancel := context.WithCancel(context.Background())
	f := &follower{cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(f.done)
		conn, err := nats.Connect(p.link.url, append(p.patient("ratelimitd limits", "NATS, asked for limits"), p.link.options...)...)
		if err != nil {
			p.log.Error("the NATS bucket cannot be followed: restart with other settings", "bucket", bucket, "error", err)
			return
		}
		defer conn.Close()
		w, err := natskv.Watch(ctx, natskv.Config{Conn: conn, Bucket: bucket, Node: n, Logger: p.log})
		if err != nil {
			p.log.Error("the NATS bucket cannot be followed: restart with other settings", "bucket", bucket, "error", err)
			return
		}
		<-ctx.Done()
		w.Close()
	}()
	return f
}

// patient are the options of a connection that waits for the server for ever. It logs nothing while
// the server is away, because the node does. what begins the log's lines about all else.
func (p *plan) patient(name, what string) []nats.Option {
	var last atomic.Value
	return []nats.Option{
		nats.Name(name),
		nats.RetryOnFailedConnect(true), nats.MaxReconnects(-1), nats.ReconnectWait(time.Second),
		nats.Timeout(2 * time.Second), nats.PingInterval(2 * time.Second), nats.MaxPingsOutstanding(2),
		nats.IgnoreAuthErrorAbort(),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
			if text := err.Error(); last.Swap(text) != text {
				p.log.Warn(what, "error", err) // such as a permission that is missing
			}
		}),
	}
}

func (f *follower) stop() {
	if f == nil {
		return
	}
	f.cancel()
	select {
	case <-f.done:
	case <-time.After(followerStops):
	}
}
