package keys_test

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/keys"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/limit"
)

func TestAnAddressCountsByItsNetwork(t *testing.T) {
	for _, c := range []struct {
		addr string
		bits int
		want string
	}{
		{"192.0.2.1", 64, "192.0.2.1"},
		{"2001:db8:1:2:3:4:5:6", 64, "2001:db8:1:2::"},
		{"2001:db8:1:2:3:4:5:6", 48, "2001:db8:1::"},
		{"2001:db8:1:2:3:4:5:6", 128, "2001:db8:1:2:3:4:5:6"},
	} {
		got := keys.Network(netip.MustParseAddr(c.addr), c.bits)
		if got != c.want {
			t.Errorf("%s by %d bits: got %s, want %s", c.addr, c.bits, got, c.want)
		}
		if _, ok := limit.ParseAddress(got); !ok {
			t.Errorf("%s is no address: overrides for networks would not find it", got)
		}
	}
}

func TestLongValuesAreHashed(t *testing.T) {
	long := strings.Repeat("x", 129)
	for _, c := range []struct{ got, want string }{
		{keys.Marked("k", long[1:]), "k=" + long[1:]},
		{keys.Marked("k", long), "k#=DsnrM-dFELzdHy6lUgboLyFknFwr7L8rQz60dbNMAb0"},
		{keys.Marked("k", `a|b\`), `k=a\|b\\`},
		{keys.Marked("k", strings.Repeat("|", 128)), "k=" + strings.Repeat(`\|`, 128)},
		{keys.Join("a"), "a"},
		{keys.Join(keys.Marked("k", "a|b"), keys.Marked("l", `c\`), "192.0.2.1"), `k=a\|b|l=c\\|192.0.2.1`},
		{keys.Join(strings.Repeat(long, 8)), strings.Repeat(long, 8)},
	} {
		if c.got != c.want {
			t.Errorf("got %q, want %q", c.got, c.want)
		}
	}
	huge := strings.Repeat("x", 1024)
	if got := keys.Join(huge, "x"); len(got) > limit.MaxClientID || !strings.HasPrefix(got, "joined|#=") || got == keys.Marked("joined", huge+"|x") {
		t.Errorf("got %q", got)
	}
}

// No value of one key is that of several keys joined, or that of other ones.
func FuzzKeys(f *testing.F) {
	f.Add("user", "bob|device=1", "user", "bob", "device", "1")
	f.Add("user", `bob\|device=1`, "user", `bob\`, "device", "1")
	f.Add("joined", "x", "a", strings.Repeat("|", 128), "b", "=")
	f.Fuzz(func(t *testing.T, name, value, first, one, second, two string) {
		for _, n := range []string{name, first, second} {
			if keys.NameFault(n) != nil {
				t.Skip()
			}
		}
		single, joined := keys.Marked(name, value), keys.Join(keys.Marked(first, one), keys.Marked(second, two))
		if single == joined || single == keys.Join("192.0.2.1", joined) {
			t.Errorf("%q is one key and two", single)
		}
		if other := keys.Marked(first, one); (single == other) != (name == first && value == one) {
			t.Errorf("%q and %q", single, other)
		}
		if other := keys.Join(keys.Marked(name, value), keys.Marked(second, two)); (joined == other) != (name == first && value == one) {
			t.Errorf("%q and %q", joined, other)
		}
		if len(single) > limit.MaxClientID || len(joined) > limit.MaxClientID {
			t.Errorf("%d and %d bytes", len(single), len(joined))
		}
	})
}

func TestWhoAsksIsKnownByItsNetwork(t *testing.T) {
	for remote, want := range map[string]string{
		"192.0.2.1:80": "192.0.2.1", "[::ffff:192.0.2.1]:80": "192.0.2.1", "[2001:db8:1:2:3::4%eth0]:80": "2001:db8:1:2::", "nats": "nats", "": "",
	} {
		if got := keys.Origin(remote); got != want {
			t.Errorf("%q: got %q, want %q", remote, got, want)
		}
	}
}
