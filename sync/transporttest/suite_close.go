package transporttest

import (
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	deltasync "github.com/distributed-rate-limiter/distributed-rate-limiter/sync"
)

// closeWaits: after Close the node frees its table, so no handler call may still be
// merging into it, and none may begin.
func closeWaits(t *testing.T, s *suite) {
	entered, gate := make(chan struct{}, 1), make(chan struct{})
	release := sync.OnceFunc(func() { close(gate) })
	defer release()
	to := s.start(s.net.Transport(), func(p deltasync.Packet) {
		if string(p.Data) == "block" {
			entered <- struct{}{}
			<-gate
		}
	}, "s")
	s.awaitState(to, "connected")
	from := s.open()
	s.meet(from, to, "s")
	from.publish("s", "block")
	from.publish("s", "queued")
	<-entered
	closed := make(chan struct{})
	go func() {
		to.close() // the recorder fails the test at any call after it
		close(closed)
	}()
	select {
	case <-closed:
		t.Error("Close returned while the handler was running")
	case <-time.After(50 * time.Millisecond): // no proof, but the wrong way round fails here
	}
	release()
	select {
	case <-closed:
	case <-time.After(patience):
		t.Fatal("Close did not return after the handler had")
	}
	from.publish("s", "late")
	other := s.open("s")
	s.meet(from, other, "s") // by now "late" would have arrived
}

// closeFlushes: the last deltas and the bye go out just before Close. Without the bye,
// peers take the end for a crash and wait 30 s.
func closeFlushes(t *testing.T, s *suite) {
	from, to := s.open(), s.open("s")
	s.meet(from, to, "s")
	const many = 500
	for range many {
		from.publish("s", "x")
	}
	from.close()
	eventually(t, "all messages", func() bool { return to.count() == many })
}

// closeLeavesNothing: an embedder opens and closes nodes all day, so no goroutine may stay.
func closeLeavesNothing(t *testing.T, s *suite) {
	from := s.open()
	tr := s.net.Transport()
	before := goleak.IgnoreCurrent() // the network's own
	to := s.start(tr, nil, "s")
	s.awaitState(to, "connected")
	s.meet(from, to, "s")
	to.close()
	if err := goleak.Find(before); err != nil {
		t.Error(err)
	}
}

// closeTwice: a node that failed to open closes what it has, opened or not.
func closeTwice(t *testing.T, s *suite) {
	e := s.open("s")
	e.close()
	e.close()
	if err := s.net.Transport().Close(); err != nil {
		t.Errorf("close before Open: %v", err)
	}
}

// reconnects: without the news of a disconnection a node would not know that it counts
// alone, and without its old subscriptions it would stay deaf afterwards. Publishing must
// not wait meanwhile: the engine's lock is held.
func reconnects(t *testing.T, s *suite) {
	if s.net.Stop == nil {
		return // never away
	}
	from, to := s.open(), s.open("s", "t.*")
	s.meet(from, to, "s")
	s.net.Stop()
	s.awaitState(from, "connected", "disconnected")
	s.awaitState(to, "connected", "disconnected")
	began := time.Now()
	_ = from.Publish("s", []byte("into the void")) // may say so, must not wait
	if took := time.Since(began); took > patience/10 {
		t.Errorf("publishing without a network took %v", took)
	}
	s.net.Start()
	s.awaitState(from, "connected", "disconnected", "connected")
	s.awaitState(to, "connected", "disconnected", "connected")
	for _, subject := range []string{"s", "t.x"} {
		s.meet(from, to, subject)
	}
}

// opensWithoutNetwork: a node starts and decides while NATS is down, and joins when it is
// there.
func opensWithoutNetwork(t *testing.T, s *suite) {
	if s.net.Stop == nil {
		return
	}
	s.net.Stop()
	from, to := s.start(s.net.Transport(), nil), s.start(s.net.Transport(), nil, "s")
	if got := append(from.went(), to.went()...); len(got) > 0 {
		t.Errorf("%q without a network", got)
	}
	s.net.Start()
	s.awaitState(from, "connected")
	s.awaitState(to, "connected")
	s.meet(from, to, "s")
}

// closesWithoutNetwork: a node that is told to stop must not wait for a server that is
// away, or its supervisor kills it.
func closesWithoutNetwork(t *testing.T, s *suite) {
	if s.net.Stop == nil {
		return
	}
	e := s.open("s")
	s.net.Stop()
	s.awaitState(e, "connected", "disconnected")
	began := time.Now()
	e.close()
	if took := time.Since(began); took > patience/4 {
		t.Errorf("took %v", took)
	}
}

// sharedConnection: two nodes in one process may share a connection, and then the server
// must not suppress what one of them sends as the other's echo.
func sharedConnection(t *testing.T, s *suite) {
	if s.net.Shared == nil {
		return
	}
	ta, tb := s.net.Shared()
	a, b := s.start(ta, nil, "to.a", "all"), s.start(tb, nil, "to.b", "all")
	s.awaitState(a, "connected")
	s.awaitState(b, "connected")
	s.meet(a, b, "to.b")
	s.meet(b, a, "to.a")
	b.forget()
	a.publish("all", "for all")
	eventually(t, "the other's broadcast", func() bool { return slices.Contains(b.got(), "for all") })
}

// sharedClose: closing one of them must leave the other's subscriptions alone.
func sharedClose(_ *testing.T, s *suite) {
	if s.net.Shared == nil {
		return
	}
	ta, tb := s.net.Shared()
	a, b, far := s.start(ta, nil, "s"), s.start(tb, nil, "s"), s.open("far")
	s.meet(far, a, "s")
	s.meet(far, b, "s")
	a.close()
	s.meet(far, b, "s")
	s.meet(b, far, "far")
}
