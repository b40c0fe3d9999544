package sync

import (
	"flag"
	"testing"

	"go.uber.org/goleak"
)

// The properties are cheap to check, so they are checked more often than rapid's
// default of 100 times; -rapid.checks says otherwise. No test may leave a goroutine.
func TestMain(m *testing.M) {
	if err := flag.Set("rapid.checks", "1000"); err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(m)
}
