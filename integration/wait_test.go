package integration_test

import (
	"fmt"
	"math/rand/v2"
	"net"
	"sync/atomic"
	"testing"
	"time"
)

// patience is how long something that has to happen may take: only a test that
// fails waits for all of it.
const patience = 30 * time.Second

// eventually polls until ok says yes, and returns how long that took.
func eventually(t *testing.T, what string, ok func() bool) time.Duration {
	t.Helper()
	for began := time.Now(); ; time.Sleep(5 * time.Millisecond) {
		if ok() {
			return time.Since(began)
		}
		if time.Since(began) > patience {
			t.Fatalf("%s: not within %v", what, patience)
		}
	}
}

// nextPort counts up through ports that the system does not give out by itself, so
// that an address stays free while nobody listens at it for a while.
var nextPort atomic.Uint32

func init() { nextPort.Store(rand.Uint32()) } //nolint:gosec // other runs take other ports

// freeAddress is an address on loopback that nobody listens at, and that no other
// test of this run gets.
func freeAddress(t *testing.T) string {
	t.Helper()
	const first, ports = 10000, 20000
	for range ports {
		address := fmt.Sprintf("127.0.0.1:%d", first+nextPort.Add(1)%ports)
		if l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", address); err == nil {
			_ = l.Close()
			return address
		}
	}
	t.Fatal("no free port")
	return ""
}
