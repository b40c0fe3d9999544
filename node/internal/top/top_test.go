package top

import (
	"fmt"
	"slices"
	"testing"
)

func TestCountsAreExactWhileThereIsRoom(t *testing.T) {
	var c Clients
	for i := range Size {
		c.Offer(fmt.Sprint(i), nil, uint64(i+1), true)
	}
	c.Offer("0", nil, 500, false)
	got := c.List()
	if len(got) != Size || got[0] != (Client{"0", 1, 500}) || got[1] != (Client{fmt.Sprint(Size - 1), Size, 0}) {
		t.Errorf("%d clients, %+v first", len(got), got[:2])
	}
}

// A newcomer that is taken in takes the place of the lightest client, and its count.
func TestANewcomerDisplacesTheLightest(t *testing.T) {
	var c Clients
	for i := range Size {
		c.Offer(fmt.Sprint(i), nil, uint64(i+10), true)
	}
	c.Offer("new", nil, 1, true) // nobody has searched for the lightest yet
	got := c.List()
	find := func(name string) int {
		return slices.IndexFunc(got, func(c Client) bool { return c.Name == name })
	}
	if len(got) != Size || find("0") >= 0 || find("new") < 0 || got[find("new")].Allowed != 11 {
		t.Errorf("%d clients, the lightest are %+v", len(got), got[Size-3:])
	}
}

// A full list takes newcomers in as often as their share of what they and the lightest client
// weigh, whatever they weigh: a crowd stays out, and whoever comes often gets in.
func TestNewcomersAreTakenInByTheirShare(t *testing.T) {
	for _, units := range []uint64{1, 50, 1000} {
		const rounds, least = 20_000, 1000
		in := 0
		full := Clients{random: units}
		for i := range Size {
			full.Offer(fmt.Sprint(i), nil, least, true)
		}
		full.least = least
		for range rounds {
			if full.admits(units) {
				in++
			}
		}
		want := rounds * float64(units) / float64(least+units)
		if got := float64(in); got < 0.7*want || got > 1.3*want {
			t.Errorf("of %d newcomers of %d units %d are taken in, want about %.0f", rounds, units, in, want)
		}
	}
	var c Clients
	for i := range Size {
		c.Offer(fmt.Sprint("early", i), nil, 1000, true)
	}
	for i := range 100_000 {
		c.Offer(fmt.Sprint("once", i), nil, 1, true)
		c.Offer("often", nil, 1, true)
	}
	if got := c.List(); got[0].Name != "often" || got[0].Allowed < 50_000 {
		t.Errorf("%+v is the heaviest", got[0])
	}
}

func TestOfferDoesNotWait(t *testing.T) {
	var c Clients
	c.mu.Lock()
	c.Offer("a", nil, 1, true)
	c.mu.Unlock()
	if got := c.List(); len(got) != 0 {
		t.Errorf("%+v was counted while the list was held", got)
	}
}
