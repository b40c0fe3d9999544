package natskv

import (
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/spec"
)

const (
	// prefix begins the keys of limits.
	prefix = "limit."
	// mostValue is the largest value that a watcher reads, in bytes: that of a limit's body
	// over HTTP. Lower refuses limits that HTTP takes; higher costs memory for each key.
	mostValue = 64 << 10
	// mostGone caps the deleted keys that a watcher remembers until it knows what they
	// undo. It ignores further ones. Higher costs memory; lower forgets deletions sooner.
	mostGone = 16 * node.MaxLimits
)

// entry is the content of one key.
type entry struct {
	revision uint64
	at       time.Time // by the server's clock
	gone     bool

	// limit is the value as it was read; nil where it uses other limits, and so is read
	// again each time, where it is at fault, and where the key is gone.
	limit *spec.Limit
	value *spec.Value // of a limit that uses others

	// last is the policy that the bucket said last, nil if that is not known.
	last *node.Policy
	// refused says that the node does not take the limit at all, as for its name.
	refused bool
	told    string // the fault that the log was told of
}

// readEntry makes an entry from a value of the bucket. The error says what is wrong with
// the value.
func readEntry(in jetstream.KeyValueEntry) (*entry, error) {
	e := &entry{revision: in.Revision(), at: in.Created(), gone: in.Operation() != jetstream.KeyValuePut}
	if e.gone {
		return e, nil
	}
	text := in.Value()
	if len(text) > mostValue {
		return e, &node.FieldError{Field: "value", Value: fmt.Sprintf("of %d bytes", len(text)), Reason: fmt.Sprintf("must be at most %d bytes", mostValue)}
	}
	v, err := spec.ParseJSON(text)
	if err != nil {
		return e, fmt.Errorf("the value %w; one that is right is such as %s", err, spec.Example)
	}
	used := false
	var r spec.Reader
	l := r.Limit("", v, func(string) (spec.Limit, error) {
		used = true
		return spec.Limit{}, spec.ErrTold
	})
	if used {
		e.value = &v
		return e, nil
	}
	if err := judge(&r, &l); err != nil {
		return e, err
	}
	e.limit = &l
	return e, nil
}

// judge is what is wrong with a limit that was read.
func judge(r *spec.Reader, l *spec.Limit) error {
	if err := r.Err(); err != nil {
		return err
	}
	return l.Policy().Validate()
}

// nameOf returns the limit of a key, and false for a key of something else.
func nameOf(key string) (string, bool) {
	name, found := strings.CutPrefix(key, prefix)
	return name, found
}
