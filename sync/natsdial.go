package sync

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
)

// errNoConnection is the error of publishing before the first connection.
var errNoConnection = errors.New("sync: not connected to NATS yet")

// DialNATS is a transport over a NATS connection of its own. Open does not wait for the
// connection: a goroutine tries to make it every ReconnectWait, for ever. Close closes it,
// and interrupts an attempt under way. That goroutine calls failed, which may be nil, for
// each attempt that fails. DialNATS returns an error if the options themselves are wrong,
// such as a malformed URL; the error may quote the URL with its password.
func DialNATS(o nats.Options, failed func(error)) (Transport, error) {
	// The library can retry in the background itself, but only after a first attempt in
	// the foreground. It then does not say why attempts fail.
	o.RetryOnFailedConnect = false
	o.Timeout = cmp.Or(o.Timeout, nats.DefaultTimeout)
	o.ReconnectWait = cmp.Or(o.ReconnectWait, nats.DefaultReconnectWait)
	if err := validOptions(o); err != nil {
		return nil, fmt.Errorf("sync: NATS options: %w", err)
	}
	if failed == nil {
		failed = func(error) {}
	}
	t := &dialledNATS{failed: failed}
	t.alive, t.cancel = context.WithCancel(context.Background())
	t.options = interruptible(t.alive, o)
	return t, nil
}

// dialledNATS is a natsTransport that begins with its first connection.
type dialledNATS struct {
	options nats.Options
	failed  func(error)

	alive  context.Context // ends dialling and the connection
	cancel context.CancelFunc
	done   sync.WaitGroup
	once   sync.Once
	over   atomic.Pointer[natsTransport] // nil until there is a connection
}

// validOptions lets the library judge the options, which it does before it dials.
func validOptions(o nats.Options) error {
	o.InProcessServer, o.CustomDialer, o.SkipHostLookup = nil, noDialer{}, true
	conn, err := o.Connect()
	if err == nil {
		conn.Close()
	}
	if errors.Is(err, errNoDialling) {
		return nil
	}
	return err
}

// Open begins to dial. It returns no error: the network may be away for as long as it likes.
func (t *dialledNATS) Open(subjects []string, h Handler) error {
	t.done.Go(func() {
		for t.alive.Err() == nil && !t.dial(subjects, h) {
			t.pause()
		}
	})
	return nil
}

// dial makes one attempt and reports whether there is a connection now.
func (t *dialledNATS) dial(subjects []string, h Handler) bool {
	conn, err := t.options.Connect()
	if err == nil {
		over := newNATS(conn)
		if err = over.subscribe(subjects); err == nil {
			t.over.Store(over) // before h learns of it, and publishes
			over.start(h)
			return true
		}
		conn.Close()
	}
	if t.alive.Err() == nil {
		t.failed(err)
	}
	return false
}

// pause waits until the next attempt is due.
func (t *dialledNATS) pause() {
	wait := t.options.ReconnectWait
	if jitter := t.options.ReconnectJitter; jitter > 0 {
		wait += rand.N(jitter) //nolint:gosec // spreads attempts, no secret
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-t.alive.Done():
	case <-timer.C:
	}
}

func (t *dialledNATS) Publish(subject string, data []byte) error {
	if over := t.over.Load(); over != nil {
		return over.Publish(subject, data)
	}
	return errNoConnection
}

func (t *dialledNATS) Dropped() uint64 {
	if over := t.over.Load(); over != nil {
		return over.Dropped()
	}
	return 0
}

// Close ends dialling at once if there is no connection, and gives the last messages their
// time if there is one.
func (t *dialledNATS) Close() error {
	var err error
	t.once.Do(func() {
		if over := t.over.Load(); over != nil && over.up.Load() {
			// Give the bye its time. If the connection breaks meanwhile, the library holds
			// on to it until an attempt to reconnect has ended, so end that attempt.
			defer time.AfterFunc(2*closeFlush, t.cancel).Stop()
		} else {
			t.cancel()
		}
		t.done.Wait()
		if over := t.over.Load(); over != nil {
			err = over.Close()
			over.conn.Close()
		}
		t.cancel()
	})
	return err
}
