package health

import "testing"

func TestADropCountsForAWhile(t *testing.T) {
	var r recent
	now := int64(1000e9)
	for i, c := range []struct {
		after int64
		count uint64
		want  bool
	}{{0, 0, false}, {1e9, 3, true}, {4e9, 3, true}, {6e9, 3, false}, {7e9, 4, true}, {7e9, 4, true}} {
		if got := r.lately(now+c.after, c.count); got != c.want {
			t.Errorf("look %d: %v", i, got)
		}
	}
}
