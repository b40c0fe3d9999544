package node_test

import (
	"testing"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
)

// tenants is a limit of 5 with one override of each kind.
func tenants() node.Policy {
	return node.Policy{
		Limit: 5, Window: 100 * time.Hour,
		Overrides: []node.Override{
			{Clients: []string{"acme", "10.1.2.3"}, Limit: 20},
			{Prefixes: []string{"internal:"}, Access: node.Unlimited},
			{Prefixes: []string{"internal:batch:"}, Limit: 2},
			{CIDRs: []string{"10.0.0.0/8"}, Limit: 7},
			{CIDRs: []string{"10.1.0.0/16", "2001:db8::/32"}, Limit: 9, Burst: 3},
			{Clients: []string{"mallory"}, CIDRs: []string{"192.0.2.1"}, Access: node.Blocked},
			{CIDRs: []string{"2001:db8:5::/96"}, Limit: 4},
		},
	}
}

func TestOverridesHoldForThoseWhomTheyName(t *testing.T) {
	n, _ := still(t, with(tenants()))
	for client, burst := range map[string]int64{
		"alice": 5, "acme": 20, "acme2": 5, "10.1.2.3": 20, // an id goes before its network
		"10.1.2.4": 3, "10.2.2.4": 7, "11.0.0.1": 5, "::ffff:10.2.2.5": 7, "internal:batch:7": 2,
		"2001:db8::1": 3, "2001:db8:5::1": 4, "2001:db9::1": 5, "10.0.0.256": 5, "10.0.0.0/8": 5, "fe80::1%eth0": 5,
	} {
		d := n.Take(client, 1)
		if !d.Allowed || d.Burst != burst || d.Remaining != burst-1 {
			t.Errorf("%s: %+v, want a burst of %d", client, d, burst)
		}
	}
	for range 100 {
		if d := n.Take("internal:cron", 1<<40); !d.Allowed || d.Reason != node.ReasonUnlimited || d.Cost != 1<<40 {
			t.Fatalf("unlimited: %+v", d)
		}
	}
	for _, client := range []string{"mallory", "192.0.2.1", "::ffff:192.0.2.1"} {
		if d := n.Take(client, 1); d.Allowed || d.Reason != node.ReasonBlocked || d.RetryAfter <= 0 {
			t.Errorf("blocked: %+v", d)
		}
		if d := n.Limiter("").Peek(client, 1); d.Allowed {
			t.Errorf("peek: %+v", d)
		}
	}
	s := n.Stats().Limits[0]
	if s.Denied != 3 || s.Allowed != 15+100 {
		t.Errorf("%d allowed, %d denied", s.Allowed, s.Denied)
	}
}

// What counts as one client has one policy, whichever of its spellings comes first.
func TestAClientHasOnePolicyInAllItsSpellings(t *testing.T) {
	p := node.Policy{Limit: 5, Window: 100 * time.Hour, Overrides: []node.Override{
		{Clients: []string{"192.0.2.7"}, Access: node.Blocked},
		{Clients: []string{"192.0.2.8:443"}, Limit: 20},
		{Prefixes: []string{"198.51."}, Limit: 30},
		{CIDRs: []string{"2001:DB8::/32"}, Limit: 9},
		{Clients: []string{"2001:DB8:5:0::100"}, Limit: 25},
		{Prefixes: []string{"2001:DB9:"}, Limit: 40},
		{CIDRs: []string{"203.0.113.0/24"}, Limit: 12},
	}}
	for _, c := range []struct {
		first, second string
		burst, left   int64 // of the first, and of the second after one unit of both
	}{
		{"::ffff:192.0.2.8", "192.0.2.8", 20, 18},
		{"::FFFF:c000:208", "192.0.2.8", 20, 18},
		{"192.0.2.8:1", "192.0.2.8:2", 20, 18},
		{"64:ff9b::192.0.2.8", "[192.0.2.8]", 20, 18},
		{"::ffff:198.51.100.1", "198.51.100.1", 30, 28},
		{"198.51.100.1:80", "[64:FF9B::c633:6401]:81", 30, 28},
		{"2001:db8:5::100", "2001:0DB8:5:0:0:0:0:0100", 25, 23}, // by itself, in a network that has a rule
		{"[2001:DB8:5::100]:443", "2001:db8:5::100", 25, 23},
		{"2001:db8:5::100", "2001:db8:5::101", 25, 8},
		{"2001:db9::1", "2001:DB9:0::1", 40, 38},
		{"2001:DB9::1", "2001:db9::2", 40, 39}, // those of a prefix count by themselves
		{" 203.0.113.9", "203.0.113.9\t", 12, 10},
		{"203.0.113.9:1024", "203.0.113.9:65535", 12, 10},
		{"fe80::1%eth0", "[fe80::1%eth1]:80", 5, 3},
		{"100.64.0.1:1", "100.64.0.1", 5, 3}, // without a rule, too
		// No addresses, so bytes.
		{"203.0.113.9, 10.0.0.1", "203.0.113.9", 5, 11},
		{"203.0.113.09", "203.0.113.9", 5, 11},
		{"203.0.113.9:99999", "203.0.113.9:443", 5, 11},
		{"2001:db8::1", "2001:db8::/64", 9, 4}, // an id that only reads like the network
		{"2001:db8::/64", "2001:db8::1", 5, 8},
		{" alice", "alice", 5, 4},
		{"Alice", "alice", 5, 4},
	} {
		n, _ := still(t, with(p))
		if d := n.Take(c.first, 1); d.Burst != c.burst {
			t.Errorf("%s: %+v", c.first, d)
		}
		if d := n.Take(c.second, 1); d.Remaining != c.left {
			t.Errorf("%s after %s: %+v, want %d left", c.second, c.first, d, c.left)
		}
	}
	n, _ := still(t, with(p))
	for _, client := range []string{
		"192.0.2.7", "192.0.2.7:80", " 192.0.2.7", "::ffff:192.0.2.7", "::FFFF:C000:0207", "[::ffff:c000:207]:443", "64:ff9b::c000:207", "[64:ff9b::192.0.2.7]:1", "192.0.2.7\t",
	} {
		if n.Allow(client) {
			t.Errorf("%q: a blocked address passes in other letters", client)
		}
		if got := testing.AllocsPerRun(100, func() { n.Allow(client) }); got != 0 {
			t.Errorf("%q: %v allocations", client, got)
		}
	}
}

