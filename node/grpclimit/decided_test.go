package grpclimit_test

import (
	"slices"
	"testing"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/grpclimit"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/doortest"
)

func TestWhatIsDecidedIsTold(t *testing.T) {
	var told doortest.Told
	conn := dial(t, grpclimit.Config{
		Limiter: open(t, nil), Key: grpclimit.ByMetadata("x-api-key"), Cost: length, Decided: told.Decided,
	})
	for _, say := range []string{"ab", "ab", "abcd"} {
		_, _ = once(t, conn, say, "x-api-key", "k") // some are denied
	}
	if _, err := once(t, conn, "a"); err == nil {
		t.Error("a call without its key passed")
	}
	if got, want := told.Lines(), []string{"default allowed 2 of 2, 1 left", "default denied 0 of 2, 1 left", "default denied 0 of 4, 0 left"}; !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}
