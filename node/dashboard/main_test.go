package dashboard

import (
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var _ Node = (*node.Node)(nil)

func open(t *testing.T, cfg node.Config) *node.Node {
	t.Helper()
	cfg.Name, cfg.Alone = "n1", true
	n, err := node.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = n.Close() })
	return n
}

// quiet is a dashboard whose recording a test drives itself.
func quiet(t *testing.T, cfg Config) *Dashboard {
	t.Helper()
	d := New(cfg)
	d.Close()
	return d
}

// edited is a node whose statistics a test changes.
type edited struct {
	*node.Node
	edit func(*node.Stats)
}

func (e edited) Stats() node.Stats {
	s := e.Node.Stats()
	e.edit(&s)
	return s
}

// at is an instant of a test's recording.
func at(seconds float64) time.Time {
	return time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(seconds * float64(time.Second)))
}
