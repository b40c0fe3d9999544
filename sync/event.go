package sync

import "github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"

// Event is a change worth a line in a log.
type Event struct {
	Kind    EventKind
	Node    string       // of the peer, "" if no peer is concerned
	Replica crdt.Replica // of the peer, 0 if none
	Detail  string
}

// EventKind names a kind of event.
type EventKind uint8

// The events.
const (
	EventPeerJoined  EventKind = iota
	EventPeerSuspect           // silent for SuspectAfter
	EventPeerGone              // silent for GoneAfter
	EventPeerBack              // heard again
	EventPeerLeft              // said bye
	EventOneWay                // the peer does not hear us
	EventTwin                  // another live node has our name
	EventOtherLimits           // the peer decides by other limits, by its configuration
	EventSameLimits            // the peer decides by the same limits again
	EventReady                 // this node has joined, once in its life
	EventPacketBad             // a packet was refused; at most one a second
)
