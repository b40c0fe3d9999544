package limits

import (
	"bytes"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/limit"
)

// Key hashes a client's id under the limit. group is what the id counts as, nil for itself. A
// network is told from an id that reads like it by the byte behind the limit's name.
func (l *Limit) Key(client string, group []byte) crdt.Key {
	switch {
	case group == nil:
		return l.Keys.Sum(client)
	case bytes.IndexByte(group, '/') >= 0:
		h := l.Networks.Add(group)
		return h.Sum("")
	}
	h := l.Keys.Add(group)
	return h.Sum("")
}

// OverflowKey is the key that the unknown clients of a rule and of k's partition share. No client
// id can be hashed to it but by accident.
func (g *Registry) OverflowKey(l *Limit, r *limit.Rule, k crdt.Key) crdt.Key {
	var buf [192]byte
	b := append(append(append(buf[:0], "overflow\x00"...), l.Name...), 0, byte(k.Partition()))
	if r.Index > 0 {
		b = append(b, byte(r.Index>>8), byte(r.Index))
	}
	h := g.cfg.Keys.Add(b)
	all := h.Sum("")
	const low = 1<<56 - 1
	return crdt.Key{Hi: k.Hi&^low | all.Hi&low, Lo: all.Lo}
}

// InlineKey is a client's key under a limit that came with a request. The limit's name is
// the policy, and name is the request's: clients of another name count apart.
func (l *Limit) InlineKey(name, client string) crdt.Key {
	var buf [64 + 1]byte // a valid name fits
	h := l.Keys.Add(append(append(buf[:0], name...), 0))
	return h.Sum(client)
}
