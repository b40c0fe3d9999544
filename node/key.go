package node

import (
	"bytes"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/limits"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/limit"
)

// key hashes a client's id under the limit. group is what the id counts as, nil for
// itself. The buffer stays on the stack, and is small because clearing it costs time.
func (n *decider) key(l *limits.Limit, client string, group []byte) crdt.Key {
	var buf [128]byte
	if group != nil || len(l.Prefix)+len(client) > len(buf) {
		return n.longKey(l, client, group)
	}
	hi, lo := n.hash.Hash128(append(append(buf[:0], l.Prefix...), client...))
	return crdt.Key{Hi: hi, Lo: lo}
}

// longKey is key for long ids, and for groups. A network is told from an id that reads like
// it by the last byte of the limit's prefix.
//
//go:noinline
func (n *decider) longKey(l *limits.Limit, client string, group []byte) crdt.Key {
	var buf [256 + MaxClientID]byte
	b := append(buf[:0], l.Prefix...)
	switch {
	case group == nil:
		b = append(b, client...)
	case bytes.IndexByte(group, '/') >= 0:
		b[len(b)-1] = 1
		fallthrough
	default:
		b = append(b, group...)
	}
	hi, lo := n.hash.Hash128(b)
	return crdt.Key{Hi: hi, Lo: lo}
}

// overflowKey is the key that the unknown clients of a partition share. No client
// id can be hashed to it but by accident.
func (n *decider) overflowKey(l *limits.Limit, r *limit.Rule, k crdt.Key) crdt.Key {
	var buf [192]byte
	b := append(append(buf[:0], "overflow\x00"...), l.Prefix...)
	b = append(b, byte(k.Partition()))
	if r.Index > 0 {
		b = append(b, byte(r.Index>>8), byte(r.Index))
	}
	hi, lo := n.hash.Hash128(b)
	const low = 1<<56 - 1
	return crdt.Key{Hi: k.Hi&^low | hi&low, Lo: lo}
}

// inlineKey is a client's key under a limit that came with a request. Its prefix names the
// policy, and name is the request's: clients of another name count apart.
//
//go:noinline
func (n *decider) inlineKey(l *limits.Limit, name, client string) crdt.Key {
	var buf [256 + MaxClientID]byte
	b := append(append(buf[:0], l.Prefix...), name...)
	b = append(append(b, 0), client...)
	hi, lo := n.hash.Hash128(b)
	return crdt.Key{Hi: hi, Lo: lo}
}
