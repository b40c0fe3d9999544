package limit

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// Buffer has room for the text of any network. Callers keep it on their stack, so that Find
// allocates nothing.
type Buffer [64]byte

// Match finds the rule of a client. Immutable; safe for concurrent use. Make one by Compile.
type Match struct {
	clients  map[string]uint16 // rule by exact id
	networks []networks        // the longest first
	prefixes []prefixes        // the longest first
	ipv6     int               // how many bits of an IPv6 address count, if ips
	ips      bool              // ids are read as addresses where they are any
}

// networks are those of one length and address family.
type networks struct {
	bits int
	ipv4 bool
	rule map[netip.Prefix]uint16
}

// prefixes are those of one length.
type prefixes struct {
	length int
	rule   map[string]uint16
}

// newMatch reads the selectors of a policy's overrides. It is nil if the policy has no
// override and does not read ids as addresses. The error joins a *FieldError for each
// selector at fault.
func newMatch(p *Policy) (*Match, error) {
	m := &Match{clients: map[string]uint16{}, ipv6: p.IPv6Prefix, ips: p.IPv6Prefix > 0}
	if len(p.Overrides) == 0 && !m.ips {
		return nil, nil
	}
	var faults []error
	for i := range p.Overrides {
		o, rule := &p.Overrides[i], uint16(i+1) //nolint:gosec // at most MaxOverrides
		refuse := func(field, value, reason string) {
			faults = append(faults, &FieldError{Field: fmt.Sprintf("overrides[%d].%s", i, field), Value: fmt.Sprintf("%.64q", value), Reason: reason})
		}
		twice := func(field, value string, first uint16) {
			refuse(field, value, fmt.Sprintf("is in overrides[%d] already", first-1))
		}
		if len(o.Clients)+len(o.Prefixes)+len(o.CIDRs) == 0 {
			faults = append(faults, &FieldError{Field: fmt.Sprintf("overrides[%d]", i), Value: "", Reason: "must name whom it is for: client, prefix or cidr"})
		}
		for _, id := range o.Clients {
			first, known := m.clients[id]
			switch {
			case known:
				twice("client", id, first)
			case id == "":
				refuse("client", id, "must not be empty")
			case len(id) > MaxClientID:
				refuse("client", id, fmt.Sprintf("must be at most %d bytes", MaxClientID))
			default:
				m.clients[id] = rule
			}
		}
		for _, prefix := range o.Prefixes {
			switch first := m.addPrefix(prefix, rule); {
			case prefix == "":
				refuse("prefix", prefix, "must not be empty: what holds for everybody is the limit itself")
			case len(prefix) > MaxClientID:
				refuse("prefix", prefix, fmt.Sprintf("must be at most %d bytes", MaxClientID))
			case first > 0:
				twice("prefix", prefix, first)
			}
		}
		for _, text := range o.CIDRs {
			network, err := parseNetwork(text)
			if err != nil {
				refuse("cidr", text, "must be a network such as 10.0.0.0/8 or 2001:db8::/32, or one address")
				continue
			}
			if first := m.addNetwork(network, rule); first > 0 {
				twice("cidr", text, first)
			}
		}
	}
	if len(m.networks) > 0 {
		m.ips = true
		if m.ipv6 == 0 {
			m.ipv6 = DefaultIPv6Prefix
		}
	}
	slices.SortFunc(m.networks, func(a, b networks) int { return b.bits - a.bits })
	slices.SortFunc(m.prefixes, func(a, b prefixes) int { return b.length - a.length })
	return m, errors.Join(faults...)
}

func parseNetwork(text string) (netip.Prefix, error) {
	if !strings.Contains(text, "/") {
		addr, err := netip.ParseAddr(text)
		if err != nil || addr.Zone() != "" {
			return netip.Prefix{}, errors.New("no address")
		}
		addr = addr.Unmap()
		return netip.PrefixFrom(addr, addr.BitLen()), nil
	}
	n, err := netip.ParsePrefix(text)
	if err != nil || n.Addr().Is4In6() {
		return netip.Prefix{}, errors.New("no network")
	}
	return n.Masked(), nil
}

