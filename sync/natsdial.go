package sync

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
)

// errNoConnection is what publishing gets before there is a connection.
var errNoConnection = errors.New("sync: not connected to NATS yet")

// DialNATS is a transport over a NATS connection of its own. Open does not wait for
// it: it is made in the background, tried again every ReconnectWait for ever, and
// closed by Close, which interrupts an attempt under way. Each attempt that fails is
// told to failed, which may be nil, by one goroutine. What is wrong with the options
// themselves, such as a URL that is none, is the error here; it may quote the URL,
// password and all.
func DialNATS(o nats.Options, failed func(error)) (Transport, error) {
	// The library can do the first attempt in the background as well, but only after
	// one in the foreground, and it then keeps to itself why they fail.
	o.RetryOnFailedConnect = false
	o.Timeout = cmp.Or(o.Timeout, nats.DefaultTimeout)
	o.ReconnectWait = cmp.Or(o.ReconnectWait, nats.DefaultReconnectWait)
	if err := validOptions(o); err != nil {
		return nil, fmt.Errorf("sync: NATS options: %w", err)
	}
	if failed == nil {
		failed = func(error) {}
	}
	t := &dialledNATS{failed: failed, inbox: newInbox(&o)}
	t.alive, t.cancel = context.WithCancel(context.Background())
	t.options = interruptible(t.alive, o)
	return t, nil
}

type dialledNATS struct {
	options nats.Options
	failed  func(error)
	inbox   string

	alive  context.Context // ends dialling, and what was dialled
	cancel context.CancelFunc
	done   sync.WaitGroup
	once   sync.Once
	over   atomic.Pointer[natsTransport] // nil until there is a connection
}

// validOptions is what the library itself thinks of the options, which it says before
// it dials.
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

// newInbox is an inbox as a connection with these options would name it.
func newInbox(o *nats.Options) string {
	inbox := nats.NewInbox()
	if o.InboxPrefix == "" {
		return inbox
	}
	return o.InboxPrefix + "." + strings.TrimPrefix(inbox, nats.InboxPrefix)
}

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
		over.inbox = t.inbox
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

func (t *dialledNATS) Inbox() string { return t.inbox }

func (t *dialledNATS) Publish(subject, reply string, data []byte) error {
	if over := t.over.Load(); over != nil {
		return over.Publish(subject, reply, data)
	}
	return errNoConnection
}

func (t *dialledNATS) Dropped() uint64 {
	if over := t.over.Load(); over != nil {
		return over.Dropped()
	}
	return 0
}

func (t *dialledNATS) Close() error {
	var err error
	t.once.Do(func() {
		if over := t.over.Load(); over != nil && over.up.Load() {
			// Leave the farewell its time. Should the connection break meanwhile, the
			// library would not let go of it before an attempt at another is over.
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
