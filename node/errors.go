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
	// ErrUnknownReservation is Commit's answer to a token under which no node holds a
	// reservation, or not any more: its time is over, or the node that made it is gone. What
	// the reservation took stays charged.
	ErrUnknownReservation = errors.New("node: unknown reservation, or its time is over")
	// ErrUnconfirmed is Commit's answer while the node that made the reservation has not
	// answered. This node goes on asking it until the reservation's end. Asking again is safe.
	ErrUnconfirmed = errors.New("node: the node that made the reservation has not answered yet; it is asked on")
	// ErrTooManyHeld is the answer of Reservation.Token and of Commit at a node that has its
	// fill, MaxHeld, of reservations.
	ErrTooManyHeld = errors.New("node: too many reservations are held or being settled at this node")
	// ErrJoining is Ready's answer until the node has joined its cluster.
	ErrJoining = errors.New("node: joining: no snapshot from a peer yet")
	// ErrClosed is Ready's answer after Close, and that of what would change other nodes.
	ErrClosed = errors.New("node: closed")
)

// errNilContext is a caller's mistake, and no reason to end its process.
var errNilContext = errors.New("node: the context is nil")
