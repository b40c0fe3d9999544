package transporttest

import (
	"errors"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"go.uber.org/goleak"

	deltasync "github.com/distributed-rate-limiter/distributed-rate-limiter/sync"
)

func TestDialledNATSIsATransport(t *testing.T) {
	Run(t, func(t *testing.T) Network {
		s := newServer(t)
		return Network{
			Transport: func() deltasync.Transport { return dial(t, s.options(nats.NoEcho()), nil) },
			Stop:      s.stop, Start: s.start,
		}
	})
}

func dial(t *testing.T, o nats.Options, failed func(error)) deltasync.Transport {
	t.Helper()
	tr, err := deltasync.DialNATS(o, failed)
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

// promptly fails the test if do waits for anything that takes long.
func promptly(t *testing.T, what string, do func()) {
	t.Helper()
	done := make(chan struct{})
	go func() { do(); close(done) }()
	select {
	case <-done:
	case <-time.After(patience):
		t.Fatalf("%s waits for the network", what)
	}
}

// forever is how long the library may wait for an answer where nothing may wait for
// the library.
const forever = time.Hour

// blackHole listens, accepts and never answers. met is closed at the first connection.
func blackHole(t *testing.T) (url string, met chan struct{}) {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	met = make(chan struct{})
	var accepting sync.WaitGroup
	var held []net.Conn
	accepting.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			if held = append(held, conn); len(held) == 1 {
				close(met)
			}
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		accepting.Wait()
		for _, conn := range held {
			_ = conn.Close()
		}
	})
	return "nats://" + l.Addr().String(), met
}

func TestNothingWaitsForAServerThatNeverAnswers(t *testing.T) {
	before := goleak.IgnoreCurrent()
	t.Run("", func(t *testing.T) {
		url, met := blackHole(t)
		o := nats.GetDefaultOptions()
		o.Url, o.Timeout = url, forever
		tr := dial(t, o, func(err error) { t.Errorf("an attempt that Close interrupts is no failure: %v", err) })
		r := &recorder{t: t}
		promptly(t, "Open", func() {
			if err := tr.Open([]string{"s"}, r); err != nil {
				t.Error(err)
			}
		})
		<-met
		promptly(t, "all else", func() {
			if err := tr.Publish("s", nil); err == nil {
				t.Error("published without a connection")
			}
			if n := tr.Dropped(); n != 0 {
				t.Errorf("dropped %d", n)
			}
			if err := tr.Close(); err != nil {
				t.Error(err)
			}
		})
		if got := r.went(); len(got) > 0 {
			t.Errorf("%q without a server", got)
		}
	})
	if err := goleak.Find(before); err != nil {
		t.Error(err)
	}
}

// A server that was there and became a black hole holds up no Close either.
func TestCloseDoesNotWaitForAServerThatStoppedAnswering(t *testing.T) {
	n := newServer(t)
	hole, met := blackHole(t)
	o := n.options(nats.Timeout(forever))
	o.Servers, o.NoRandomize = []string{o.Url, hole}, true
	s := &suite{t: t}
	e := s.start(dial(t, o, nil), nil, "s")
	s.awaitState(e, "connected")
	n.stop()
	<-met
	promptly(t, "Close", e.close)
}

func TestEachFailureIsToldAndTheServerIsFoundWhenItComes(t *testing.T) {
	n := newServer(t)
	n.stop()
	var mu sync.Mutex
	var failures []error
	s := &suite{t: t}
	e := s.start(dial(t, n.options(), func(err error) {
		mu.Lock()
		defer mu.Unlock()
		failures = append(failures, err)
	}), nil, "s")
	eventually(t, "a second attempt", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return len(failures) >= 2
	})
	n.start()
	s.awaitState(e, "connected")
	s.meet(e, e, "s")
	mu.Lock()
	defer mu.Unlock()
	for _, err := range failures {
		if !errors.Is(err, nats.ErrNoServers) {
			t.Errorf("got %v", err)
		}
	}
}

func TestWhatIsWrongWithTheOptionsIsKnownWithoutANetwork(t *testing.T) {
	for name, o := range map[string]nats.Options{
		"no URL":                {Url: "nats://[::1"},
		"one of two":            {Servers: []string{"nats://127.0.0.1:1", "nats://a:b:c"}},
		"a key nobody can sign": {Url: "nats://127.0.0.1:1", Nkey: "U"},
		"negative timeout":      {Url: "nats://127.0.0.1:1", Timeout: -1},
	} {
		if tr, err := deltasync.DialNATS(o, nil); err == nil {
			t.Errorf("%s: got %v", name, tr.Close())
		}
	}
}

// custom is a dialer of the caller's.
type custom struct {
	net.Dialer
	mu     sync.Mutex
	dialed []string
}

func (c *custom) Dial(network, address string) (net.Conn, error) {
	c.mu.Lock()
	c.dialed = append(c.dialed, address)
	c.mu.Unlock()
	return c.Dialer.Dial(network, address)
}

func TestTheCallersDialerIsUsed(t *testing.T) {
	n := newServer(t)
	var c custom
	s := &suite{t: t}
	e := s.start(dial(t, n.options(nats.SetCustomDialer(&c)), nil), nil)
	s.awaitState(e, "connected")
	e.close()
	if c.mu.Lock(); len(c.dialed) != 1 || strings.HasPrefix(n.options().Url, c.dialed[0]) == false {
		t.Errorf("dialled %q", c.dialed)
	}
}
