package transporttest

import (
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	deltasync "github.com/distributed-rate-limiter/distributed-rate-limiter/sync"
)

// patience is how long something that has to happen may take. Raising it makes a failing
// test take longer. Lowering it makes a passing one fail on a busy machine.
const patience = 20 * time.Second

// eventually polls until ok says yes.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !ok(); {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within %v", what, patience)
		}
		time.Sleep(time.Millisecond)
	}
}

// recorder is a handler that keeps what it gets. It fails the test if two of its methods
// run at a time, or one after the transport was closed.
type recorder struct {
	t       *testing.T
	running atomic.Int32
	closed  atomic.Bool
	onData  func(deltasync.Packet) // runs within Receive; nil: nothing does

	mu      sync.Mutex // guards the rest
	packets []deltasync.Packet
	states  []string
}

// enter begins a handler call; the caller ends it with the result.
func (r *recorder) enter(what string) func() {
	if r.running.Add(1) != 1 {
		r.t.Errorf("%s while another handler call is running", what)
	}
	if r.closed.Load() {
		r.t.Errorf("%s after Close", what)
	}
	return func() { r.running.Add(-1) }
}

// Receive implements deltasync.Handler.
func (r *recorder) Receive(p deltasync.Packet) {
	defer r.enter("Receive")()
	r.mu.Lock()
	r.packets = append(r.packets, p)
	r.mu.Unlock()
	if r.onData != nil {
		r.onData(p)
	}
}

// Connected implements deltasync.Handler.
func (r *recorder) Connected() { r.state("connected") }

// Disconnected implements deltasync.Handler.
func (r *recorder) Disconnected(err error) {
	if err == nil {
		r.t.Error("disconnected without a reason")
	}
	r.state("disconnected")
}

func (r *recorder) state(s string) {
	defer r.enter(s)()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.states = append(r.states, s)
}

func (r *recorder) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.packets)
}

func (r *recorder) forget() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.packets = nil
}

// got is the data of all packets since the last forget, as text.
func (r *recorder) got() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []string
	for _, p := range r.packets {
		out = append(out, string(p.Data))
	}
	return out
}

// went is the states in the order in which they were reported.
func (r *recorder) went() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.states)
}

// end is an opened transport and what it received.
type end struct {
	deltasync.Transport
	*recorder
}

// close closes the transport and lets the recorder refuse what comes after.
func (e *end) close() {
	e.t.Helper()
	if err := e.Close(); err != nil {
		e.t.Errorf("close: %v", err)
	}
	e.closed.Store(true)
}

// publish fails the test if the transport refuses the packet.
func (e *end) publish(subject, data string) {
	e.t.Helper()
	if err := e.Publish(subject, []byte(data)); err != nil {
		e.t.Fatalf("publish on %s: %v", subject, err)
	}
}
