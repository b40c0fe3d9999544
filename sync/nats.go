package sync

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
)

// natsQueue is how many packets wait for the engine; more are dropped and counted, and
// repaired later. Raising it takes memory: full of the largest messages it holds 96 MiB.
// Lowering it makes a pause of the node lose messages sooner.
const natsQueue = 2048

// closeFlush is how long Close waits for the last messages to leave. Raising it lets a
// stalled server hold up the node's end. Lowering it can lose the bye, so that peers take
// the end for a crash.
const closeFlush = time.Second

// errLost is the reason for a disconnection if the connection itself gives none.
var errLost = errors.New("the connection was closed")

// errNotConnection refuses a nil or zero connection, which panics when it is used.
var errNotConnection = errors.New("sync: the connection was not made with nats.Connect")

// NATS is a transport over a NATS connection of the caller's, which others may share:
// Close leaves it open. The caller chooses its reconnect settings; the node package says
// which suit.
func NATS(conn *nats.Conn) Transport { return newNATS(conn) }

func newNATS(conn *nats.Conn) *natsTransport {
	return &natsTransport{conn: conn, queue: make(chan *nats.Msg, natsQueue), stop: make(chan struct{})}
}

// natsTransport moves packets over one connection. up and dropped are atomic because Dropped
// and the dialling transport read them beside run.
type natsTransport struct {
	conn *nats.Conn
	// One queue for all subscriptions keeps a publisher's messages in order across
	// subjects: a beat must not overtake the deltas that it counts.
	queue   chan *nats.Msg
	subs    []*nats.Subscription
	status  chan nats.Status
	stop    chan struct{}
	done    sync.WaitGroup
	once    sync.Once
	up      atomic.Bool   // h was told of a connection last
	dropped atomic.Uint64 // by subscriptions that have ended
}

func (t *natsTransport) Open(subjects []string, h Handler) error {
	if t.conn == nil || len(t.conn.Servers()) == 0 {
		return errNotConnection
	}
	err := t.subscribe(subjects)
	if err == nil {
		t.start(h)
	}
	return err
}

// subscribe asks the server for all subjects, or for none of them if it refuses one. The
// library repeats them after each reconnection.
func (t *natsTransport) subscribe(subjects []string) error {
	for _, s := range subjects {
		sub, err := t.conn.ChanSubscribe(s, t.queue)
		if err != nil {
			_ = t.unsubscribe()
			return fmt.Errorf("sync: subscribe to %s: %w", s, err)
		}
		t.subs = append(t.subs, sub)
	}
	return nil
}

// start begins delivery. The status channel is asked for before the first look, so no
// change is missed between the two.
func (t *natsTransport) start(h Handler) {
	t.status = t.conn.StatusChanged(nats.CONNECTED, nats.RECONNECTING, nats.DISCONNECTED, nats.CLOSED)
	t.done.Add(1)
	go t.run(h)
}

// run is the only caller of h. It looks at the connection itself at each change of status:
// the library drops changes that nobody has read yet.
func (t *natsTransport) run(h Handler) {
	defer t.done.Done()
	look := func() {
		if now := t.conn.IsConnected(); t.up.Swap(now) != now {
			if now {
				h.Connected()
			} else {
				h.Disconnected(t.lost())
			}
		}
	}
	look()
	for {
		select {
		case <-t.stop:
			return
		case _, ok := <-t.status:
			if !ok { // the caller closed the connection; a nil channel blocks for ever
				t.status = nil
			}
			look()
		case m := <-t.queue:
			h.Receive(Packet{Subject: m.Subject, Data: m.Data})
		}
	}
}

// lost is why the connection is down.
func (t *natsTransport) lost() error {
	if err := t.conn.LastError(); err != nil {
		return err
	}
	return errLost
}

func (t *natsTransport) Publish(subject string, data []byte) error {
	return t.conn.Publish(subject, data)
}

// Dropped adds up the subscriptions: the library counts for each one what did not fit into
// the queue.
func (t *natsTransport) Dropped() uint64 {
	n := t.dropped.Load()
	for _, sub := range t.subs {
		if d, err := sub.Dropped(); err == nil {
			n += uint64(d) //nolint:gosec // a count, never negative
		}
	}
	return n
}

// unsubscribe keeps the counts of drops, which end with the subscriptions.
func (t *natsTransport) unsubscribe() error {
	var errs []error
	for _, sub := range t.subs {
		if d, err := sub.Dropped(); err == nil {
			t.dropped.Add(uint64(d)) //nolint:gosec // a count, never negative
		}
		if err := sub.Unsubscribe(); err != nil && !errors.Is(err, nats.ErrConnectionClosed) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

func (t *natsTransport) Close() error {
	var err error
	t.once.Do(func() {
		// The bye is in the connection's buffer. Push it out, but do not wait for a server
		// that is away.
		if t.conn.IsConnected() {
			err = t.conn.FlushTimeout(closeFlush)
		}
		close(t.stop)
		t.done.Wait()
		if t.status != nil {
			t.conn.RemoveStatusListener(t.status)
		}
		err = errors.Join(err, t.unsubscribe())
	})
	return err
}
