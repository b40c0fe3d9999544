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

// A newcomer takes the place of the lightest client, and its count, so that no count is
// less than what the client used.
func TestANewcomerDisplacesTheLightest(t *testing.T) {
	var c Clients
	for i := range Size {
		c.Offer(fmt.Sprint(i), nil, uint64(i+10), true)
	}
	c.Offer("new", nil, 1, true)
	got := c.List()
	find := func(name string) int {
		return slices.IndexFunc(got, func(c Client) bool { return c.Name == name })
	}
	if len(got) != Size || find("0") >= 0 || find("new") < 0 || got[find("new")].Allowed != 11 {
		t.Errorf("%d clients, the lightest are %+v", len(got), got[Size-3:])
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