// Without a rule for addresses an id is its bytes.
func TestIDsAreBytesWhereNoRuleNamesAnAddress(t *testing.T) {
	for name, p := range map[string]node.Policy{
		"no override": {Limit: 5, Window: time.Hour},
		"by prefix":   {Limit: 5, Window: time.Hour, Overrides: []node.Override{{Prefixes: []string{"trial-"}, Limit: 2}, {Clients: []string{"alice"}, Limit: 3}}},
	} {
		n, _ := still(t, with(p))
		for _, client := range []string{"192.0.2.7", "192.0.2.7:80", " 192.0.2.7", "::ffff:192.0.2.7", "2001:DB8::1", "2001:db8::1", "[2001:db8::1]"} {
			if d := n.Take(client, 1); d.Remaining != 4 {
				t.Errorf("%s: %q: %+v", name, client, d)
			}
		}
	}
	// One rule for one address is enough, and ipv6_prefix is.
	for name, p := range map[string]node.Policy{
		"client": {Limit: 5, Window: time.Hour, Overrides: []node.Override{{Clients: []string{"[2001:DB8::9]:80"}, Limit: 3}}},
		"prefix": {Limit: 5, Window: time.Hour, IPv6Prefix: 128},
		"ids":    {Limit: 5, Window: time.Hour, IDs: node.IDsAddress},
	} {
		n, _ := still(t, with(p))
		n.Take("192.0.2.7:80", 1)
		n.Take("2001:DB8::1", 1)
		if a, b, c := n.Take("192.0.2.7:81", 1), n.Take("[2001:db8::1]", 1), n.Take("2001:db8::2", 1); a.Remaining != 3 || b.Remaining != 3 || c.Remaining != 4 {
			t.Errorf("%s: %+v, %+v, %+v", name, a, b, c)
		}
	}
}

// Nodes hash an address alike, whichever of its spellings reaches them.
func TestNodesAgreeOnAnAddressInAllItsSpellings(t *testing.T) {
	l := newLab(t, 3, with(tenants()))
	l.nodes[0].take("", "2001:DB8:7::1", 1)
	l.nodes[1].take("", "[2001:db8:7::2]:443", 1)
	l.nodes[0].take("", "10.1.9.9:1", 1)
	l.nodes[2].take("", "64:ff9b::10.1.9.9", 1)
	l.run(time.Second)
	l.agree("", "2001:db8:7:0::3", 1)
	l.agree("", "10.1.9.9", 1)
	must(t, l.nodes[2].Node.Reset("", " 10.1.9.9"))
	l.run(time.Second)
	l.agree("", "10.1.9.9", 3)
}

func TestWhatLooksLikeAnAddressAndIsNoneIsCounted(t *testing.T) {
	n, _ := still(t, node.Config{Limits: map[string]node.Policy{"default": tenants(), "bytes": {Limit: 5, Window: time.Hour}}})
	for _, client := range []string{"10.1.2.3, 10.2.2.4", "010.1.2.3", "10.1.2.3:99999", "alice", "10.1.2.3:80"} {
		n.Take(client, 1)
		n.Limiter("bytes").Take(client, 1)
	}
	for _, l := range n.Stats().Limits {
		if want := map[string]uint64{"default": 3}[l.Name]; l.OddAddresses != want {
			t.Errorf("%s: counted %d, want %d", l.Name, l.OddAddresses, want)
		}
	}
}

