package node

import (
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"sync"
	"syscall"
	"time"

	"github.com/nats-io/nats.go"

	deltasync "github.com/distributed-rate-limiter/distributed-rate-limiter/sync"
)

// overNATS makes the transport over NATS. What can be wrong without a network is an
// error.
func (n *Node) overNATS() (Transport, error) {
	if conn := n.cfg.NATS.Conn; conn != nil {
		return deltasync.NATS(conn), nil
	}
	r := reach{log: n.log, url: n.cfg.NATS.String()}
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

// reach tells the log how it goes with reaching NATS.
type reach struct {
	log *slog.Logger
	url string // without passwords

	mu     sync.Mutex
	absent bool   // it was said that there is no server
	last   string // what else was wrong last

	complained time.Time
	unsaid     int // complaints since then that were not logged
}

// complain logs what a server reports beside the connection's state, at most once a
// second: a permission that is missing would be reported with each message.
func (r *reach) complain(err error, subject string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if now := time.Now(); now.Sub(r.complained) >= time.Second {
		r.log.Warn("NATS", "error", err, "subject", subject, "unsaid", r.unsaid)
		r.complained, r.unsaid = now, 0
		return
	}
	r.unsaid++
}

func (r *reach) options(name string) []nats.Option {
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

// failed is told of each attempt at the first connection that fails.
func (r *reach) failed(err error) {
	if !isAbsence(err) {
		r.refused(err)
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.absent {
		r.absent = true
		r.log.Warn("NATS cannot be reached: deciding alone until it can", "url", r.url, "error", err)
	}
}

// refused logs what keeps a server that is there from letting us in, such as wrong
// credentials: once for each cause, since it is tried every second.
func (r *reach) refused(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if text := err.Error(); text != r.last {
		r.last = text
		r.log.Warn("connecting to NATS fails: deciding alone until it does not", "error", err)
	}
}

// isAbsence reports whether nobody answered.
func isAbsence(err error) bool {
	var timeout interface{ Timeout() bool }
	return err == nil || errors.Is(err, nats.ErrNoServers) || errors.Is(err, syscall.ECONNREFUSED) ||
		errors.As(err, &timeout) && timeout.Timeout()
}

// reason is what is wrong with the options. The parser of URLs quotes them, and they
// may hold a password.
func reason(err error) string {
	if errors.As(err, new(*url.Error)) {
		return "must be URLs such as nats://127.0.0.1:4222, separated by commas"
	}
	return err.Error()
}
