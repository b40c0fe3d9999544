package sync

// Packet is one message on the wire. Subject and Data belong to the receiver.
type Packet struct {
	Subject string
	Reply   string // where an answer goes, "" if none is wanted
	Data    []byte
}

// Handler is what a transport delivers to. Its methods are never called
// concurrently by one transport, and may block for as long as a message takes to
// merge: a transport that cannot wait drops and counts.
type Handler interface {
	// Receive hands over one packet, in the order in which its publisher sent it.
	Receive(Packet)
	// Connected and Disconnected say that publishing reaches others, or does not.
	Connected()
	Disconnected(err error)
}

// Transport moves packets between the nodes of a cluster: at most once, without an
// answer, in order for each publisher, subjects and wildcards as in NATS.
type Transport interface {
	// Open starts delivering what matches the subjects to h, and to the inbox. It
	// does not wait for the network: h.Connected says when there is one.
	Open(subjects []string, h Handler) error
	// Inbox is a subject of this transport's own, for answers; valid after Open.
	Inbox() string
	// Publish sends data on subject, and does not keep it. A nil error does not
	// mean that anybody received it.
	Publish(subject, reply string, data []byte) error
	// Dropped is the number of packets that arrived and were thrown away unread.
	Dropped() uint64
	// Close stops delivery and waits until no handler call is running. What was
	// published before is on its way when it returns.
	Close() error
}
