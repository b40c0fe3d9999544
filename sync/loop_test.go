package sync

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
)

// lockedStore is a memStore for a Loop: the engine calls it with the loop's lock
// held, and the test beside that.
type lockedStore struct {
	*memStore
	mu sync.Mutex
}

func newLockedStore(r Config) *lockedStore {
	return &lockedStore{memStore: newMemStore(r.Replica)}
}

func (s *lockedStore) Collect(now int64, seq uint64, urgent bool, b *Batch) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.memStore.Collect(now, seq, urgent, b)
}

func (s *lockedStore) store() Store {
	all := s.memStore.store()
	all.Rows = s
	return all
}

func (s *lockedStore) admit(now int64, i int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.memStore.admit(now, i, 1)
	s.hurry()
}

// away is a transport to a server that cannot be reached.
type away struct {
	mu        sync.Mutex
	handler   Handler
	published int
	closed    int
	refuse    error // of Open
}

var errAway = errors.New("server is away")

func (a *away) Open(_ []string, h Handler) error {
	a.handler = h
	return a.refuse
}

func (a *away) Publish(string, []byte) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.published++
	return errAway
}

func (a *away) attempts() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.published
}
func (a *away) Dropped() uint64 { return 3 }
func (a *away) Close() error    { a.closed++; return errAway }

func now() int64 { return time.Now().UnixNano() }

func newTestLoop(t *testing.T, name string, replica int, transport Transport) (*Loop, *lockedStore, *strings.Builder) {
	t.Helper()
	cfg := Config{Node: name, Replica: crdt.Replica(replica + 1), Seed: 1}
	store, log := newLockedStore(cfg), &strings.Builder{}
	l, err := NewLoop(cfg, store.store(), transport, now, slog.New(slog.NewTextHandler(log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	return l, store, log
}

func TestLoopsReplicateAndLeaveNothingBehind(t *testing.T) {
	defer goleak.VerifyNone(t)
	synctest.Test(t, func(t *testing.T) {
		var network Memory
		var loops []*Loop
		var stores []*lockedStore
		for i, name := range []string{"a", "b", "c"} {
			l, s, _ := newTestLoop(t, name, i, network.Transport())
			loops, stores = append(loops, l), append(stores, s)
		}
		time.Sleep(3 * time.Second)
		for _, l := range loops {
			if s := l.Status(); !l.Ready() || !s.Ready || !s.Connected || len(s.Peers) != 2 {
				t.Fatalf("%+v", s)
			}
		}
		stores[0].admit(now(), 1)
		loops[0].Urgent()
		synctest.Wait() // no time passes: it leaves at once
		for _, s := range stores[1:] {
			if e := s.entries[memKey{"default", key(1)}]; e == nil || e.state.Count() != 1 {
				t.Error("what is urgent did not arrive at once")
			}
		}
		stores[1].admit(now(), 2)
		if err := loops[1].Close(); err != nil { // flushes
			t.Error(err)
		}
		synctest.Wait()
		if e := stores[0].entries[memKey{"default", key(2)}]; e == nil || e.state.Count() != 1 {
			t.Error("what was admitted before Close did not arrive")
		}
		if p := loops[0].Status().Peers; p[0].State == p[1].State {
			t.Errorf("%v and %v, want one that left", p[0].State, p[1].State)
		}
		for _, l := range loops {
			if err := l.Close(); err != nil {
				t.Error(err)
			}
		}
	})
}

func TestCloseIsIdempotentAndSafeBesideAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var network Memory
		a, store, _ := newTestLoop(t, "a", 0, network.Transport())
		b, _, _ := newTestLoop(t, "b", 1, network.Transport())
		time.Sleep(3 * time.Second)
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				for i := range 50 {
					store.admit(now(), i)
					a.Urgent()
					_ = a.Status()
					_ = a.Ready()
				}
			})
			all.Go(func() { _ = a.Close() })
		}
		all.Wait()
		began := time.Now()
		if err := a.Close(); err != nil || time.Since(began) > 0 {
			t.Errorf("a second Close took %v: %v", time.Since(began), err)
		}
		a.Urgent() // after Close
		a.Receive(Packet{Subject: "x", Data: []byte("y")})
		_ = a.Status()
		_ = b.Close()
	})
}

