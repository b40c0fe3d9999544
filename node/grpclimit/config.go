package grpclimit

import (
	"context"
	"errors"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/keys"
)

// Limiter decides; *node.Node is one. It must not block, but for a request with a Hold. Interceptors call it concurrently.
type Limiter interface {
	DoDetailed(q node.Request) node.Detail
}

// Config configures interceptors. The zero value of a field other than Limiter and Key is its
// default. Interceptors call all functions concurrently.
type Config struct {
	Limiter Limiter
	// Key says which client a call counts for. It has no default.
	Key Key
	// Limits all have to admit a call, at most 1 + node.MaxChecks; if one denies, none is
	// charged. Default: the limit "default". By returns them for one call instead; a call for
	// which it returns none passes.
	Limits []Limit
	By     func(Call) []Limit
	// Cost is how many units a call takes, and less than 1 counts as 1. Default 1.
	Cost func(Call) int64
	// Skip lets calls pass that it returns true for, such as health checks.
	Skip func(Call) bool
	// Messages decides on each message that a stream receives, beside the stream itself.
	Messages bool
	// Failed says what happens if nobody can decide: the error wraps ErrNoKey, or is the fault
	// of node.Detail. If it returns nil the call passes, uncounted; otherwise that is the
	// answer. Default Refuse.
	Failed func(Call, error) error
	// Decided is told what the limits decided on a call or a message, with the call's context,
	// before it is answered: for its trace, see package oteltrace. It must not block. Default:
	// nobody is told.
	Decided func(context.Context, node.Request, node.Detail)
}

// Limit is one limit that a call has to pass. The zero value is the limit "default", with the
// Key and Cost of Config.
type Limit struct {
	Name string
	Key  Key
	Cost func(Call) int64
}

// Call is a call, or a message of a stream, that is decided on.
type Call struct {
	Context context.Context //nolint:containedctx // it is the call's, and lives no longer
	// Method is the full name, such as /package.Service/Method.
	Method string
	// Message is the request of a unary call or the message of a stream, nil when a stream
	// begins.
	Message any
}

func (cfg *Config) validate() error {
	limits := make([]keys.Key[context.Context], len(cfg.Limits))
	for i, l := range cfg.Limits {
		limits[i] = l.Key.Key
	}
	return errors.Join(keys.Faults(cfg.Limiter != nil, cfg.Key.Key, limits, cfg.By != nil)...)
}
