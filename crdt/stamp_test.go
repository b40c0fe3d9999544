package crdt_test

import (
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
)

func TestStampsAreOrderedByTimeThenReplica(t *testing.T) {
	ascending := []crdt.Stamp{
		{At: math.MinInt64, By: math.MaxUint64},
		{At: -1, By: 5},
		{}, // the lowest that a clock since 1970 gives
		{At: 0, By: 1},
		{At: 0, By: math.MaxUint64},
		{At: 1, By: 0},
		{At: epoch, By: 7},
		{At: epoch, By: 8},
		{At: epoch + 1, By: 1},
		{At: math.MaxInt64},
	}
	for i, a := range ascending {
		for j, b := range ascending {
			got := a.Compare(b)
			if i < j && got >= 0 || i == j && got != 0 || i > j && got <= 0 {
				t.Errorf("%+v.Compare(%+v) = %d", a, b, got)
			}
		}
	}
}

func TestStampsHaveOneOrder(t *testing.T) {
	stamps := rapid.Custom(func(t *rapid.T) crdt.Stamp {
		return crdt.Stamp{At: rapid.Int64Range(-2, 2).Draw(t, "at"), By: crdt.Replica(rapid.IntRange(0, 2).Draw(t, "by"))}
	})
	rapid.Check(t, func(t *rapid.T) {
		all := rapid.SliceOf(stamps).Draw(t, "stamps")
		sorted, shuffled := slices.Clone(all), rapid.Permutation(all).Draw(t, "shuffled")
		slices.SortFunc(sorted, crdt.Stamp.Compare)
		slices.SortFunc(shuffled, crdt.Stamp.Compare)
		if !slices.Equal(sorted, shuffled) {
			t.Fatalf("%v and %v", sorted, shuffled)
		}
	})
}
