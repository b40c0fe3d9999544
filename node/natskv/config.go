package natskv

import (
	"fmt"
	"log/slog"
	"regexp"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
)

// Node is the node whose limits follow the bucket; *node.Node is one. No method may block.
type Node interface {
	SetLimit(name string, p node.Policy) (from time.Time, err error)
	DeleteLimit(name string) (from time.Time, err error)
	// Limits returns the limits in force. Changes returns those that take effect in a
	// moment.
	Limits() map[string]node.Policy
	Changes() []node.LimitChange
	// Stats says from when each limit holds, and whether the node has joined its cluster.
	// Before it has, it does not know what others have written.
	Stats() node.Stats
}

// Config configures a Watcher. Conn, Bucket and Node have no default.
type Config struct {
	// Conn is a connection to a NATS server with JetStream. The caller keeps and closes it.
	// Give it MaxReconnects(-1); otherwise the watcher is cut off for good after a minute
	// without a server.
	Conn *nats.Conn
	// Bucket is the bucket's name. The bucket may appear later. The watcher never creates
	// it.
	Bucket string
	Node   Node
	// Spread is the time over which the nodes of a cluster spread their writes. One of them
	// then writes a change, and the others see it. Of n nodes, the first one writes after
	// Spread/(n+1) on average. Default 500 ms.
	Spread time.Duration
	// Check is how often the watcher compares the bucket with what it read, and the limits
	// with the bucket. Default 5 s.
	Check time.Duration
	// Logger gets changes, refused values, and the loss and return of the bucket. Default:
	// no log.
	Logger *slog.Logger
}

const (
	// defaultSpread is long beside the milliseconds in which nodes hear of a change. Raising it delays
	// every change; lowering it lets several nodes write the same one.
	defaultSpread = 500 * time.Millisecond
	// defaultCheck is how long a change that somebody made past the bucket may hold. Raising it lets such
	// a change hold for longer; lowering it asks the server more often.
	defaultCheck = 5 * time.Second
)

func (c Config) complete() (Config, error) {
	if c.Conn == nil || len(c.Conn.Servers()) == 0 {
		return c, fieldError("conn", "nil", "must be a connection to a NATS server")
	}
	if c.Node == nil {
		return c, fieldError("node", "nil", "must be the node whose limits follow the bucket")
	}
	if c.Spread < 0 {
		return c, fieldError("spread", c.Spread, "must not be negative")
	}
	if c.Check < 0 {
		return c, fieldError("check", c.Check, "must not be negative")
	}
	if c.Spread == 0 {
		c.Spread = defaultSpread
	}
	if c.Check == 0 {
		c.Check = defaultCheck
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	c.Logger = c.Logger.With("bucket", c.Bucket)
	if err := ValidBucket(c.Bucket); err != nil {
		return c, fmt.Errorf("natskv: %w", err)
	}
	return c, nil
}

var bucketName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,200}$`)

// ValidBucket reports whether a bucket can have that name. The error is a *node.FieldError.
func ValidBucket(name string) error {
	if !bucketName.MatchString(name) {
		return &node.FieldError{Field: "bucket", Value: fmt.Sprintf("%.80q", name), Reason: "must be 1 to 200 of A-Z, a-z, 0-9, _ and -"}
	}
	return nil
}

func fieldError(field string, value any, reason string) error {
	return fmt.Errorf("natskv: %w", &node.FieldError{Field: field, Value: value, Reason: reason})
}
