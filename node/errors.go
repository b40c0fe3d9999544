package node

import "errors"

// Errors to branch on. A denial is never one of them.
var (
	ErrUnknownLimit  = errors.New("node: unknown limit")
	ErrTooManyLimits = errors.New("node: too many limits")
	ErrTooManyResets = errors.New("node: too many resets within three windows; wait a minute")
	// ErrJoining is Ready's answer until the node has joined its cluster.
	ErrJoining = errors.New("node: joining: no snapshot from a peer yet")
	// ErrClosed is Ready's answer after Close.
	ErrClosed = errors.New("node: closed")
)
