package natskv_test

import (
	"testing"

	"go.uber.org/goleak"
)

// No test may leave a goroutine behind: Close ends all that Watch began.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}
