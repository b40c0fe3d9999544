package transporttest

import (
	"testing"

	"go.uber.org/goleak"

	deltasync "github.com/distributed-rate-limiter/distributed-rate-limiter/sync"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestMemoryIsATransport(t *testing.T) {
	Run(t, func(*testing.T) Network {
		var memory deltasync.Memory
		return Network{Transport: memory.Transport}
	})
}
