package spec

import (
	"errors"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
)

// Hold is node.Policy.Hold as users write it: seconds or a duration, where 0 is node.NoHold. The
// zero value is not given.
type Hold struct{ time.Duration }

var errHold = errors.New("must be a number of seconds or a duration such as 10ms, from 0, which is never, to " + node.MaxHold.String())

// UnmarshalText implements encoding.TextUnmarshaler.
func (h *Hold) UnmarshalText(text []byte) error {
	w, err := ParseWindow(string(text))
	switch {
	case err != nil || w.Calendar != 0 || w.Duration < 0 || w.Duration > node.MaxHold:
		return errHold
	case w.Duration == 0:
		w.Duration = node.NoHold
	}
	h.Duration = w.Duration
	return nil
}

// MarshalJSON implements json.Marshaler. It writes seconds, as for a Window.
func (h Hold) MarshalJSON() ([]byte, error) {
	if h.Duration == node.NoHold {
		h.Duration = 0
	}
	return Window{Duration: h.Duration}.MarshalJSON()
}
