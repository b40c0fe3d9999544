package limit_test

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/limit"
)

// spellings are ids by the address that each of them is.
var spellings = map[string][]string{
	"192.0.2.7": {
		"192.0.2.7", " 192.0.2.7", "192.0.2.7\t", "\t 192.0.2.7 \r\n", "192.0.2.7:0", "192.0.2.7:443", "192.0.2.7:65535", " 192.0.2.7:443 ",
		"[192.0.2.7]", "[192.0.2.7]:443", "::ffff:192.0.2.7", "::FFFF:192.0.2.7", "::ffff:c000:207", "0:0:0:0:0:ffff:c000:0207",
		"[::ffff:192.0.2.7]", "[::ffff:192.0.2.7]:80", "::ffff:192.0.2.7%eth0", "64:ff9b::192.0.2.7", "64:ff9b::c000:207", "0064:FF9B:0:0:0:0:C000:0207",
		"[64:ff9b::c000:207]", "[64:ff9b::192.0.2.7]:8080", " [64:ff9b::c000:207%2]:1\t",
	},
	"2001:db8:5::100": {
		"2001:db8:5::100", "2001:DB8:5::100", "2001:dB8:5::0100", "2001:0db8:0005:0000:0000:0000:0000:0100", "2001:db8:5:0:0:0:0:100", "2001:db8:5::0:100",
		"2001:db8:5:0::0:0:100", "2001:db8:5::0.0.1.0", "[2001:db8:5::100]", "[2001:DB8:5::100]:443", " [2001:db8:5::100]:1", "2001:db8:5::100%eth0",
		"[2001:db8:5::100%25eth0]:443",
	},
	"fe80::1":                 {"fe80::1", "fe80::1%eth0", "FE80::1%1", "[fe80::1%wlan0.5]:22", "fe80:0:0:0:0:0:0:1%en-0"},
	"::":                      {"::", "0::", "::0", "0:0:0:0:0:0:0:0", "[::]:80", "::0.0.0.0"},
	"::1":                     {"::1", "0:0:0:0:0:0:0:1", "[::1]", "::0001"},
	"1:2:3:4:5:6:7:8":         {"1:2:3:4:5:6:7:8", "0001:02:003:4:5:6:7:8", "1:2:3:4:5:6:0.7.0.8"},
	"64:ff9b:1::1":            {"64:ff9b:1::1", "64:FF9B:1::1"}, // a NAT64 with another prefix
	"2001:db8::1:8080":        {"2001:db8::1:8080"},             // no port without brackets
	"1::":                     {"1::", "1:0::", "1:0:0:0:0:0:0:0"},
	"255.255.255.255":         {"255.255.255.255:00443"},
	"0.0.0.0":                 {"0.0.0.0", "::ffff:0:0", "64:ff9b::"},
	"2001:db8::ffff:c000:207": {"2001:db8::ffff:192.0.2.7"},
}

// strangers are ids that are no address; odd ones look like one.
var strangers = map[string]bool{
	"192.0.2.7, 198.51.100.1": true, "192.0.2.7,198.51.100.1": true, "2001:db8::1, 2001:db8::2": true, "192.0.2.7 198.51.100.1": true, ", 192.0.2.7": true,
	"fe80::1%eth0, 10.0.0.1": true, "192.0.2.07": true, "010.0.0.1": true, "192.0.2.256": true, "192.0.2.7.": true, "192.0.2.7:65536": true, "192.0.2.7:": true,
	"192.0.2.7:-1": true, "192.0.2.7:000443": true, "192.0.2.7:80:80": true, "192.0.2.7/32": true, "2001:db8::/64": true, "[2001:db8::1": true, "2001:db8::1]": true,
	"[2001:db8::1]443": true, "[2001:db8::1]:": true, "[2001:db8::1]:65536": true, "[[::1]]": true, "[ ::1]": true, `"192.0.2.7"`: true, "'2001:db8::1'": true,
	"1:2:3:4:5:6:7": true, "1:2:3:4:5:6:7:8:9": true, "1::2::3": true, "1:2:3:4:5:6:7::8": true, "12345::": true, ":::1": true, "::1:": true, "1:2:3:4:5:6:7:1.2.3.4": true,
	"\ufeff192.0.2.7": true, "192.0.2.1-192.0.2.9": true, "2001:db8::1%": true, "2001:db8::1%a b": true, "1.2.3.4.5": true,
	"192.0.2.7%eth0": true, "\u00a0192.0.2.7": true, "192.0.2.7\x00": true, "\u200b192.0.2.7": true, "192.0.2.7\v": true, "2001:db8::1\u202f": true,
	"for=192.0.2.7": true, `For="[2001:db8::1]:4711"`: true, "for=192.0.2.7;proto=http;by=203.0.113.43": true, "unknown, 192.0.2.7": true,
	"for=_hidden": false, "unknown,": false, "force": false, "for=": false, "tenant:192.0.2.7": false, "alice,192.0.2.7": false,
	"": false, " ": false, "alice": false, "1.2.3": false, "12:30": false, "192.0.2.7x": false, "alice:192.0.2.7:beef": false, "localhost:8080": false,
	"abc.de.fa.be": false, "deadbeef": false, "3fa85f64-5717-4562-b3fc-2c963f66afa6": false, "...": false, "::g": false, "unknown": false,
	"key:": false, "[]": false, "%": false, ":": false, ".": false, "[": false, "]": false,
	"١٩٢.0.2.7": false, "１92.0.2.7": false,
}

