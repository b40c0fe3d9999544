package sync

// Packet is one message on the wire. Subject and Data belong to the receiver.
type Packet struct {
	Subject string
	Data    []byte

	verified bool // its signature was looked at already
}

// Handler is what a transport delivers to. One transport never calls two of its methods
// at a time. A call may take as long as a merge: a transport that cannot wait drops
// packets and counts them.
type Handler interface {
	// Receive hands over one packet, in the order in which its publisher sent it.
	Receive(Packet)
	// Connected says that publishing reaches others now.
	Connected()
	// Disconnected says that it does not any more, and why; err is not nil.
	Disconnected(err error)
}

// Transport moves packets between the nodes of a cluster: at most once, without an
// answer, in order for each publisher, with subjects and wildcards as in NATS. Nothing uses
// the reply field of NATS: answers go out on the subject of who answers. Publish and
// Dropped may run beside and within calls of the handler. Package transporttest has the
// suite that every transport has to pass.
type Transport interface {
	// Open starts delivering packets on the subjects to h. It does not wait for the network:
	// h.Connected says when there is one.
	Open(subjects []string, h Handler) error
	// Publish sends data on subject and does not keep it. One goroutine calls it, and it may
	// wait for a server that does not read. Close ends that. A nil error does not mean that
	// anybody received the packet.
	Publish(subject string, data []byte) error
	// Dropped is the number of packets that arrived and were thrown away unread.
	Dropped() uint64
	// Close stops delivery and waits until no handler call is running. All that was
	// published before is on its way when Close returns. A second Close does nothing.
	Close() error
}
