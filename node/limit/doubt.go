package limit

import (
	"fmt"
	"net/netip"
	"regexp"
	"strings"
)

// Doubts lists the selectors of a valid policy that can hardly mean what they say, each as a
// *FieldError whose Reason says why. Nobody has to act on them: a program shows them to
// whoever wrote the policy. It takes a while for thousands of overrides, so it is not for the
// decision path.
func (p *Policy) Doubts() []*FieldError {
	d := doubter{policy: p, addresses: p.ReadsAddresses(), networks: map[netip.Prefix]string{}}
	for i := range p.Overrides {
		for _, text := range p.Overrides[i].CIDRs {
			if n, fault := parseNetwork(text); fault == "" {
				d.networks[n] = fmt.Sprintf("overrides[%d].cidr", i)
			}
		}
		for _, id := range p.Overrides[i].Clients {
			if a, ok := ParseAddress(id); ok {
				d.alone = append(d.alone, a)
			}
		}
	}
	taken := d.taken()
	for i := range p.Overrides {
		o := &p.Overrides[i]
		for _, id := range o.Clients {
			d.client(i, id)
		}
		for _, prefix := range o.Prefixes {
			d.prefix(i, prefix)
		}
		for _, text := range o.CIDRs {
			d.network(i, text, taken)
		}
	}
	return d.doubts
}

type doubter struct {
	policy    *Policy
	addresses bool                    // the policy reads ids as addresses
	networks  map[netip.Prefix]string // field by network
	alone     []netip.Addr            // that clients name
	doubts    []*FieldError
}

func (d *doubter) doubt(override int, field, value, reason string) {
	d.doubts = append(d.doubts, &FieldError{Field: fmt.Sprintf("overrides[%d].%s", override, field), Value: fmt.Sprintf("%.64q", value), Reason: reason})
}

func (d *doubter) client(i int, id string) {
	addr, isAddr := ParseAddress(id)
	_, portErr := netip.ParseAddrPort(trimBlanks(id))
	switch {
	case isAddr && portErr == nil:
		d.doubt(i, "client", id, fmt.Sprintf("is %v, whatever the port", addr))
	case isAddr:
	case LooksLikeAddress(id):
		d.doubt(i, "client", id, "looks like an address and is none, so it matches only an id of the same bytes")
	default:
		d.text(i, "client", id)
	}
}

func (d *doubter) prefix(i int, prefix string) {
	n, begins := beginning(prefix)
	if begins && (d.addresses || n.Bits() > 8) {
		for bits := n.Bits(); bits >= 0; bits-- {
			if wider, err := n.Addr().Prefix(bits); err == nil && d.networks[wider] != "" {
				d.doubt(i, "prefix", prefix, fmt.Sprintf("reaches no address, because a network goes first: %v in %s has them all", wider, d.networks[wider]))
				return
			}
		}
	}
	switch {
	case begins && (d.addresses || n.Bits() > 8), isAddress(prefix):
		d.doubt(i, "prefix", prefix, "goes by the letters of addresses, so 10.0.0.1 holds for 10.0.0.19 as well: write a network as cidr, and one address as client")
	default:
		d.text(i, "prefix", prefix)
	}
}

// pattern finds what is likelier a regular expression, a glob or a placeholder of SQL than a
// part of an id: ^a, a$, [a-z], {a,b}, ?, %, \d.
var pattern = regexp.MustCompile(`^\^|\$$|\[[^\]]*-[^\]]*\]|\{[^}]*,[^}]*\}|^[?%]+$|\\[dsw]|\.\+`)

// text doubts selectors of letters that people write for something else.
func (d *doubter) text(i int, field, text string) {
	switch {
	case strings.Contains(text, "*"):
		d.doubt(i, field, text, "has a star, which stands for itself alone")
	case pattern.MatchString(text):
		d.doubt(i, field, text, "looks like a pattern, and each of its characters stands for itself alone")
	case trimBlanks(text) != text:
		d.doubt(i, field, text, "has a blank at an end, which an id must have too")
	}
}

func (d *doubter) network(i int, text string, taken map[netip.Prefix]bool) {
	n, fault := parseNetwork(text)
	if fault != "" {
		return
	}
	if taken[n] {
		d.doubt(i, "cidr", text, "reaches no address, because longer networks and clients go first and have them all")
		return
	}
	if written, err := netip.ParsePrefix(text); err == nil && written.Addr() != written.Masked().Addr() {
		d.doubt(i, "cidr", text, fmt.Sprintf("has bits beyond its length: it is the network %v", n))
	}
}

// taken are the networks whose every address longer networks or clients have. A network's two
// halves have it if each is a network of the policy, a client, or taken.
func (d *doubter) taken() map[netip.Prefix]bool {
	taken := map[netip.Prefix]bool{}
	byBits := [129][]netip.Prefix{}
	for n := range d.networks {
		byBits[n.Bits()] = append(byBits[n.Bits()], n)
	}
	for _, a := range d.alone {
		n := netip.PrefixFrom(a, a.BitLen())
		taken[n] = true
		if d.networks[n] == "" {
			byBits[n.Bits()] = append(byBits[n.Bits()], n)
		}
	}
	for bits := len(byBits) - 1; bits > 0; bits-- {
		halves := map[netip.Prefix]int{}
		for _, n := range byBits[bits] {
			whole := netip.PrefixFrom(n.Addr(), bits-1).Masked()
			if halves[whole]++; halves[whole] == 2 {
				taken[whole] = true
				if d.networks[whole] == "" {
					byBits[bits-1] = append(byBits[bits-1], whole)
				}
			}
		}
	}
	return taken
}

// beginning is the least network of whole numbers that holds all addresses whose canonical
// form begins with the text: 10.0.0.0/8 for "10." and "10.0". It is false if the text is no
// beginning of an address, or could as well be one of something else.
func beginning(text string) (netip.Prefix, bool) {
	parts := strings.Split(strings.ToLower(text), ".")
	if n := len(parts); n > 1 && n <= 4 {
		var four [4]byte
		for i, part := range parts {
			if i == n-1 && part == "" {
				break
			}
			var ok bool
			if four[i], ok = octet(part); !ok {
				return netip.Prefix{}, false
			}
		}
		return netip.PrefixFrom(netip.AddrFrom4(four), 8*(n-1)).Masked(), true
	}
	parts = strings.Split(strings.ToLower(text), ":")
	if n := len(parts); n < 3 || n > 8 {
		return netip.Prefix{}, false
	}
	var sixteen [16]byte
	bits, whole := 0, true
	for i, part := range parts {
		group, digits := hexGroup(part)
		if digits != len(part) || digits > 4 {
			return netip.Prefix{}, false
		}
		if whole = whole && digits > 0 && i < len(parts)-1; whole {
			sixteen[2*i], sixteen[2*i+1] = byte(group>>8), byte(group)
			bits += 16
		}
	}
	return netip.PrefixFrom(netip.AddrFrom16(sixteen), bits), true
}

// octet reads a number up to 255.
func octet(text string) (byte, bool) {
	if text == "" || len(text) > 3 || !isPort(text) {
		return 0, false
	}
	n := 0
	for i := range len(text) {
		n = n*10 + int(text[i]-'0')
	}
	return byte(n), n <= 255
}