func TestAnAddressIsOneInAllItsSpellings(t *testing.T) {
	for want, all := range spellings {
		for _, id := range all {
			if got, ok := limit.ParseAddress(id); !ok || got.String() != want {
				t.Errorf("%q: got %v, %v, want %s", id, got, ok, want)
			}
		}
	}
	for id, odd := range strangers {
		if got, ok := limit.ParseAddress(id); ok {
			t.Errorf("%q: got %v", id, got)
		}
		if got := limit.LooksLikeAddress(id); got != odd {
			t.Errorf("%q looks like an address: %v", id, got)
		}
	}
}

func TestReadingAnAddressAllocatesNothing(t *testing.T) {
	for want, all := range spellings {
		for _, id := range append(all, want) {
			if got := testing.AllocsPerRun(10, func() { limit.ParseAddress(id) }); got != 0 {
				t.Errorf("%q: %v allocations", id, got)
			}
		}
	}
	for id := range strangers {
		if got := testing.AllocsPerRun(10, func() { limit.ParseAddress(id); limit.LooksLikeAddress(id) }); got != 0 {
			t.Errorf("%q: %v allocations", id, got)
		}
	}
}

// oracle reads ids with the standard library's readers, without regard to cost.
func oracle(id string) (netip.Addr, bool) {
	text := strings.Trim(id, " \t\r\n")
	if inner, found := strings.CutPrefix(text, "["); found {
		host, rest, closed := strings.Cut(inner, "]")
		port, hasPort := strings.CutPrefix(rest, ":")
		if !closed || rest != "" && !hasPort {
			return netip.Addr{}, false
		}
		if hasPort {
			if _, err := netip.ParseAddrPort("1.1.1.1:" + port); err != nil || len(port) > 5 {
				return netip.Addr{}, false
			}
		}
		text = host
	} else if at, err := netip.ParseAddrPort(text); err == nil {
		_, port, _ := strings.Cut(text, ":")
		if at.Addr().Is4() && len(port) <= 5 {
			text = at.Addr().String()
		}
	}
	a, err := netip.ParseAddr(text)
	if err != nil || strings.ContainsAny(a.Zone(), " \t\r\n,[]%\"") {
		return netip.Addr{}, false
	}
	a = a.WithZone("").Unmap()
	if b := a.As16(); a.Is6() && strings.HasPrefix(string(b[:]), "\x00\x64\xff\x9b\x00\x00\x00\x00\x00\x00\x00\x00") {
		a = netip.AddrFrom4([4]byte(b[12:]))
	}
	return a, true
}

func FuzzParseAddress(f *testing.F) {
	for want, all := range spellings {
		f.Add(want)
		for _, id := range all {
			f.Add(id)
		}
	}
	for id := range strangers {
		f.Add(id)
	}
	f.Fuzz(func(t *testing.T, id string) {
		got, ok := limit.ParseAddress(id)
		want, is := oracle(id)
		if len(id) <= 64 && (ok != is || got != want) {
			t.Fatalf("%q: got %v, %v, want %v, %v", id, got, ok, want, is)
		}
		if !ok {
			return
		}
		// The canonical form is itself, and all its spellings are the same client.
		for _, again := range []string{got.String(), strings.ToUpper(got.StringExpanded()), "[" + got.String() + "]:1", "\t" + got.String() + " "} {
			if a, ok := limit.ParseAddress(again); !ok || a != got {
				t.Errorf("%q of %q: got %v", again, id, a)
			}
		}
	})
}

// A decision under a limit that reads addresses pays for one of these.
func BenchmarkParseAddress(b *testing.B) {
	for _, id := range []string{"192.0.2.7", "192.0.2.7:54321", "2001:db8::7", "[2001:0DB8:0:0:0:0:0:7]:443", "64:ff9b::192.0.2.7", "user-4711", "192.0.2.7, 10.0.0.1"} {
		b.Run(strings.ReplaceAll(id, "/", "_"), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, ok := limit.ParseAddress(id); !ok {
					limit.LooksLikeAddress(id)
				}
			}
		})
	}
}
