package limit

import (
	"fmt"
	"net/netip"
	"strings"
	"unicode/utf8"
)

// selectors judges the selectors of a policy's overrides, in their order.
type selectors struct {
	override int // the one at hand
	faults   []error
}

// rule is the number of the override's rule.
func (s *selectors) rule() uint16 { return uint16(s.override + 1) } //nolint:gosec // at most MaxOverrides

// add refuses a selector with a fault, and one that add finds under an earlier rule.
func (s *selectors) add(field, value, fault string, add func() (first uint16)) {
	if fault == "" {
		first := add()
		if first == 0 {
			return
		}
		fault = fmt.Sprintf("is in overrides[%d] already", first-1)
	}
	s.faults = append(s.faults, &FieldError{Field: fmt.Sprintf("overrides[%d].%s", s.override, field), Value: fmt.Sprintf("%.64q", value), Reason: fault})
}

// clientFault is the reason to refuse an exact id, "" if there is none.
func clientFault(id string) string {
	switch {
	case id == "":
		return "must not be empty"
	case isAnything(id):
		return "is one id, not everybody: what holds for everybody is the limit itself"
	case strings.HasSuffix(id, "*"):
		return fmt.Sprintf("is one id, the star included: for all ids that begin so write prefix: %.64q", strings.TrimRight(id, "*"))
	case isNetwork(id):
		return "is a network: write it as cidr"
	case isList(id):
		return "is one id: give several as a list"
	}
	return textFault(id)
}

// prefixFault is the reason to refuse a beginning of ids, "" if there is none.
func prefixFault(prefix string) string {
	switch {
	case prefix == "" || isAnything(prefix):
		return "must not be empty: what holds for everybody is the limit itself"
	case strings.HasSuffix(prefix, "*"):
		return fmt.Sprintf("would match the star itself: write %.64q", strings.TrimRight(prefix, "*"))
	case isNetwork(prefix):
		return "is a network: write it as cidr"
	case isList(prefix):
		return "is one beginning: give several as a list"
	}
	return textFault(prefix)
}

// isAnything reports whether the text is a pattern that any id fits, such as * and .* are.
func isAnything(text string) bool {
	return strings.Contains(text, "*") && strings.Trim(text, "^.*$") == ""
}

// textFault is the reason why no id can be, or begin with, the text; "" if one can.
func textFault(text string) string {
	switch {
	case len(text) > MaxClientID:
		return fmt.Sprintf("must be at most %d bytes", MaxClientID)
	case !utf8.ValidString(text):
		return "must be valid UTF-8, because nodes tell each other in JSON"
	}
	return ""
}

// isNetwork reports whether the text is meant for a network, such as 10.0.0.0/8 or
// 10.0.0.0/255.0.0.0. It need not be right.
func isNetwork(text string) bool {
	first, length, found := strings.Cut(trimBlanks(text), "/")
	return found && length != "" && strings.Trim(length, "0123456789.") == "" && isAddress(first)
}

// isList reports whether the text is several addresses or networks.
func isList(text string) bool {
	several := strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(" \t\r\n,;", r) })
	for _, one := range several {
		if !isAddress(one) && !isNetwork(one) {
			return false
		}
	}
	return len(several) > 1
}

// Selector is the field and the value of an override by which it holds for a client: the exact
// id, else the longest network, else the longest prefix. Both are "" if none fits.
func (p *Policy) Selector(override int, client string) (field, value string) {
	o := &p.Overrides[override]
	name := func(kind string, i int, v string) {
		field, value = fmt.Sprintf("overrides[%d].%s[%d]", override, kind, i), v
	}
	addr, isAddr := netip.Addr{}, false
	if p.ReadsAddresses() {
		addr, isAddr = ParseAddress(client)
	}
	for i, id := range o.Clients {
		if a, ok := ParseAddress(id); id == client || isAddr && ok && a == addr {
			name("client", i, id)
			return field, value
		}
	}
	longest := -1
	for i, text := range o.CIDRs {
		if n, fault := parseNetwork(text); isAddr && fault == "" && n.Contains(addr) && n.Bits() > longest {
			longest = n.Bits()
			name("cidr", i, text)
		}
	}
	if longest >= 0 {
		return field, value
	}
	for i, prefix := range o.Prefixes {
		fits := strings.HasPrefix(client, prefix)
		if isAddr {
			fits = strings.HasPrefix(addr.String(), strings.ToLower(prefix))
		}
		if fits && len(prefix) > longest {
			longest = len(prefix)
			name("prefix", i, prefix)
		}
	}
	return field, value
}

// parseNetwork reads a network, or one address. fault is the reason to refuse the text.
func parseNetwork(text string) (n netip.Prefix, fault string) {
	const right = "must be a network such as 10.0.0.0/8 or 2001:db8::/32, or one address"
	if !strings.Contains(text, "/") {
		addr, err := netip.ParseAddr(text)
		if err != nil || addr.Zone() != "" {
			return netip.Prefix{}, right
		}
		addr = Canonical(addr)
		return netip.PrefixFrom(addr, addr.BitLen()), ""
	}
	n, err := netip.ParsePrefix(text)
	if err != nil {
		return netip.Prefix{}, right
	}
	if n = n.Masked(); n.Bits() >= nat64.Bits() && (n.Addr().Is4In6() || nat64.Contains(n.Addr())) {
		if n.Bits() == nat64.Bits() {
			return netip.Prefix{}, "is all of IPv4, because its addresses count as those: write 0.0.0.0/0"
		}
		return netip.PrefixFrom(Canonical(n.Addr()), n.Bits()-nat64.Bits()), ""
	}
	return n, ""
}
