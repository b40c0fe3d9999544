package limit

import (
	"encoding/binary"
	"net/netip"
	"strings"
	"unicode"
	"unicode/utf8"
)

// ParseAddress reads an id as an IP address, if it is one, in any of its spellings:
//
//   - letters of either case, and zeros written out or left out;
//   - blanks and tabs around it;
//   - with a port (192.0.2.1:443), in brackets ([2001:db8::1]), or both;
//   - with a zone, which it leaves out, because a zone names an interface of one machine.
//
// An IPv4 address that is written as IPv6 is the IPv4 address: mapped (::ffff:192.0.2.1), and
// behind a NAT64 with the well-known prefix (64:ff9b::192.0.2.1, RFC 6052). A list of
// addresses is no address, and neither is one with a leading zero in a part (010.0.0.1),
// because programs disagree on what it means. ParseAddress allocates nothing.
func ParseAddress(id string) (addr netip.Addr, ok bool) {
	text := trimBlanks(id)
	if text == "" || len(text) > longestAddress {
		return netip.Addr{}, false
	}
	if text[0] == '[' {
		inner, rest, closed := strings.Cut(text[1:], "]")
		if !closed || rest != "" && (rest[0] != ':' || !isPort(rest[1:])) {
			return netip.Addr{}, false
		}
		if four, rest, ok := cutIPv4(inner); ok && rest == "" {
			return netip.AddrFrom4(four), true
		}
		return parseZoned(inner)
	}
	if four, rest, ok := cutIPv4(text); ok && (rest == "" || rest[0] == ':' && isPort(rest[1:])) {
		return netip.AddrFrom4(four), true
	}
	return parseZoned(text)
}

// longestAddress is an IPv6 address that ends as IPv4 does, with brackets, a port, and a zone
// that is longer than any in use. Raising it looks at more bytes of ids that are no address;
// lowering it overlooks addresses with long zones.
const longestAddress = len("[ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255%]:65535") + 64

func trimBlanks(text string) string {
	for text != "" && isBlank(text[0]) {
		text = text[1:]
	}
	for text != "" && isBlank(text[len(text)-1]) {
		text = text[:len(text)-1]
	}
	return text
}

func isBlank(c byte) bool { return c == ' ' || c == '\t' || c == '\r' || c == '\n' }

// isPort reports whether text is a number of at most 65535.
func isPort(text string) bool {
	if text == "" || len(text) > len("65535") {
		return false
	}
	n := 0
	for i := range len(text) {
		if text[i] < '0' || text[i] > '9' {
			return false
		}
		n = n*10 + int(text[i]-'0')
	}
	return n <= 65535
}

// parseZoned reads an IPv6 address that may have a zone.
func parseZoned(text string) (netip.Addr, bool) {
	text, zone, zoned := strings.Cut(text, "%")
	if zoned && (zone == "" || strings.ContainsAny(zone, " \t\r\n,[]%\"")) {
		return netip.Addr{}, false
	}
	sixteen, ok := parseIPv6(text)
	if !ok {
		return netip.Addr{}, false
	}
	return Canonical(netip.AddrFrom16(sixteen)), true
}

// nat64 is the well-known prefix by which IPv6 networks reach IPv4 (RFC 6052).
var nat64 = netip.MustParsePrefix("64:ff9b::/96")

// Canonical is the one form of an address that others compare with: IPv4 where the address
// stands for one, and without a zone.
func Canonical(addr netip.Addr) netip.Addr {
	addr = addr.WithZone("")
	if addr.Is4In6() {
		return addr.Unmap()
	}
	if nat64.Contains(addr) {
		b := addr.As16()
		return netip.AddrFrom4([4]byte(b[12:]))
	}
	return addr
}

