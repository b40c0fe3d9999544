package node

import (
	"bytes"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/limits"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/limit"
)

// key hashes a client's id under the limit. group is what the id counts as, nil for itself.
func key(l *limits.Limit, client string, group []byte) crdt.Key {
	if group != nil {
		return groupKey(l, group)
	}
	return l.Keys.Sum(client)
}

// groupKey is the key of what several ids count as. A network is told from an id that reads
// like it by the byte behind the limit's name.
func groupKey(l *limits.Limit, group []byte) crdt.Key {
	h := &l.Keys
	if bytes.IndexByte(group, '/') >= 0 {
		h = &l.Networks
	}
	all := h.Add(group)
	return all.Sum("")
}

// overflowKey is the key that the unknown clients of a partition share. No client
// id can be hashed to it but by accident.
func (n *decider) overflowKey(l *limits.Limit, r *limit.Rule, k crdt.Key) crdt.Key {
	var buf [192]byte
	b := append(append(append(buf[:0], "overflow\x00"...), l.Name...), 0, byte(k.Partition()))
	if r.Index > 0 {
		b = append(b, byte(r.Index>>8), byte(r.Index))
	}
	h := n.keys.Add(b)
	all := h.Sum("")
	const low = 1<<56 - 1
	return crdt.Key{Hi: k.Hi&^low | all.Hi&low, Lo: all.Lo}
}

// inlineKey is a client's key under a limit that came with a request. The limit's name is
// the policy, and name is the request's: clients of another name count apart.
func inlineKey(l *limits.Limit, name, client string) crdt.Key {
	var buf [64 + 1]byte // a valid name fits
	h := l.Keys.Add(append(append(buf[:0], name...), 0))
	return h.Sum(client)
}
