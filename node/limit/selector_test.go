package limit_test

import (
	"strings"
	"testing"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/limit"
)

// named is a limit with one override for each list of selectors; each is "client VALUE",
// "prefix VALUE" or "cidr VALUE".
func named(lists ...[]string) limit.Policy {
	p := limit.Policy{Limit: 5, Window: time.Hour}
	for _, list := range lists {
		o := limit.Override{Limit: 3}
		for _, s := range list {
			kind, value, _ := strings.Cut(s, " ")
			switch kind {
			case "client":
				o.Clients = append(o.Clients, value)
			case "prefix":
				o.Prefixes = append(o.Prefixes, value)
			default:
				o.CIDRs = append(o.CIDRs, value)
			}
		}
		p.Overrides = append(p.Overrides, o)
	}
	return p
}

func TestSelectorsThatCannotBeMeantAreRefused(t *testing.T) {
	for _, c := range []struct {
		first, second string // selectors; the last one is at fault
		want          string
	}{
		{"", "client *", "everybody"},
		{"", "client **", "everybody"},
		{"", "client .*", "everybody"},
		{"", "client ^.*$", "everybody"},
		{"", "prefix **", "everybody"},
		{"", "prefix .*", "everybody"},
		{"", "client trial-**", `prefix: "trial-"`},
		{"", "client trial-*", `prefix: "trial-"`},
		{"", "client 10.*", `prefix: "10."`},
		{"", "client 10.0.0.0/8", "write it as cidr"},
		{"", "client 10.0.0.0/255.0.0.0", "write it as cidr"},
		{"", "client 2001:DB8::/32", "write it as cidr"},
		{"", "client  10.0.0.0/8 ", "write it as cidr"},
		{"", "client [2001:db8::]/32", "write it as cidr"},
		{"", "client 10.0.0.1, 10.0.0.2", "give several as a list"},
		{"", "client 10.0.0.0/8,fd00::/8", "give several as a list"},
		{"", "client \xff", "valid UTF-8"},
		{"", "client \xed\xa0\x80", "valid UTF-8"},
		{"", "prefix *", "everybody"},
		{"", "prefix trial-*", `write "trial-"`},
		{"", "prefix trial-**", `write "trial-"`},
		{"", "prefix 10.0.0.0/8", "write it as cidr"},
		{"", "prefix fd00::/8", "write it as cidr"},
		{"", "prefix 10.0.0.1,10.0.0.2", "give several as a list"},
		{"", "prefix a\x80", "valid UTF-8"},
		{"", "cidr 10.0.0.0/8, 192.168.0.0/16", "must be a network"},
		{"", "cidr 10.0.0.1:80", "must be a network"},
		{"", "cidr 010.0.0.0/8", "must be a network"},
		{"", "cidr fe80::1%eth0", "must be a network"},
		{"", "cidr fe80::%eth0/64", "must be a network"},
		{"", "cidr *", "must be a network"},
		{"", "cidr ::ffff:0:0/96", "0.0.0.0/0"},
		{"", "cidr 64:FF9B::/96", "0.0.0.0/0"},

		// Those that an earlier one of the same kind shadows, in other letters.
		{"client a", "client a", "overrides[0] already"},
		{"client 192.0.2.7", "client 192.0.2.7:443", "overrides[0] already"},
		{"client 2001:db8::1", "client 2001:DB8:0::1", "overrides[0] already"},
		{"client ::ffff:192.0.2.7", "client 64:ff9b::c000:207", "overrides[0] already"},
		{"prefix a", "prefix a", "overrides[0] already"},
		{"cidr 10.0.0.0/8", "cidr 10.9.0.0/8", "overrides[0] already"},
		{"cidr 2001:db8::/32", "cidr 2001:DB8:0::/32", "overrides[0] already"},
		{"cidr 10.0.0.0/8", "cidr ::FFFF:10.0.0.0/104", "overrides[0] already"},
		{"cidr 10.0.0.0/8", "cidr 64:ff9b::10.0.0.0/104", "overrides[0] already"},
		{"cidr 192.0.2.7", "cidr 64:ff9b::c000:207", "overrides[0] already"},
		{"cidr 192.0.2.7", "cidr 192.0.2.7/32", "overrides[0] already"},
	} {
		lists, kind, value := [][]string{{c.second}}, c.second, ""
		if c.first != "" {
			lists = [][]string{{c.first}, {c.second}}
		}
		kind, value, _ = strings.Cut(kind, " ")
		faults := limit.FieldErrors(named(lists...).Validate())
		if len(faults) != 1 || !strings.HasSuffix(faults[0].Field, "]."+kind) || !strings.Contains(faults[0].Reason, c.want) {
			t.Errorf("%s %q after %q: got %v", kind, value, c.first, faults)
		}
	}
	// Only the letters of addresses do not matter.
	for _, lists := range [][][]string{
		{{"client a"}, {"client A"}},
		{{"prefix AB:"}, {"prefix ab:"}},
		{{"prefix AB:"}, {"prefix ab:"}, {"prefix Team-"}, {"prefix team-", "cidr fd00::/8"}},
		{{"client a"}, {"prefix a"}},
		{{"client *a"}, {"prefix a*b"}},
		{{"client 10"}, {"client 10/8"}, {"client v1.2/3"}, {"prefix /8"}},
		{{"client 10.0.0.1/a"}},
		{{"cidr ::ffff:0:0/95"}},
		{{"cidr 0.0.0.0/0", "cidr ::/0"}},
	} {
		if err := named(lists...).Validate(); err != nil {
			t.Errorf("%q: %v", lists, err)
		}
	}
	if err := named([]string{"prefix 2001:DB8:"}, []string{"prefix 2001:db8:"}, []string{"cidr fd00::/8"}).Validate(); err == nil {
		t.Error("a prefix of addresses occurs twice, in other letters")
	}
}

