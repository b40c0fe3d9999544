package main

import "testing"

func TestMemoryIsGivenBackOnceAfterAFlood(t *testing.T) {
	var h heap
	for _, c := range []struct {
		clients int
		want    bool
	}{
		{1000, false},
		{10, false}, // a few are not worth it
		{3_000_000, false},
		{1_600_000, false},
		{1_500_000, true},
		{1_400_000, false},
		{700_000, true},
		{600_000, false},
		{340_000, true},
		{170_000, true},
		{80_000, true},
		{10, false},
		{200_000, false},
		{0, true},
		{0, false},
	} {
		if got := h.fell(c.clients); got != c.want {
			t.Errorf("at %d clients, after a peak of %d: %t", c.clients, h.peak, got)
		}
	}
}
