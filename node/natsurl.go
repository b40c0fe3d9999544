package node

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/nats-io/nats.go"
)

// natsSchemes are what a URL of a NATS server begins with. The client takes others for
// nats:, and would look for a server there for ever.
var natsSchemes = []string{"nats", "tls", "ws", "wss"}

// Validate reports what is wrong with the URLs or the connection, without using them. The
// error joins every fault, each a *FieldError that shows no password. The zero value, which
// is no way to others, has none.
func (n NATS) Validate() error {
	if n.Conn != nil && n.URL != "" {
		return n.fault(n.String(), "give a URL or a connection, not both")
	}
	if n.Conn != nil {
		return n.validConn()
	}
	var faults []error
	webSockets, urls := 0, n.urls()
	for _, text := range urls {
		u, reason := natsURL(text)
		if reason != "" {
			faults = append(faults, n.fault(NATS{URL: text}.String(), reason))
		} else if strings.HasPrefix(u.Scheme, "ws") {
			webSockets++
		}
	}
	switch {
	case len(faults) > 0:
	case n.URL != "" && len(urls) == 0:
		return n.fault(strconv.Quote(n.URL), "names no server")
	case webSockets > 0 && webSockets < len(urls):
		return n.fault(n.String(), "must all be WebSockets, or none")
	}
	return errors.Join(faults...)
}

func (n NATS) fault(value, reason string) error {
	return &FieldError{Field: "nats", Value: value, Reason: reason}
}

// validConn refuses a connection that nobody connected, which knows no server, and one
// that was closed: no server can come back on either.
func (n NATS) validConn() error {
	switch {
	case len(n.Conn.Servers()) == 0:
		return n.fault("connection", "must be made with nats.Connect")
	case n.Conn.IsClosed():
		return n.fault("connection", "is closed: "+reason(errors.Join(nats.ErrConnectionClosed, n.Conn.LastError())))
	}
	return nil
}

// urls takes the list apart.
func (n NATS) urls() []string {
	var all []string
	for text := range strings.SplitSeq(n.URL, ",") {
		if text = strings.TrimSpace(text); text != "" {
			all = append(all, text)
		}
	}
	return all
}

// natsURL reads one URL of a server; reason says why it is none.
func natsURL(text string) (u *url.URL, reason string) {
	if !strings.Contains(text, "://") {
		text = "nats://" + text
	}
	u, err := url.Parse(text)
	if err != nil || u.Hostname() == "" || strings.Contains(u.Hostname(), ":") && u.Host[0] != '[' {
		return nil, "must be a URL such as nats://127.0.0.1:4222; several are separated by commas"
	}
	if !slices.Contains(natsSchemes, u.Scheme) {
		return nil, fmt.Sprintf("begins with %s://: must begin with nats://, tls://, ws:// or wss://", u.Scheme)
	}
	if port := u.Port(); port != "" || strings.HasSuffix(u.Host, ":") {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return nil, "the port must be from 1 to 65535"
		}
	}
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

// String is the URLs without their passwords, for logs and messages.
func (n NATS) String() string {
	all := strings.Split(n.URL, ",")
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
