package node

import (
	"testing"
	"time"
)

func TestTerseSaysOneLineASecondAndCountsTheRest(t *testing.T) {
	var q terse
	at := time.Unix(1000, 0)
	lines, unsaid := 0, 0
	for i := range 2000 {
		if n, say := q.say(at.Add(time.Duration(i) * time.Millisecond)); say {
			lines, unsaid = lines+1, unsaid+n
		}
	}
	if lines != 2 || unsaid != 999 {
		t.Errorf("%d lines, which tell of %d others; want 2 in two seconds, and 999", lines, unsaid)
	}
}

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
