// Package natslink reads the addresses of NATS servers, and keeps a node connected to one.
package natslink

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/nats-io/nats.go"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/limit"
)

// Servers are the ways to a cluster's other nodes. node.NATS has the same fields, and says what
// they mean.
// The zero value is no way to others: a node alone.
type Servers struct {
	URL     string
	Options []nats.Option
	Conn    *nats.Conn
}

// schemes are what a URL of a NATS server begins with. The client takes others for
// nats:, and would look for a server there for ever.
var schemes = []string{"nats", "tls", "ws", "wss"}

// Validate reports what is wrong with the URLs or the connection, without using them. The
// error joins every fault, each a *limit.FieldError that shows no password. The zero value, which
// is no way to others, has none.
func (s Servers) Validate() error {
	if s.Conn != nil && s.URL != "" {
		return s.fault(s.String(), "give a URL or a connection, not both")
	}
	if s.Conn != nil {
		return s.validConn()
	}
	var faults []error
	webSockets, urls := 0, s.urls()
	for _, text := range urls {
		u, reason := server(text)
		if reason != "" {
			faults = append(faults, s.fault(Servers{URL: text}.String(), reason))
		} else if strings.HasPrefix(u.Scheme, "ws") {
			webSockets++
		}
	}
	switch {
	case len(faults) > 0:
	case s.URL != "" && len(urls) == 0:
		return s.fault(strconv.Quote(s.URL), "names no server")
	case webSockets > 0 && webSockets < len(urls):
		return s.fault(s.String(), "must all be WebSockets, or none")
	}
	return errors.Join(faults...)
}

// fault is one of the field nats. value has been freed of passwords.
func (s Servers) fault(value, reason string) error {
	return &limit.FieldError{Field: "nats", Value: value, Reason: reason}
}

// validConn refuses a connection that nobody connected, which knows no server, and one
// that was closed: no server can come back on either.
func (s Servers) validConn() error {
	switch {
	case len(s.Conn.Servers()) == 0:
		return s.fault("connection", "must be made with nats.Connect")
	case s.Conn.IsClosed():
		return s.fault("connection", "is closed: "+reason(errors.Join(nats.ErrConnectionClosed, s.Conn.LastError())))
	}
	return nil
}

// urls takes the list apart. A comma too many is no fault: people leave one behind at the end.
func (s Servers) urls() []string {
	var all []string
	for text := range strings.SplitSeq(s.URL, ",") {
		if text = strings.TrimSpace(text); text != "" {
			all = append(all, text)
		}
	}
	return all
}

// server reads one URL of a server; reason says why it is none. It is stricter than the client,
// which takes nearly every text for a host name and then tries to reach it for ever.
func server(text string) (u *url.URL, reason string) {
	if !strings.Contains(text, "://") {
		text = "nats://" + text
	}
	u, err := url.Parse(text)
	if err != nil || u.Hostname() == "" || strings.Contains(u.Hostname(), ":") && u.Host[0] != '[' {
		return nil, "must be a URL such as nats://127.0.0.1:4222; several are separated by commas"
	}
	if !slices.Contains(schemes, u.Scheme) {
		return nil, fmt.Sprintf("begins with %s://: must begin with nats://, tls://, ws:// or wss://", u.Scheme)
	}
	if port := u.Port(); port != "" || strings.HasSuffix(u.Host, ":") {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return nil, "the port must be from 1 to 65535"
		}
	}
	// A path is part of a WebSocket's address, and means nothing elsewhere.
	if webSocket := strings.HasPrefix(u.Scheme, "ws"); !webSocket && strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" {
		return nil, "must be a host and a port, with nothing after them"
	}
	return u, ""
}

// reason is what is wrong with the options. It leaves out what the parser of URLs quotes,
// which may be a password.
func reason(err error) string {
	if errors.As(err, new(*url.Error)) {
		return "must be URLs such as nats://127.0.0.1:4222, separated by commas"
	}
	return err.Error()
}

// String is the URLs without their passwords, for logs and messages. It also works for URLs that
// Validate refuses, since those show in its faults.
func (s Servers) String() string {
	all := strings.Split(s.URL, ",")
	for i, text := range all {
		text = strings.TrimSpace(text)
		if !strings.Contains(text, "://") {
			text = "nats://" + text
		}
		switch u, err := url.Parse(text); {
		case err != nil:
			all[i] = "(not a URL)" // a malformed URL may hold one as well
		case u.User != nil:
			all[i] = u.Redacted()
		}
	}
	return strings.Join(all, ",")
}