func TestSelectorsThatCanHardlyBeMeantAreDoubted(t *testing.T) {
	for _, c := range []struct {
		lists [][]string
		field string // "" for no doubt
		want  string
	}{
		{[][]string{{"client alice", "prefix trial-", "cidr 10.0.0.0/8", "cidr 10.1.0.0/16", "client 10.1.2.3", "client 2001:db8::1"}}, "", ""},
		{[][]string{{"client tenant-*-eu"}}, "overrides[0].client", "star"},
		{[][]string{{"prefix *-eu"}}, "overrides[0].prefix", "star"},
		{[][]string{{"prefix ^trial-"}}, "overrides[0].prefix", "pattern"},
		{[][]string{{"client -trial$"}}, "overrides[0].client", "pattern"},
		{[][]string{{"client trial-{1,2}"}}, "overrides[0].client", "pattern"},
		{[][]string{{"client trial-[0-9]"}}, "overrides[0].client", "pattern"},
		{[][]string{{"prefix %"}}, "overrides[0].prefix", "pattern"},
		{[][]string{{`client user-\d`}}, "overrides[0].client", "pattern"},
		{[][]string{{"client a{b}", "client a[b]", "client 100%", "client what?", "prefix a$b"}}, "", ""},
		{[][]string{{"client  alice"}}, "overrides[0].client", "blank"},
		{[][]string{{"prefix trial-\t"}}, "overrides[0].prefix", "blank"},
		{[][]string{{"client a"}, {"client 010.0.0.1"}}, "overrides[1].client", "looks like an address"},
		{[][]string{{"client 10.0.0.1:99999"}}, "overrides[0].client", "looks like an address"},
		{[][]string{{"client 10.0.0.1-10.0.0.9"}}, "overrides[0].client", "looks like an address"},
		{[][]string{{"client 10.0.0.1:80"}}, "overrides[0].client", "is 10.0.0.1, whatever the port"},
		{[][]string{{"client [2001:DB8::1]:80"}}, "overrides[0].client", "is 2001:db8::1, whatever the port"},
		{[][]string{{"client [2001:DB8::1]"}}, "", ""},
		{[][]string{{"client  10.0.0.1 "}}, "", ""}, // an address, blanks or not
		{[][]string{{"prefix 10.0.0.1"}}, "overrides[0].prefix", "letters of addresses"},
		{[][]string{{"prefix 198.51."}}, "overrides[0].prefix", "letters of addresses"},
		{[][]string{{"prefix 2001:DB8:"}}, "overrides[0].prefix", "letters of addresses"},
		{[][]string{{"prefix 2001:db8::1"}}, "overrides[0].prefix", "letters of addresses"},
		{[][]string{{"prefix 10."}}, "", ""}, // perhaps a tenant's number
		{[][]string{{"prefix 10."}, {"cidr 192.0.2.0/24"}}, "overrides[0].prefix", "letters of addresses"},
		{[][]string{{"prefix 10.0."}, {"cidr 10.0.0.0/8"}}, "overrides[0].prefix", "10.0.0.0/8 in overrides[1].cidr has them all"},
		{[][]string{{"cidr 2001:db8::/31"}, {"prefix 2001:DB8:"}}, "overrides[1].prefix", "2001:db8::/31 in overrides[0].cidr has them all"},
		{[][]string{{"cidr 10.9.0.0/8"}}, "overrides[0].cidr", "10.0.0.0/8"},
		{[][]string{{"cidr 2001:db8::1/32"}}, "overrides[0].cidr", "2001:db8::/32"},
		{[][]string{{"client ::ffff:192.0.2.7"}, {"cidr 192.0.2.7"}}, "overrides[1].cidr", "reaches no address"},
		{[][]string{{"cidr 2001:DB8::1/128"}, {"client 2001:db8::1"}}, "overrides[0].cidr", "reaches no address"},
		{[][]string{{"cidr 10.0.0.0/8"}, {"cidr 10.0.0.0/9"}, {"cidr 10.128.0.0/9"}}, "overrides[0].cidr", "reaches no address"},
		{[][]string{{"cidr 10.0.0.0/8"}, {"cidr 10.0.0.0/9"}, {"cidr 10.128.0.0/10", "cidr 10.192.0.0/10"}}, "overrides[0].cidr", "reaches no address"},
		{[][]string{{"cidr 192.0.2.6/31"}, {"client 192.0.2.7", "client ::ffff:192.0.2.6"}}, "overrides[0].cidr", "reaches no address"},
		{[][]string{{"cidr 10.0.0.0/8"}, {"cidr 10.0.0.0/9"}, {"cidr 10.128.0.0/10"}}, "", ""},
	} {
		p := named(c.lists...)
		if err := p.Validate(); err != nil {
			t.Errorf("%q: %v", c.lists, err)
		}
		doubts := p.Doubts()
		switch {
		case c.field == "" && len(doubts) > 0, c.field != "" && len(doubts) != 1:
			t.Errorf("%q: got %v", c.lists, doubts)
		case c.field != "" && (doubts[0].Field != c.field || !strings.Contains(doubts[0].Reason, c.want)):
			t.Errorf("%q: got %v, want %s: %s", c.lists, doubts, c.field, c.want)
		}
	}
}

