package node

import "errors"

// Errors to branch on. A denial is never one of them.
var (
	ErrUnknownLimit  = errors.New("node: unknown limit")
	ErrTooManyLimits = errors.New("node: too many limits")
	// ErrTooManyChanges is SetLimit's answer to several changes of one limit at once.
	ErrTooManyChanges = errors.New("node: too many changes within a quarter of a second; try again")
	ErrTooManyResets  = errors.New("node: too many resets within three windows; wait a minute")
	// ErrJoining is Ready's answer until the node has joined its cluster.
	ErrJoining = errors.New("node: joining: no snapshot from a peer yet")
	// ErrClosed is Ready's answer after Close.
	ErrClosed = errors.New("node: closed")
)
