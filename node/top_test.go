package node_test

import (
	"errors"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
)

func TestTopIsExactWhileThereIsRoom(t *testing.T) {
	n, clock := still(t, node.Config{Limit: 4, Window: time.Hour})
	for _, c := range []struct {
		client string
		cost   int64
		times  int
	}{{"light", 1, 1}, {"refused", 2, 6}, {"middle", 3, 1}} {
		for range c.times {
			clock.at = clock.at.Add(time.Second)
			n.Take(c.client, c.cost)
		}
	}
	got, err := n.Top("")
	must(t, err)
	want := []node.TopClient{{"refused", 4, 8}, {"middle", 3, 0}, {"light", 1, 0}}
	if len(got) != len(want) {
		t.Fatalf("%+v", got)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("place %d: %+v, want %+v", i+1, got[i], want[i])
		}
	}
	if _, err := n.Top("nope"); !errors.Is(err, node.ErrUnknownLimit) {
		t.Error(err)
	}
}

// Among very many clients that come once, and at a rate at which few decisions are
// looked at, the heavy ones are listed, with about what they used.
func TestTopFindsTheHeavyInACrowd(t *testing.T) {
	const decisions, heavies = 1_200_000, 5
	n, clock := still(t, node.Config{Limit: 1 << 40, Window: time.Second})
	rnd := rand.New(rand.NewPCG(1, 1))
	heavy, crowd := []string{"h0", "h1", "h2", "h3", "h4"}, ids(decisions/10)
	used := map[string]uint64{}
	for range decisions {
		clock.at = clock.at.Add(5 * time.Microsecond)
		client, cost := crowd[rnd.IntN(len(crowd))], int64(1)
		if i := rnd.IntN(25); i < heavies { // each a twenty-fifth of the decisions
			client, cost = heavy[i], int64(i+2)
		}
		n.Take(client, cost)
		used[client] += uint64(cost)
	}
	got, err := n.Top("")
	must(t, err)
	if len(got) > 128 {
		t.Errorf("%d clients are named", len(got))
	}
	for i := range heavies {
		if c := got[i]; c.Client != heavy[heavies-1-i] {
			t.Errorf("place %d is %+v", i+1, c)
		} else if ratio := float64(c.Allowed) / float64(used[c.Client]); ratio < 0.7 || ratio > 1.4 {
			t.Errorf("%+v, it used %d", c, used[c.Client])
		}
	}
}

// A client that comes regularly, right after another's burst, is not taken for it.
func TestTopDoesNotChargeOneClientForAnother(t *testing.T) {
	n, clock := still(t, node.Config{Limit: 1 << 40, Window: time.Second})
	for range 1000 {
		clock.at = clock.at.Add(10 * time.Millisecond)
		n.Allow("modest")
		for range 31 {
			n.Allow("bursty")
		}
	}
	got, err := n.Top("")
	must(t, err)
	if len(got) != 2 || got[0].Client != "bursty" || got[1].Allowed > 2000 {
		t.Errorf("%+v, modest used 1000", got)
	}
}

// A client is listed once, as what its id counts as, however it spells its address and
// however it is decided.
func TestTopListsAClientUnderTheIDThatItCountsAs(t *testing.T) {
	policy := node.Policy{Limit: 100, Window: time.Hour, IDs: node.IDsAddress, IPv6Prefix: 64, Overrides: []node.Override{
		{CIDRs: []string{"198.51.100.0/24"}, Access: node.Blocked},
		{CIDRs: []string{"203.0.113.0/24"}, Access: node.Unlimited},
	}}
	n, clock := still(t, node.Config{Limits: map[string]node.Policy{"api": policy, "day": policy}})
	spellings := map[string][]string{
		"192.0.2.7":     {"192.0.2.7", "192.0.2.7:443", " 192.0.2.7", "::ffff:192.0.2.7", "[64:ff9b::c000:207]:1"},
		"2001:db8::/64": {"2001:db8::1", "2001:DB8::2", "[2001:db8:0:0::3]:80", "2001:db8::4%eth0"},
		"198.51.100.1":  {"198.51.100.1", "198.51.100.1:1", "64:ff9b::198.51.100.1"},
		"203.0.113.9":   {"203.0.113.9", "203.0.113.9\t"},
		"alice":         {"alice"},
	}
	want := map[string]uint64{}
	for counts, ids := range spellings {
		for _, id := range ids {
			clock.at = clock.at.Add(time.Minute)
			n.Do(node.Request{Client: id, Limit: "api"})
			n.Do(node.Request{Client: id, Limit: "api", Also: []node.Check{{Limit: "day"}}})
			want[counts] += 2
			if counts != "198.51.100.1" {
				n.Charge(node.Request{Client: id, Limit: "api"})
			}
			if counts != "198.51.100.1" && counts != "203.0.113.9" {
				want[counts]++
			}
		}
	}
	got, err := n.Top("api")
	must(t, err)
	for _, c := range got {
		if used := c.Allowed + c.Denied; used != want[c.Client] {
			t.Errorf("%q: %d units, want %d", c.Client, used, want[c.Client])
		}
		delete(want, c.Client)
	}
	if len(want) > 0 {
		t.Errorf("not listed: %v", want)
	}
}