func TestOnlyLimitsThatNameAddressesReadThem(t *testing.T) {
	for want, all := range map[bool][]limit.Policy{
		true:  {named([]string{"cidr 10.0.0.0/8"}), named([]string{"client a"}, []string{"client [::1]:80"}), {Limit: 5, Window: time.Hour, IPv6Prefix: 128}, {Limit: 5, Window: time.Hour, IDs: limit.IDsAddress}},
		false: {named(), named([]string{"client a", "prefix 10.0."}), named([]string{"client 010.0.0.1"}), {Limit: 5, Window: time.Hour}},
	} {
		for _, p := range all {
			if got := p.ReadsAddresses(); got != want {
				t.Errorf("%+v: reads addresses: %v", p.Overrides, got)
			}
		}
	}
}

// What an id counts as is one client's, whoever asks: equal texts have equal rules.
func FuzzAnAddressHasOneRule(f *testing.F) {
	c, err := limit.Compile(named([]string{"client 10.0.0.1", "cidr 10.0.0.0/8"}, []string{"cidr 2001:db8::/32", "client 2001:DB8::1"}, []string{"cidr 2001:db8:5::/96"}, []string{"prefix 2001:DB9:", "prefix 19"}))
	if err != nil {
		f.Fatal(err)
	}
	for want, all := range spellings {
		f.Add(want)
		f.Add(all[0])
	}
	f.Fuzz(func(t *testing.T, id string) {
		addr, ok := limit.ParseAddress(id)
		var buf, again limit.Buffer
		rule, group, odd := c.Match.Find(id, &buf)
		if !ok {
			if group != nil || odd != limit.LooksLikeAddress(id) {
				t.Errorf("%q: counts as %q, odd %v", id, group, odd)
			}
			return
		}
		counts := string(group)
		if group == nil {
			counts = id
		}
		for _, same := range []string{addr.String(), "[" + strings.ToUpper(addr.StringExpanded()) + "]:80"} {
			r, g, _ := c.Match.Find(same, &again)
			if g == nil {
				g = []byte(same)
			}
			if r != rule || string(g) != counts {
				t.Errorf("%q has rule %d and counts as %s, %q has rule %d and counts as %s", id, rule, counts, same, r, g)
			}
		}
	})
}
