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
//
// What an id counts as is a function of the policy and the id alone, so nodes of one policy
// agree on it.
type Match struct {
	clients   map[string]uint16     // rule by exact id
	addresses map[netip.Addr]uint16 // rule by exact id, for ids that are addresses
	networks  []networks            // the longest first
	prefixes  []prefixes            // of ids that are no address, the longest first
	starts    []prefixes            // of addresses in canonical letters, the longest first
	ipv6      int                   // how many bits of an IPv6 address count, if ips
	ips       bool                  // ids are read as addresses where they are any
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

// ReadsAddresses reports whether ids are read as addresses where they are any: IDs says so,
// IPv6Prefix is set, or an override names a network or an address. Elsewhere ids are bytes.
func (p *Policy) ReadsAddresses() bool {
	if p.IDs == IDsAddress || p.IPv6Prefix > 0 {
		return true
	}
	for i := range p.Overrides {
		o := &p.Overrides[i]
		if len(o.CIDRs) > 0 || slices.ContainsFunc(o.Clients, isAddress) {
			return true
		}
	}
	return false
}

func isAddress(id string) bool {
	_, ok := ParseAddress(id)
	return ok
}

// newMatch reads the selectors of a policy's overrides. It is nil if the policy has no
// override and does not read ids as addresses. The error joins a *FieldError for each
// selector at fault.
func newMatch(p *Policy) (*Match, error) {
	m := &Match{clients: map[string]uint16{}, addresses: map[netip.Addr]uint16{}, ipv6: p.IPv6Prefix, ips: p.ReadsAddresses()}
	if len(p.Overrides) == 0 && !m.ips {
		return nil, nil
	}
	var s selectors
	for i := range p.Overrides {
		o := &p.Overrides[i]
		s.override = i
		if len(o.Clients)+len(o.Prefixes)+len(o.CIDRs) == 0 {
			s.faults = append(s.faults, &FieldError{Field: fmt.Sprintf("overrides[%d]", i), Value: "", Reason: "must name whom it is for: client, prefix or cidr"})
		}
		for _, id := range o.Clients {
			s.add("client", id, clientFault(id), func() uint16 { return m.addClient(id, s.rule()) })
		}
		for _, prefix := range o.Prefixes {
			s.add("prefix", prefix, prefixFault(prefix), func() uint16 { return m.addPrefix(prefix, s.rule()) })
		}
		for _, text := range o.CIDRs {
			network, fault := parseNetwork(text)
			s.add("cidr", text, fault, func() uint16 { return m.addNetwork(network, s.rule()) })
		}
	}
	switch {
	case m.ipv6 > 0:
	case len(m.networks) > 0:
		m.ipv6 = DefaultIPv6Prefix
	default:
		m.ipv6 = 128
	}
	slices.SortFunc(m.networks, func(a, b networks) int { return b.bits - a.bits })
	slices.SortFunc(m.prefixes, byLength)
	slices.SortFunc(m.starts, byLength)
	return m, errors.Join(s.faults...)
}

func byLength(a, b prefixes) int { return b.length - a.length }

// addClient returns the number of the rule that has the id already, 0 if it is new.
func (m *Match) addClient(id string, rule uint16) (first uint16) {
	if addr, ok := ParseAddress(id); ok {
		if first = m.addresses[addr]; first == 0 {
			m.addresses[addr] = rule
		}
		return first
	}
	if first = m.clients[id]; first == 0 {
		m.clients[id] = rule
	}
	return first
}

// addPrefix returns the number of the rule that has the prefix already, 0 if it is new.
func (m *Match) addPrefix(prefix string, rule uint16) (first uint16) {
	first = add(&m.prefixes, prefix, rule)
	if first > 0 || !m.ips {
		return first
	}
	// Addresses have small letters in their canonical form, and these alone.
	start := strings.ToLower(prefix)
	if strings.Trim(start, "0123456789abcdef.:") != "" {
		return 0
	}
	first = add(&m.starts, start, rule)
	if _, begins := beginning(prefix); !begins {
		return 0 // other ids may begin so, and theirs are told apart by their letters
	}
	return first
}

// add returns the number of the rule that has the prefix already, 0 if it is new.
func add(all *[]prefixes, prefix string, rule uint16) (first uint16) {
	i := slices.IndexFunc(*all, func(p prefixes) bool { return p.length == len(prefix) })
	if i < 0 {
		i = len(*all)
		*all = append(*all, prefixes{length: len(prefix), rule: map[string]uint16{}})
	}
	known := (*all)[i].rule
	if first = known[prefix]; first == 0 {
		known[prefix] = rule
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
// The text is nil if the id counts as itself. odd says that the id looks like an address, is
// none, and that this matters here.
//
// Ids that count as one text always have one rule. An address counts in its canonical form,
// and an IPv6 address as its network, by the longer of IPv6Prefix and the override's own
// prefix; an address that an override names alone, or by its beginning, counts by itself.
// Find allocates nothing.
func (m *Match) Find(client string, buf *Buffer) (rule uint16, group []byte, odd bool) {
	if m.ips {
		if addr, ok := ParseAddress(client); ok {
			rule, group = m.findAddress(addr, buf)
			if string(group) == client {
				group = nil
			}
			return rule, group, false
		}
		odd = LooksLikeAddress(client)
	}
	if rule = m.clients[client]; rule == 0 {
		rule = findPrefix(m.prefixes, client)
	}
	return rule, nil, odd
}

// findAddress is Find for an address in canonical form.
func (m *Match) findAddress(addr netip.Addr, buf *Buffer) (rule uint16, group []byte) {
	group = addr.AppendTo(buf[:0])
	if rule = m.addresses[addr]; rule > 0 {
		return rule, group
	}
	rule, bits := m.findNetwork(addr)
	if rule == 0 {
		if rule = findPrefix(m.starts, group); rule > 0 {
			return rule, group
		}
	}
	if bits = max(bits, m.ipv6); addr.Is6() && bits < addr.BitLen() {
		if n, err := addr.Prefix(bits); err == nil {
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
func findPrefix[T string | []byte](all []prefixes, id T) uint16 {
	for i := range all {
		if p := &all[i]; len(id) >= p.length {
			if r := p.rule[string(id[:p.length])]; r > 0 {
				return r
			}
		}
	}
	return 0
}
