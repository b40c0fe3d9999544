package seldom_test

import (
	"testing"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/seldom"
)

func TestTheLogGetsOneLineASecondAndTheCountOfTheRest(t *testing.T) {
	var q seldom.Lines
	at := time.Unix(1000, 0)
	lines, unsaid := 0, 0
	for i := range 2000 {
		if n, say := q.Say(at.Add(time.Duration(i) * time.Millisecond)); say {
			lines, unsaid = lines+1, unsaid+n
		}
	}
	if lines != 2 || unsaid != 999 {
		t.Errorf("%d lines, which tell of %d others; want 2 in two seconds, and 999", lines, unsaid)
	}
}