// addPrefix returns the number of the rule that has the prefix already, 0 if it is new.
func (m *Match) addPrefix(prefix string, rule uint16) (first uint16) {
	i := slices.IndexFunc(m.prefixes, func(p prefixes) bool { return p.length == len(prefix) })
	if i < 0 {
		i = len(m.prefixes)
		m.prefixes = append(m.prefixes, prefixes{length: len(prefix), rule: map[string]uint16{}})
	}
	if first = m.prefixes[i].rule[prefix]; first == 0 {
		m.prefixes[i].rule[prefix] = rule
	}
	return first
}

// addNetwork returns the number of the rule that has the network already, 0 if it is new.
func (m *Match) addNetwork(n netip.Prefix, rule uint16) (first uint16) {
	bits, ipv4 := n.Bits(), n.Addr().Is4()
	i := slices.IndexFunc(m.networks, func(s networks) bool { return s.bits == bits && s.ipv4 == ipv4 })
	if i < 0 {
		i = len(m.networks)
		m.networks = append(m.networks, networks{bits: bits, ipv4: ipv4, rule: map[netip.Prefix]uint16{}})
	}
	if first = m.networks[i].rule[n]; first == 0 {
		m.networks[i].rule[n] = rule
	}
	return first
}

// Find returns the number of the client's rule, and the text that its id counts as, in buf.
// The text is nil if the id counts as itself.
//
// Ids that count as one text always have one rule. An id that an override names counts as
// itself. An address counts as its network, by the longer of IPv6Prefix and the override's
// own prefix. Find allocates nothing.
func (m *Match) Find(client string, buf *Buffer) (rule uint16, group []byte) {
	if r := m.clients[client]; r > 0 {
		return r, nil
	}
	if m.ips && mayBeAddress(client) {
		if a, err := netip.ParseAddr(client); err == nil {
			if a.Is4In6() {
				return m.findMapped(client, a.Unmap(), buf)
			}
			return m.findAddress(client, a.WithZone(""), buf)
		}
	}
	return findPrefix(m, client), nil
}

// findMapped is Find for an IPv4 address that is written as IPv6. It is the same client in
// another spelling, so an override that names its usual spelling holds for it too.
func (m *Match) findMapped(client string, addr netip.Addr, buf *Buffer) (rule uint16, group []byte) {
	group = addr.AppendTo(buf[:0])
	if rule = m.clients[string(group)]; rule == 0 {
		rule, _ = m.findNetwork(addr)
	}
	if rule == 0 {
		rule = findPrefix(m, group)
	}
	if rule == 0 {
		if rule = findPrefix(m, client); rule > 0 {
			return rule, nil
		}
	}
	return rule, group
}

// findAddress is Find for an address that no override names by id.
func (m *Match) findAddress(client string, addr netip.Addr, buf *Buffer) (rule uint16, group []byte) {
	rule, bits := m.findNetwork(addr)
	if rule == 0 {
		if rule = findPrefix(m, client); rule > 0 {
			return rule, nil
		}
	}
	if addr.Is6() {
		if n, err := addr.Prefix(max(bits, m.ipv6)); err == nil {
			group = n.AppendTo(buf[:0])
		}
	}
	return rule, group
}

// findNetwork is the rule of the longest network that contains addr, and its length; zeros if
// no network does.
func (m *Match) findNetwork(addr netip.Addr) (rule uint16, bits int) {
	for i := range m.networks {
		if s := &m.networks[i]; s.ipv4 == addr.Is4() {
			if n, err := addr.Prefix(s.bits); err == nil && s.rule[n] > 0 {
				return s.rule[n], s.bits
			}
		}
	}
	return 0, 0
}

// findPrefix is the rule of the longest prefix of id, 0 if it has none.
func findPrefix[T string | []byte](m *Match, id T) uint16 {
	for i := range m.prefixes {
		if p := &m.prefixes[i]; len(id) >= p.length {
			if r := p.rule[string(id[:p.length])]; r > 0 {
				return r
			}
		}
	}
	return 0
}

// mayBeAddress is false for nearly all ids that are no address. The parser would allocate an
// error for each of them.
func mayBeAddress(id string) bool {
	// An IPv6 address that ends as IPv4 does, and a zone that is longer than any in use.
	const longest = len("ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255%") + 64
	if len(id) < 2 || len(id) > longest {
		return false
	}
	points := false
	for i := range len(id) {
		switch c := id[i]; {
		case c >= '0' && c <= '9', c >= 'a' && c <= 'f', c >= 'A' && c <= 'F':
		case c == '.' || c == ':':
			points = true
		case c == '%':
			return points && i > 0
		default:
			return false
		}
	}
	return points
}
