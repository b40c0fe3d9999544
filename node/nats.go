package node

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"syscall"
	"time"

	"github.com/nats-io/nats.go"

	deltasync "github.com/distributed-rate-limiter/distributed-rate-limiter/sync"
)

// overNATS makes the transport over NATS. It returns the faults that show without a
// network, and waits for nobody.
func (n *Node) overNATS() (Transport, error) {
	if conn := n.cfg.NATS.Conn; conn != nil {
		return deltasync.NATS(conn), nil
	}
	r := natsLog{log: n.log, url: n.cfg.NATS.String()}
	o := nats.GetDefaultOptions()
	o.Servers = n.cfg.NATS.urls()
	for _, set := range append(r.options(n.cfg.Name), n.cfg.NATS.Options...) {
		if set == nil {
			continue
		}
		if err := set(&o); err != nil {
			return nil, fmt.Errorf("node: configuration: %w", &FieldError{Field: "nats.options", Value: "set", Reason: err.Error()})
		}
	}
	t, err := deltasync.DialNATS(o, r.failed)
	if err != nil {
		return nil, fmt.Errorf("node: configuration: %w", &FieldError{Field: "nats", Value: r.url, Reason: reason(err)})
	}
	return t, nil
}

// natsLog tells the log how the connection to NATS is doing. Safe for concurrent use.
type natsLog struct {
	log *slog.Logger
	url string // without passwords

	mu     sync.Mutex
	absent bool   // the log has said that no server answers
	last   string // why a server last refused the node, as the log has it

	complaints terse
}

// complain logs what a server reports beside the connection's state, at most once a
// second: a server reports a missing permission with each message.
func (r *natsLog) complain(err error, subject string) {
	if unsaid, say := r.complaints.say(time.Now()); say {
		r.log.Warn("NATS", "error", err, "subject", subject, "unsaid", unsaid)
	}
}

func (r *natsLog) options(name string) []nats.Option {
	return []nats.Option{
		nats.Name("ratelimiter " + name),
		// Be patient for ever, and look again every second: being away is normal.
		nats.MaxReconnects(-1),
		nats.ReconnectWait(time.Second),
		nats.ReconnectJitter(100*time.Millisecond, 100*time.Millisecond),
		nats.Timeout(2 * time.Second),
		// Stale deltas are worth nothing; repair catches up.
		nats.ReconnectBufSize(-1),
		// Notice a half-open connection within seconds, not minutes.
		nats.PingInterval(2 * time.Second),
		nats.MaxPingsOutstanding(2),
		// A server that reads nothing for that long is as good as away.
		nats.FlusherTimeout(5 * time.Second),
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
func (r *natsLog) failed(err error) {
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
func (r *natsLog) refused(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if text := err.Error(); text != r.last {
		r.last = text
		r.log.Warn("NATS refuses the connection; deciding alone until it accepts", "error", err)
	}
}

// isAbsence reports whether nobody answered.
func isAbsence(err error) bool {
	var timeout interface{ Timeout() bool }
	return err == nil || errors.Is(err, nats.ErrNoServers) || errors.Is(err, syscall.ECONNREFUSED) ||
		errors.As(err, &timeout) && timeout.Timeout()
}
