package sync

import (
	"errors"
	"maps"
)

// Drop is why an arrived message was thrown away.
type Drop uint8

// The reasons.
const (
	DropTag       Drop = iota // ErrTag
	DropVersion               // ErrVersion
	DropMalformed             // ErrMalformed, or a request that cannot be answered
	DropOversize              // ErrOversize
	DropSubject               // not on a subject of ours, or for another replica
	DropSender                // it speaks for another than its sender
	DropStale                 // a recording, a repetition, or overtaken
	DropSequence              // its number is further ahead than its sender can be
	DropPeers                 // its sender would be a peer beyond MaxPeers
	DropQueue                 // the transport dropped it unread: the node did not keep up
	DropSignature             // ErrSignature
	dropEnd
)

// String is the reason's name in metrics.
func (d Drop) String() string {
	return [dropEnd]string{"tag", "version", "malformed", "oversize", "subject", "sender", "stale", "sequence", "peers", "queue", "signature"}[d]
}

// dropOf is the reason that a decoder's error stands for.
func dropOf(err error) Drop {
	switch {
	case errors.Is(err, ErrTag):
		return DropTag
	case errors.Is(err, ErrVersion):
		return DropVersion
	case errors.Is(err, ErrOversize):
		return DropOversize
	case errors.Is(err, ErrSignature):
		return DropSignature
	}
	return DropMalformed
}

// Traffic counts messages and their bytes.
type Traffic struct{ Messages, Bytes uint64 }

func (t *Traffic) add(n int) {
	t.Messages++
	t.Bytes += uint64(n)
}

// Stats are the engine's counters since its start. None of them goes back.
type Stats struct {
	Sent, Received         map[Kind]*Traffic // has every kind
	RowsSent, RowsReceived uint64
	Dropped                map[Drop]uint64 // has every reason
	Gaps                   uint64          // times that a delta was seen to be missing
	Mismatches             uint64          // digests that differed without a gap
	Repairs                uint64          // requests for rows, each round counted
	Timeouts               uint64          // requests that nobody answered in time
	PublishErrors          uint64          // messages that the transport refused, or that did not fit into the outbox
}

// init gives every kind and reason its counter, so that readers see zeroes, not holes.
func (s *Stats) init() {
	s.Sent, s.Received = make(map[Kind]*Traffic, kindEnd), make(map[Kind]*Traffic, kindEnd)
	s.Dropped = make(map[Drop]uint64, dropEnd)
	for k := Kind(1); k < kindEnd; k++ {
		s.Sent[k], s.Received[k] = &Traffic{}, &Traffic{}
	}
	for d := range dropEnd {
		s.Dropped[d] = 0
	}
}

// clone copies s deeply, for readers beside the engine.
func (s *Stats) clone() Stats {
	c := *s
	c.init()
	for k, t := range s.Sent {
		*c.Sent[k] = *t
	}
	for k, t := range s.Received {
		*c.Received[k] = *t
	}
	maps.Copy(c.Dropped, s.Dropped)
	return c
}