func TestCloseIsBoundedWhenTheServerIsAway(t *testing.T) {
	defer goleak.VerifyNone(t)
	synctest.Test(t, func(t *testing.T) {
		transport := &away{}
		l, store, _ := newTestLoop(t, "a", 0, transport)
		time.Sleep(10 * time.Second)
		if s := l.Status(); !s.Ready || s.Connected || s.Stats.Dropped[DropQueue] != 3 {
			t.Errorf("ready %v, connected %v, %d dropped by the transport", s.Ready, s.Connected, s.Stats.Dropped[DropQueue])
		}
		store.admit(now(), 1)
		began := time.Now()
		if err := l.Close(); !errors.Is(err, errAway) {
			t.Errorf("Close hides the transport's error: %v", err)
		}
		if d := time.Since(began); d > time.Second {
			t.Errorf("Close took %v", d)
		}
		if err := l.Close(); err != nil || transport.closed != 1 {
			t.Errorf("the transport was closed %d times; %v", transport.closed, err)
		}
		if n := transport.attempts(); n != 0 {
			t.Errorf("%d messages were published to nobody", n)
		}
	})
}

func TestRefusedMessagesAreCountedAndHarmless(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		transport := &away{}
		l, _, _ := newTestLoop(t, "a", 0, transport)
		transport.handler.Connected()
		time.Sleep(3500 * time.Millisecond)
		if s := l.Status(); s.Stats.PublishErrors == 0 || s.Stats.PublishErrors != uint64(transport.attempts()) {
			t.Errorf("%d errors of %d messages", s.Stats.PublishErrors, transport.attempts())
		}
		transport.handler.Disconnected(errAway)
		was := transport.attempts()
		time.Sleep(3 * time.Second)
		if transport.attempts() != was {
			t.Error("published without a connection")
		}
		_ = l.Close()
	})
}

func TestLoopThatCannotOpenLeavesNothingBehind(t *testing.T) {
	defer goleak.VerifyNone(t)
	cfg := Config{Node: "a", Replica: 1}
	l, err := NewLoop(cfg, newLockedStore(cfg).store(), &away{refuse: errAway}, now, slog.New(slog.DiscardHandler))
	if !errors.Is(err, errAway) || l != nil {
		t.Errorf("%v, %v", l, err)
	}
}

func TestLoopWithoutATransportIsAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := Config{Node: "a", Replica: 1}
		l, err := NewLoop(cfg, newLockedStore(cfg).store(), nil, now, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		if !l.Ready() || l.Status().Connected {
			t.Errorf("%+v", l.Status())
		}
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
}

// The decision path calls Urgent: it must not wait, whatever the loop is doing.
func TestUrgentNeverBlocks(t *testing.T) {
	l := &Loop{urgent: make(chan struct{}, 1), turn: make(chan struct{}, 1)} // nobody takes from it
	l.lock()
	defer l.unlock()
	for range 1000 {
		l.Urgent()
	}
	if n := testing.AllocsPerRun(100, l.Urgent); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestLogTellsWhoAndNeverAClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var network Memory
		a, store, log := newTestLoop(t, "a", 0, network.Transport())
		b, _, _ := newTestLoop(t, "b", 1, network.Transport())
		time.Sleep(3 * time.Second)
		store.admit(now(), 1)
		a.Receive(Packet{Subject: "ratelimit.v1.default.delta.b.5", Data: []byte("nonsense that is long enough")})
		time.Sleep(time.Second)
		_ = b.Close()
		time.Sleep(time.Second)
		_ = a.Close()
		got := log.String()
		for _, want := range []string{"peer joined", "peer left", "message refused", "ready", "peer=b"} {
			if !strings.Contains(got, want) {
				t.Errorf("no %q in\n%s", want, got)
			}
		}
		if strings.Contains(got, fmt.Sprintf("%x", key(1).Hi)) {
			t.Errorf("a client's key in\n%s", got)
		}
	})
}
