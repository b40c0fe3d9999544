package sync

import (
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

// stuck is a transport to a server that stopped reading: publishing waits until Close.
type stuck struct {
	away
	closes    sync.Once
	end       chan struct{}
	mu        sync.Mutex
	began     int
	published []Packet
	flows     bool // the server reads
}

func newStuck() *stuck { return &stuck{end: make(chan struct{})} }

var errStuck = errors.New("server does not read")

func (s *stuck) Publish(subject string, data []byte) error {
	s.mu.Lock()
	s.began++
	flows := s.flows
	s.mu.Unlock()
	if !flows {
		<-s.end
		return errStuck
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.published = append(s.published, Packet{Subject: subject, Data: data})
	return nil
}

func (s *stuck) attempts() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.began
}

func (s *stuck) Close() error { s.closes.Do(func() { close(s.end) }); return nil }

func TestNothingWaitsForATransportThatIsStuck(t *testing.T) {
	defer goleak.VerifyNone(t)
	synctest.Test(t, func(t *testing.T) {
		transport := newStuck()
		l, store, _ := newTestLoop(t, "a", 0, transport)
		transport.handler.Connected()
		time.Sleep(10 * time.Second)
		began := time.Now()
		store.admit(now(), 1)
		l.Urgent()
		l.Receive(Packet{Subject: "x", Data: []byte("y")})
		s := l.Status()
		if !l.Ready() || !s.Ready || s.Now != now() || l.Forget("nobody") || l.Present(9) {
			t.Errorf("ready %v, %+v", l.Ready(), s)
		}
		if d := time.Since(began); d != 0 {
			t.Errorf("they took %v", d)
		}
		if n := transport.attempts(); n != 1 {
			t.Errorf("published %d times at once", n)
		}
		began = time.Now()
		if err := l.Close(); err != nil || time.Since(began) > 2*closeFlush {
			t.Errorf("Close took %v: %v", time.Since(began), err)
		}
		if lost := l.Status().Stats.PublishErrors; lost < 10 {
			t.Errorf("%d messages counted as lost", lost)
		}
	})
}

func TestOutboxDropsAndCountsWhatDoesNotFit(t *testing.T) {
	defer goleak.VerifyNone(t)
	synctest.Test(t, func(t *testing.T) {
		transport := newStuck()
		o := newOutbox(transport)
		most := mostOutbox / (MaxMessage + outboxMessage)
		full := make([]byte, MaxMessage)
		for range most {
			o.put([]Packet{{Data: full}})
		}
		synctest.Wait()
		if n := o.lost.Load(); n != 0 {
			t.Fatalf("%d of %d lost", n, most)
		}
		o.put([]Packet{{Data: full}, {Subject: "small"}})
		if n := o.lost.Load(); n != 1 {
			t.Errorf("%d lost, want the one that is too large", n)
		}
		_ = transport.Close()
		synctest.Wait()
		if n := o.lost.Load(); n != uint64(most)+2 || o.bytes != 0 || len(o.waiting) != 0 {
			t.Errorf("%d lost, %d bytes in %d messages left", n, o.bytes, len(o.waiting))
		}
		o.close(time.Second)
		o.put([]Packet{{}})
		if n := o.lost.Load(); n != uint64(most)+3 {
			t.Errorf("a message after close was taken: %d lost", n)
		}
	})
}

func TestOutboxKeepsTheOrderAndEndsEmpty(t *testing.T) {
	defer goleak.VerifyNone(t)
	synctest.Test(t, func(t *testing.T) {
		transport := newStuck()
		transport.flows = true
		o := newOutbox(transport)
		for i := range 1000 {
			o.put([]Packet{{Data: []byte{byte(i)}}, {Data: []byte{byte(i), 1}}})
		}
		o.close(time.Second)
		<-o.ended
		if len(transport.published) != 2000 {
			t.Fatalf("%d of 2000", len(transport.published))
		}
		for i, p := range transport.published {
			if p.Data[0] != byte(i/2) || len(p.Data) != 1+i%2 {
				t.Fatalf("message %d is %v", i, p.Data)
			}
		}
	})
}

// A step that hangs, in the store for example, must not make a node look dead.
func TestStatusDoesNotWaitForAStepThatHangs(t *testing.T) {
	defer goleak.VerifyNone(t)
	synctest.Test(t, func(t *testing.T) {
		var network Memory
		l, _, _ := newTestLoop(t, "a", 0, network.Transport())
		b, _, _ := newTestLoop(t, "b", 1, network.Transport())
		time.Sleep(5 * time.Second)
		before := l.Status()
		l.lock()
		time.Sleep(7 * time.Second)
		release := time.AfterFunc(time.Minute, l.unlock) // what waits all the same must end
		s := l.Status()
		if !release.Stop() {
			t.Error("Status waited until the step went on")
			l.lock()
		}
		if !l.Ready() || len(s.Peers) != 1 || s.Now != now() {
			t.Fatalf("%+v", s)
		}
		grown := s.Now - before.Now
		if p, was := s.Peers[0], before.Peers[0]; p.HeardAgo-was.HeardAgo != grown || p.StaleFor-was.StaleFor != grown {
			t.Errorf("heard %d ns ago, and %d ns ago %d ns before that", p.HeardAgo, was.HeardAgo, grown)
		}
		if u, was := s.Unknown[0].Spans[0], before.Unknown[0].Spans[0]; u.Began-was.Began != grown || u.Ended != 0 {
			t.Errorf("%+v, and before %+v", u, was)
		}
		if again := l.seen.Load(); again.Peers[0].HeardAgo != before.Peers[0].HeardAgo {
			t.Error("the state that was taken down changed")
		}
		l.unlock()
		_, _ = l.Close(), b.Close()
	})
}
