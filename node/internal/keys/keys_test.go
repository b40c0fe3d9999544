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
		{keys.Join("a"), "a"},
		{keys.Join("a|b", `c\`, "d"), `a\|b|c\\|d`},
		{keys.Join(strings.Repeat(long, 8)), strings.Repeat(long, 8)},
	} {
		if c.got != c.want {
			t.Errorf("got %q, want %q", c.got, c.want)
		}
	}
	if got := keys.Join(strings.Repeat("|", 600), "x"); len(got) > limit.MaxClientID || !strings.HasPrefix(got, "joined#=") {
		t.Errorf("got %q", got)
	}
}
