package proxies_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/proxies"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/limit"
)

func trusted(t testing.TB) proxies.Trusted {
	t.Helper()
	p, err := proxies.Parse("10.0.0.0/8", "192.0.2.9", "2001:db8:f::/48")
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestTheRightmostAddressThatIsNotTrustedIsTheClient(t *testing.T) {
	const stranger, proxy = "198.51.100.7:4711", "10.0.0.1:80"
	for name, c := range map[string]struct {
		peer string
		xff  []string
		want string
	}{
		"no header":                      {stranger, nil, "198.51.100.7"},
		"a stranger's header":            {stranger, []string{"203.0.113.1"}, "198.51.100.7"},
		"a stranger calls itself proxy":  {stranger, []string{"10.0.0.2"}, "198.51.100.7"},
		"a proxy without a header":       {proxy, nil, "10.0.0.1"},
		"a proxy's client":               {proxy, []string{"203.0.113.1"}, "203.0.113.1"},
		"a spoofed entry on the left":    {proxy, []string{"1.2.3.4, 203.0.113.1"}, "203.0.113.1"},
		"a spoofed proxy on the left":    {proxy, []string{"10.0.0.5,203.0.113.1"}, "203.0.113.1"},
		"two proxies":                    {proxy, []string{"1.2.3.4, 203.0.113.1, 10.2.3.4"}, "203.0.113.1"},
		"a spoofed line":                 {proxy, []string{"1.2.3.4", "203.0.113.1"}, "203.0.113.1"},
		"a line for each proxy":          {proxy, []string{"203.0.113.1", "10.0.0.2"}, "203.0.113.1"},
		"all are trusted":                {proxy, []string{"10.0.0.3, 10.0.0.2"}, "10.0.0.3"},
		"rubbish on the left":            {proxy, []string{"unknown, 203.0.113.1"}, "203.0.113.1"},
		"rubbish on the right":           {proxy, []string{"203.0.113.1, unknown"}, "10.0.0.1"},
		"rubbish behind a proxy":         {proxy, []string{"203.0.113.1, _hidden, 10.0.0.2"}, "10.0.0.2"},
		"an empty header":                {proxy, []string{""}, "10.0.0.1"},
		"an empty entry":                 {proxy, []string{"203.0.113.1,"}, "10.0.0.1"},
		"an empty line":                  {proxy, []string{"203.0.113.1", ""}, "10.0.0.1"},
		"only commas":                    {proxy, []string{",,,"}, "10.0.0.1"},
		"blanks and tabs":                {proxy, []string{"  203.0.113.1\t ,\t10.0.0.2 "}, "203.0.113.1"},
		"ports":                          {proxy, []string{"203.0.113.1:99, 10.0.0.2:80"}, "203.0.113.1"},
		"brackets":                       {proxy, []string{"[2001:db8::1]:99"}, "2001:db8::1"},
		"a leading zero":                 {proxy, []string{"203.0.113.01"}, "10.0.0.1"},
		"a number too many":              {proxy, []string{"203.0.113.1.1"}, "10.0.0.1"},
		"quotes":                         {proxy, []string{`"203.0.113.1"`}, "10.0.0.1"},
		"Forwarded's form":               {proxy, []string{"for=203.0.113.1"}, "10.0.0.1"},
		"mapped client":                  {proxy, []string{"::ffff:203.0.113.1"}, "203.0.113.1"},
		"mapped proxy":                   {"[::ffff:10.0.0.1]:80", []string{"203.0.113.1"}, "203.0.113.1"},
		"mapped in hexadecimal":          {proxy, []string{"203.0.113.1, ::FFFF:0A00:0002"}, "203.0.113.1"},
		"a client behind NAT64":          {proxy, []string{"64:ff9b::203.0.113.1"}, "203.0.113.1"},
		"a proxy's address behind NAT64": {proxy, []string{"1.2.3.4, 64:ff9b::10.0.0.2"}, "10.0.0.2"},
		"the same as a peer":             {"[64:FF9B::a00:1]:80", []string{"1.2.3.4"}, "10.0.0.1"},
		"a zone":                         {proxy, []string{"fe80::1%eth0"}, "fe80::1"},
		"IPv6 proxy":                     {"[2001:db8:f::1]:80", []string{"2001:DB8:0:1::1"}, "2001:db8:0:1::1"},
		"a single trusted address":       {"192.0.2.9:1", []string{"203.0.113.1"}, "203.0.113.1"},
		"the one beside it":              {"192.0.2.10:1", []string{"203.0.113.1"}, "192.0.2.10"},
	} {
		got, err := trusted(t).Client(c.peer, c.xff)
		if err != nil || got.String() != c.want {
			t.Errorf("%s: got %v, %v, want %s", name, got, err, c.want)
		}
	}
}

func TestAConnectionWithoutAnAddressHasNoClient(t *testing.T) {
	for _, remote := range []string{"", "@", "/run/app.sock", "localhost:80"} {
		if got, err := trusted(t).Client(remote, []string{"203.0.113.1"}); err == nil {
			t.Errorf("%q: got %v", remote, got)
		}
		if got, err := proxies.Peer(remote); err == nil {
			t.Errorf("%q: got %v", remote, got)
		}
	}
}

func TestNetworksOfProxiesAreChecked(t *testing.T) {
	for _, text := range []string{"", "x", "10.0.0.1/8", "10.0.0.0/33", "::ffff:0.0.0.0/95", "fe80::1%eth0", "10.0.0.0/8,", "010.0.0.1"} {
		if _, err := proxies.Parse("10.0.0.0/8", text); err == nil || !strings.Contains(err.Error(), `"`+text+`"`) {
			t.Errorf("%q: got %v", text, err)
		}
	}
	p, err := proxies.Parse("::ffff:10.0.0.0/104", " 64:ff9b::192.0.2.1 ")
	if err != nil || p.Empty() || !p.Trusts("10.1.2.3:4") || !p.Trusts("192.0.2.1:4") || p.Trusts("11.0.0.1:4") || p.Trusts("@") {
		t.Errorf("got %v, %v", p, err)
	}
	if (proxies.Trusted{}).Trusts("10.0.0.1:1") || !(proxies.Trusted{}).Empty() {
		t.Error("the zero value trusts somebody")
	}
}

func TestNetworksOfAProgramAreTrusted(t *testing.T) {
	p := proxies.Of([]netip.Prefix{netip.MustParsePrefix("10.1.2.3/8"), netip.MustParsePrefix("::ffff:192.0.2.0/120"), netip.MustParsePrefix("::ffff:0.0.0.0/90"), {}})
	if got := fmt.Sprint(p.Networks()); got != "[10.0.0.0/8 192.0.2.0/24]" {
		t.Errorf("got %v", got)
	}
	if !p.Trusts("10.9.9.9:1") || !p.Trusts("192.0.2.9:1") || p.Trusts("192.0.3.9:1") {
		t.Errorf("got %v", p)
	}
}

// Whatever a client writes to the left of what proxies appended changes nothing.
func FuzzWhatAClientWritesChangesNothing(f *testing.F) {
	for _, seed := range []string{"", "1.2.3.4", "10.0.0.1", "10.0.0.1,", "::ffff:10.0.0.1", "64:ff9b::10.0.0.1", `"`, "a,b,,c", "[::1]:80, 10.0.0.2:1"} {
		f.Add(seed, "1.2.3.4")
	}
	p := trusted(f)
	f.Fuzz(func(t *testing.T, one, two string) {
		const client = "203.0.113.1"
		for _, lines := range [][]string{{one + "," + client}, {one, two, client}, {one, client + ", 10.0.0.7"}, {one + "," + two + "," + client, "10.0.0.7"}} {
			got, err := p.Client("10.0.0.1:80", lines)
			if err != nil || got.String() != client {
				t.Errorf("%q: got %v, %v", lines, got, err)
			}
		}
		got, err := p.Client("198.51.100.7:1", []string{one, two})
		if err != nil || got.String() != "198.51.100.7" {
			t.Errorf("a stranger's %q: got %v, %v", []string{one, two}, got, err)
		}
		// Whatever comes out is one address in canonical form.
		if got, err := p.Client("10.0.0.1:80", []string{one, two}); err != nil || got != limit.Canonical(got) || !got.IsValid() {
			t.Errorf("%q: got %v, %v", []string{one, two}, got, err)
		}
	})
}
