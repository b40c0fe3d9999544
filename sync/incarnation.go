package sync

import (
	"crypto/sha256"
	"encoding/binary"
	"strconv"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
)

// NewReplica is the number of a new incarnation of a node. Its upper half is made from the node's
// name, so that no other node can claim the number, not even towards nodes that never heard its
// owner. Its lower half is random, which has to be another one at every start.
func NewReplica(node string, random uint32) crdt.Replica {
	return crdt.Replica(uint64(markOf(node))<<32 | uint64(max(random, 1)))
}

// bears reports whether a number made by NewReplica is one of that node's.
func bears(r crdt.Replica, node string) bool { return uint64(r)>>32 == uint64(markOf(node)) }

// markOf is what a node's incarnations have in common.
func markOf(node string) uint32 {
	sum := sha256.Sum256([]byte(node))
	return binary.BigEndian.Uint32(sum[:])
}

// incarnation is the spelling of a replica in subjects and in logs.
func incarnation(r crdt.Replica) string { return strconv.FormatUint(uint64(r), 36) }
