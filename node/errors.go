package node

import (
	"errors"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/limits"
)

// Errors to branch on. A denial is never one of them.
var (
	// ErrUnknownLimit says that there is no limit of this name.
	ErrUnknownLimit = limits.ErrUnknownLimit
	// ErrTooManyLimits is SetLimit's answer at a node that has its fill, MaxLimits.
	ErrTooManyLimits = limits.ErrTooManyLimits
	// ErrTooManyPolicies is the fault of a request with a policy of its own at a node that has
	// its fill, MaxInlinePolicies, of them.
	ErrTooManyPolicies = limits.ErrTooManyInline
	// ErrTooManyChanges is SetLimit's answer to several changes of one limit at once.
	ErrTooManyChanges = limits.ErrTooManyChanges
	// ErrTooManyResets is Reset's answer at a node that repeats as many resets as it can.
	ErrTooManyResets = limits.ErrTooManyResets
	// ErrClockAhead is the answer of SetLimit, DeleteLimit and Configure at a node whose time is
	// ahead of its wall clock by more than Config.ClockTolerance: peers would refuse the change.
	// It is Ready's answer if the node has a network. See Node.ClockAhead.
	ErrClockAhead = errors.New("node: this node's time is ahead of the wall clock, so peers would refuse the change: ask another node, or restart this one")
	// ErrUnknownReservation is Commit's answer to a token under which no node holds a
	// reservation. Perhaps its time is over, or the node that made it is gone. The cost of
	// such a reservation stays charged.
	ErrUnknownReservation = errors.New("node: unknown reservation, or its time is over")
	// ErrUnconfirmed is Commit's answer while the node that made the reservation has not
	// answered. This node keeps asking until the reservation's end. You can safely ask again.
	ErrUnconfirmed = errors.New("node: the node that made the reservation has not answered yet; this node keeps asking")
	// ErrTooManyHeld is the answer of Reservation.Token and of Commit if the node holds
	// MaxHeld reservations.
	ErrTooManyHeld = errors.New("node: too many reservations at this node that nobody has settled")
	// ErrJoining is Ready's answer until the node has joined its cluster.
	ErrJoining = errors.New("node: joining: no snapshot from a peer yet")
	// ErrClosed is Ready's answer after Close, and the answer of calls that would change
	// other nodes.
	ErrClosed = errors.New("node: closed")
)

// errNilContext is a caller's mistake, and no reason to end its process.
var errNilContext = errors.New("node: the context is nil")
