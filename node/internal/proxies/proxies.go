// Package proxies finds a client's address behind proxies, and believes nobody else than the
// proxies that its caller trusts.
//
// A client can send any X-Forwarded-For that it likes, so only what trusted proxies added
// counts. Each of them appends the address of the peer that it talked to. So the entries are
// read from the right: the first address that is no trusted proxy is the client. An entry
// that is no address ends the reading: whatever stands left of it was not written by a
// proxy that somebody trusts.
package proxies

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/limit"
)

// Trusted are the networks of proxies whose word counts. The zero value trusts none. Immutable;
// safe for concurrent use.
type Trusted struct{ networks []netip.Prefix }

// Parse reads networks, such as 10.0.0.0/8, and single addresses. The error joins every fault.
func Parse(texts ...string) (Trusted, error) {
	var t Trusted
	var faults []error
	for _, text := range texts {
		network, err := parse(strings.TrimSpace(text))
		if err != nil {
			faults = append(faults, err)
			continue
		}
		t.networks = append(t.networks, network)
	}
	return t, errors.Join(faults...)
}

func parse(text string) (netip.Prefix, error) {
	fault := fmt.Errorf("%q must be an address or a network, such as 192.0.2.1 or 10.0.0.0/8", text)
	if !strings.Contains(text, "/") {
		addr, err := netip.ParseAddr(text)
		if err != nil || addr.Zone() != "" {
			return netip.Prefix{}, fault
		}
		addr = limit.Canonical(addr)
		return netip.PrefixFrom(addr, addr.BitLen()), nil
	}
	network, err := netip.ParsePrefix(text)
	switch {
	case err != nil:
		return netip.Prefix{}, fault
	case network.Masked() != network:
		return netip.Prefix{}, fmt.Errorf("%q has bits beyond its length: write %v, or a greater length", text, network.Masked())
	}
	if network, err = canonical(network); err != nil {
		return netip.Prefix{}, fault
	}
	return network, nil
}

// canonical is a network of IPv4 that is written as IPv6, as one of IPv4.
func canonical(n netip.Prefix) (netip.Prefix, error) {
	switch {
	case !n.IsValid():
		return n, errors.New("not a network")
	case !n.Addr().Is4In6():
		return n, nil
	case n.Bits() < 96:
		return n, errors.New("more than all of IPv4")
	}
	return netip.PrefixFrom(n.Addr().Unmap(), n.Bits()-96), nil
}

// Of trusts these networks. It leaves out those that are not valid.
func Of(networks []netip.Prefix) (t Trusted) {
	for _, n := range networks {
		if n, err := canonical(n); err == nil {
			t.networks = append(t.networks, n.Masked())
		}
	}
	return t
}

// Networks are the trusted networks, in canonical form.
func (t Trusted) Networks() []netip.Prefix { return slices.Clone(t.networks) }

// Empty reports whether no proxy is trusted.
func (t Trusted) Empty() bool { return len(t.networks) == 0 }

// hop is an address that a request passed.
type hop struct {
	addr netip.Addr // in canonical form
	// translated says that the address was written as that of an IPv4 host behind a NAT64.
	// No proxy counts as trusted by such an address: RFC 6052 bars private IPv4 addresses
	// from that prefix, but a neighbour could take one for itself.
	translated bool
}

func parseHop(text string) (h hop, ok bool) {
	h.addr, ok = limit.ParseAddress(text)
	h.translated = ok && h.addr.Is4() && strings.Contains(strings.ToLower(text), "ff9b")
	return h, ok
}

func (t Trusted) trusts(h hop) bool {
	return !h.translated && slices.ContainsFunc(t.networks, func(n netip.Prefix) bool { return n.Contains(h.addr) })
}

// Trusts reports whether the other end of a connection is a trusted proxy. remote is the
// RemoteAddr of a request.
func (t Trusted) Trusts(remote string) bool {
	h, ok := parseHop(remote)
	return ok && t.trusts(h)
}

// ErrNoAddress says that the peer has no address, as on a Unix socket.
var ErrNoAddress = errors.New("the connection has no IP address")

// Peer is the address of a connection's other end, in canonical form. remote is the
// RemoteAddr of a request. The error is ErrNoAddress.
func Peer(remote string) (netip.Addr, error) {
	if h, ok := parseHop(remote); ok {
		return h.addr, nil
	}
	return netip.Addr{}, ErrNoAddress
}

// Client is the address of the client whose request came through proxies, in canonical form,
// by the lines of X-Forwarded-For. If the peer is no trusted proxy, it is the client, whatever the header
// says. If all are trusted, the leftmost is the client. The error is ErrNoAddress.
func (t Trusted) Client(remote string, forwardedFor []string) (netip.Addr, error) {
	client, ok := parseHop(remote)
	if !ok {
		return netip.Addr{}, ErrNoAddress
	}
	for _, line := range slices.Backward(forwardedFor) {
		for rest, more := line, true; more; {
			if !t.trusts(client) {
				return client.addr, nil
			}
			var entry string
			entry, rest, more = cutLast(rest)
			before, ok := parseHop(entry)
			if !ok {
				return client.addr, nil
			}
			client = before
		}
	}
	return client.addr, nil
}

// cutLast cuts the last entry off a list. more says that rest has others.
func cutLast(list string) (entry, rest string, more bool) {
	if i := strings.LastIndexByte(list, ','); i >= 0 {
		return list[i+1:], list[:i], true
	}
	return list, "", false
}