// cutIPv4 reads four decimal numbers up to 255, without leading zeros, and returns the text
// after them.
func cutIPv4(text string) (four [4]byte, rest string, ok bool) {
	for i := range four {
		if i > 0 {
			if text == "" || text[0] != '.' {
				return four, "", false
			}
			text = text[1:]
		}
		digits, n := 0, 0
		for digits < len(text) && text[digits] >= '0' && text[digits] <= '9' && digits < 4 {
			n = n*10 + int(text[digits]-'0')
			digits++
		}
		if digits == 0 || n > 255 || digits > 1 && text[0] == '0' {
			return four, "", false
		}
		four[i], text = byte(n), text[digits:]
	}
	return four, text, true
}

// parseIPv6 reads the forms of RFC 4291, section 2.2.
func parseIPv6(text string) (sixteen [16]byte, ok bool) {
	at, gap := 0, -1 // where the next group goes, and where "::" stands
	if rest, found := strings.CutPrefix(text, "::"); found {
		gap, text = 0, rest
	}
	for text != "" {
		if at == 16 {
			return sixteen, false
		}
		group, digits := hexGroup(text)
		if digits < len(text) && text[digits] == '.' { // the rest is IPv4
			four, rest, ok := cutIPv4(text)
			if !ok || rest != "" || at > 12 {
				return sixteen, false
			}
			copy(sixteen[at:], four[:])
			at += len(four)
			break
		}
		if digits == 0 || digits > 4 {
			return sixteen, false
		}
		binary.BigEndian.PutUint16(sixteen[at:], group)
		at += 2
		if text = text[digits:]; text == "" {
			break
		}
		if text[0] != ':' || len(text) == 1 {
			return sixteen, false
		}
		if text = text[1:]; text[0] == ':' {
			if gap >= 0 {
				return sixteen, false
			}
			gap, text = at, text[1:]
		}
	}
	if gap < 0 || at == 16 {
		return sixteen, gap < 0 && at == 16
	}
	tail := copy(sixteen[16-(at-gap):], sixteen[gap:at])
	clear(sixteen[gap : 16-tail])
	return sixteen, true
}

// hexGroup reads the hexadecimal digits that text begins with, at most five.
func hexGroup(text string) (group uint16, digits int) {
	for ; digits < len(text) && digits < 5; digits++ {
		c := text[digits]
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c >= 'a' && c <= 'f':
			c -= 'a' - 10
		case c >= 'A' && c <= 'F':
			c -= 'A' - 10
		default:
			return group, digits
		}
		group = group<<4 | uint16(c)
	}
	return group, digits
}

// LooksLikeAddress reports whether an id that is no address seems meant for one: a list of
// addresses, a leading zero, a port that cannot be, a network, quotes, a character that does
// not show. Such ids usually come from a header that nobody took apart. It allocates nothing.
func LooksLikeAddress(id string) bool {
	points, colons, letters, digits := 0, 0, false, false
	for _, r := range headerValue(id) {
		switch {
		case r == '.':
			points++
		case r == ':':
			colons++
		case r >= '0' && r <= '9':
			digits = true
		case r >= 'a' && r <= 'f', r >= 'A' && r <= 'F':
			letters = true
		case r == '%': // a zone of any letters follows
			return colons >= 2 || points >= 3
		case r < utf8.RuneSelf && strings.IndexByte(",;[]\"'/-", byte(r)) >= 0, unicode.IsSpace(r), !unicode.IsPrint(r):
		default:
			return false
		}
	}
	return digits && (colons >= 2 || points >= 3 && !letters)
}

// headerValue is an id without the words by which proxies begin: "unknown, " for an address
// that a proxy hides, and the parameter "for=" of the header Forwarded (RFC 7239), alone.
func headerValue(id string) string {
	id = cutWord(id, "unknown,")
	if value := cutWord(id, "for="); len(value) < len(id) {
		id, _, _ = strings.Cut(value, ";")
	}
	return id
}

// cutWord is text without the word, if it begins with it in letters of either case. The word
// has small letters.
func cutWord(text, word string) string {
	if len(text) < len(word) {
		return text
	}
	for i := range len(word) { // nearly all ids differ in the first letters
		if text[i]|' ' != word[i] {
			return text
		}
	}
	return text[len(word):]
}
