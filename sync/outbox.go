package sync

import (
	"sync"
	"sync/atomic"
	"time"
)

// mostOutbox is how many bytes wait for the transport; a message that would be more is
// dropped and counted, and repaired later. Raising it takes memory, and sends messages that
// are older when a stalled server goes on. Lowering it below a flush and a few answers loses
// messages in bursts.
const mostOutbox = 16 << 20

// outboxMessage is what a message takes besides its bytes: headers of its subject and data.
const outboxMessage = 128

// outbox hands packets to a transport on a goroutine of its own, in the order in which they
// were put in. So nobody who holds a lock waits for the network: a client library can block
// for as long as a server does not read. Safe for concurrent use.
type outbox struct {
	transport Transport
	lost      atomic.Uint64 // packets that did not fit, or that the transport refused
	some      chan struct{} // holds one signal: there is something to do
	ended     chan struct{} // closed when run has returned

	mu      sync.Mutex // guards the fields below; never held during I/O
	waiting []Packet
	bytes   int // of packets that the transport has not taken
	closed  bool
}

func newOutbox(t Transport) *outbox {
	o := &outbox{transport: t, some: make(chan struct{}, 1), ended: make(chan struct{})}
	go o.run()
	return o
}

// put takes packets over, as far as they fit. It never waits for the network.
func (o *outbox) put(packets []Packet) {
	if len(packets) == 0 {
		return
	}
	o.mu.Lock()
	for _, p := range packets {
		size := len(p.Data) + outboxMessage
		if o.closed || o.bytes+size > mostOutbox {
			o.lost.Add(1)
			continue
		}
		o.waiting = append(o.waiting, p)
		o.bytes += size
	}
	o.mu.Unlock()
	o.signal()
}

func (o *outbox) signal() {
	select {
	case o.some <- struct{}{}:
	default:
	}
}

// run publishes until the outbox is closed and empty.
func (o *outbox) run() {
	defer close(o.ended)
	var packets []Packet
	for {
		o.mu.Lock()
		packets, o.waiting = o.waiting, packets[:0]
		closed := o.closed
		o.mu.Unlock()
		if len(packets) == 0 {
			if closed {
				return
			}
			<-o.some
			continue
		}
		for i, p := range packets {
			if o.transport.Publish(p.Subject, p.Data) != nil {
				o.lost.Add(1) // gaps and digests bring it back
			}
			packets[i] = Packet{}
			o.mu.Lock()
			o.bytes -= len(p.Data) + outboxMessage
			o.mu.Unlock()
		}
	}
}

// close takes no further packets, and waits for at most patience until those that wait are
// published.
func (o *outbox) close(patience time.Duration) {
	o.mu.Lock()
	o.closed = true
	o.mu.Unlock()
	o.signal()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-o.ended:
	case <-timer.C:
	}
}