// Addresses of one network are one client, where ids are looked at as addresses.
func TestIPv6AddressesCountByNetwork(t *testing.T) {
	n, _ := still(t, with(tenants()))
	n.Take("2001:db9:0:1::1", 3)
	for client, left := range map[string]int64{
		"2001:db9:0:1:ffff::2": 2, "2001:DB9:0:1::1": 2, "2001:db9:0:2::1": 5,
	} {
		if d := n.Limiter("").Peek(client, 1); d.Remaining != left {
			t.Errorf("%s: %d are left, want %d", client, d.Remaining, left)
		}
	}
	// Networks that are longer than that count by themselves.
	n.Take("2001:db8:5::1", 4)
	if d := n.Limiter("").Peek("2001:db8:5::1:1", 1); d.Allowed {
		t.Errorf("%+v", d)
	}
	if d := n.Limiter("").Peek("2001:db8:5:0:1::1", 1); d.Remaining != 3 {
		t.Errorf("outside of the /96: %+v", d)
	}

	plain, _ := still(t, node.Config{Limit: 5, Window: time.Hour})
	plain.Take("2001:db9::1", 5)
	if !plain.Allow("2001:db9::2") {
		t.Error("ids are not to be looked at as addresses by default")
	}
	grouped, _ := still(t, with(node.Policy{Limit: 5, Window: time.Hour, IPv6Prefix: 48}))
	grouped.Take("2001:db9:0:1::1", 5)
	if grouped.Allow("2001:db9:0:2::1") || !grouped.Allow("2001:db9:1::1") {
		t.Error("by /48")
	}
}

func TestFindingAnOverrideAllocatesNothing(t *testing.T) {
	n, _ := still(t, with(tenants()))
	for _, client := range []string{"alice", "acme", "10.9.9.9", "2001:db8::1", "internal:batch:1", "internal:x", "mallory", "alice:10.0.0.1:beef", "10.9.9.9, 10.1.1.1", "[2001:DB8:5::1]:443", "10.0.0.256"} {
		n.Allow(client)
		if got := testing.AllocsPerRun(100, func() { n.Allow(client) }); got != 0 {
			t.Errorf("%s: %v allocations", client, got)
		}
	}
}

func TestAWholeLimitCanBlockOrLetPass(t *testing.T) {
	n, _ := still(t, node.Config{Limits: map[string]node.Policy{
		"closed": {Access: node.Blocked, Overrides: []node.Override{{Clients: []string{"admin"}, Access: node.Unlimited}, {Clients: []string{"ops"}, Limit: 2, Window: time.Minute}}},
		"open":   {Access: node.Unlimited},
		"shadow": {Access: node.Blocked, Shadow: true},
	}})
	if n.Limiter("closed").Allow("alice") || !n.Limiter("closed").Allow("admin") || !n.Limiter("open").Allow("alice") {
		t.Error("blocked passes, or open blocks")
	}
	if l := n.Limiter("closed"); !l.Take("ops", 2).Allowed || l.Allow("ops") {
		t.Error("an override with a limit of its own")
	}
	if d := n.Limiter("shadow").Take("alice", 1); !d.Allowed || d.Reason != node.ReasonShadow {
		t.Errorf("%+v", d)
	}
}

// What is counted stays counted when an override comes, goes or changes.
func TestChangedOverridesKeepWhatWasUsed(t *testing.T) {
	l := newLab(t, 3, with(tenants()))
	l.nodes[0].take("", "acme", 3)
	l.nodes[1].take("", "bob", 3)
	l.run(time.Second)
	l.agree("", "acme", 17)
	l.agree("", "bob", 2)
	p := tenants()
	p.Overrides = append([]node.Override{{Clients: []string{"bob"}, Limit: 10}}, p.Overrides[1:]...)
	must(t, errorOf(l.nodes[2].Node.SetLimit("default", p)))
	l.run(soonAfter)
	l.agree("", "acme", 2)
	l.agree("", "bob", 7)
	l.agree("", "carol", 5)
	l.nodes[2].take("", "acme", 1)
	l.nodes[0].take("", "bob", 1)
	l.run(time.Second)
	l.agree("", "acme", 1)
	l.agree("", "bob", 6)
}

// A client of an override that is reset where nobody asked for it is still the override's.
func TestAResetClientOfAnOverrideKeepsItsRule(t *testing.T) {
	l := newLab(t, 3, with(tenants()))
	l.nodes[0].take("", "acme", 20)
	l.run(time.Second)
	must(t, l.nodes[1].Node.Reset("", "acme"))
	l.run(time.Second)
	l.agree("", "acme", 20)
	l.nodes[0].take("", "acme", 3)
	l.run(time.Second)
	l.agree("", "acme", 17)
	if lost := l.nodes[1].Node.Stats().RowsLost; lost["revision"] != 0 {
		t.Errorf("rows lost: %v", lost)
	}
}
