package crdt_test

import (
	"flag"
	"os"
	"testing"
)

// The properties are cheap to check, so they are checked more often than rapid's
// default of 100 times; -rapid.checks says otherwise.
func TestMain(m *testing.M) {
	if err := flag.Set("rapid.checks", "2000"); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}
