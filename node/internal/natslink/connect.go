package natslink

import (
	"errors"
	"log/slog"
	"sync"
	"syscall"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/seldom"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/limit"
	deltasync "github.com/distributed-rate-limiter/distributed-rate-limiter/sync"
)

// Transport makes the transport over NATS for the node of a name. It returns the faults that
// show without a network, and waits for nobody.
func (s Servers) Transport(name string, log *slog.Logger) (deltasync.Transport, error) {
	if s.Conn != nil {
		return deltasync.NATS(s.Conn), nil
	}
	r := teller{log: log, url: s.String(), complaints: seldom.Warner{Every: time.Second}}
	// The user's options come last, so that they win over the node's own.
	o := nats.GetDefaultOptions()
	o.Servers = s.urls()
	for _, set := range append(r.options(name), s.Options...) {
		if set == nil {
			continue
		}
		if err := set(&o); err != nil {
			return nil, &limit.FieldError{Field: "nats.options", Value: "set", Reason: err.Error()}
		}
	}
	t, err := deltasync.DialNATS(o, r.failed)
	if err != nil {
		return nil, &limit.FieldError{Field: "nats", Value: r.url, Reason: reason(err)}
	}
	return t, nil
}

// teller tells the log how the connection to NATS is doing. Safe for concurrent use.
type teller struct {
	log *slog.Logger
	url string // without passwords

	mu     sync.Mutex
	absent bool   // the log has said that no server answers
	last   string // why a server last refused the node, as the log has it; another reason is news

	complaints seldom.Warner
}

// complain logs what a server reports beside the connection's state, at most once a
// second: a server reports a missing permission with each message.
func (r *teller) complain(err error, subject string) {
	r.complaints.Warn(r.log, "NATS", "error", err, "subject", subject)
}

// options are those of a node's own connection. A decision never waits for the network, so each
// of them prefers to lose a message over holding one back.
func (r *teller) options(name string) []nats.Option {
	return []nats.Option{
		nats.Name("ratelimiter " + name),
		// Be patient for ever, and look again every second: being away is normal. Lower costs
		// servers that restart a rush of nodes; higher leaves a node alone for longer.
		nats.MaxReconnects(-1),
		nats.ReconnectWait(time.Second),
		nats.ReconnectJitter(100*time.Millisecond, 100*time.Millisecond),
		nats.Timeout(2 * time.Second),
		// Stale deltas are worth nothing; repair catches up. A buffer would send them all at
		// once after an absence, before what matters by then.
		nats.ReconnectBufSize(-1),
		// Notice a half-open connection within 6 s: a third ping that nobody answered ends it.
		// Until then the node takes silence for a peer's.
		nats.PingInterval(2 * time.Second),
		nats.MaxPingsOutstanding(2),
		// A server that reads nothing for that long is as good as away.
		nats.FlusherTimeout(5 * time.Second),
		// A node knows what it admitted itself.
		nats.NoEcho(),
		// Wrong credentials may be set right on the server.
		nats.IgnoreAuthErrorAbort(),
		nats.ReconnectErrHandler(func(_ *nats.Conn, err error) {
			if !isAbsence(err) { // that the server is away was said when it went
				r.refused(err)
			}
		}),
		nats.ErrorHandler(func(_ *nats.Conn, sub *nats.Subscription, err error) {
			subject := ""
			if sub != nil {
				subject = sub.Subject
			}
			r.complain(err, subject)
		}),
	}
}

// failed logs the first attempt of many to connect that fails.
func (r *teller) failed(err error) {
	if !isAbsence(err) {
		r.refused(err)
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.absent {
		r.absent = true
		r.log.Warn("cannot connect to NATS; deciding alone until it answers", "url", r.url, "error", err)
	}
}

// refused logs why a server that is there lets nobody in, such as wrong credentials. It
// logs each cause once, since the node tries again every second.
func (r *teller) refused(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if text := err.Error(); text != r.last {
		r.last = text
		r.log.Warn("NATS refuses the connection; deciding alone until it accepts", "error", err)
	}
}

// isAbsence reports whether nobody answered. Any other error is an answer, which an operator can do
// something about.
func isAbsence(err error) bool {
	var timeout interface{ Timeout() bool }
	return err == nil || errors.Is(err, nats.ErrNoServers) || errors.Is(err, syscall.ECONNREFUSED) ||
		errors.As(err, &timeout) && timeout.Timeout()
}
