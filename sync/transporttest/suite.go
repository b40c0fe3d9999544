package transporttest

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	deltasync "github.com/distributed-rate-limiter/distributed-rate-limiter/sync"
)

// Network makes transports that reach each other. Its functions may fail the test that it
// was made for, and register their clean-up with it.
type Network struct {
	// Transport makes a transport of its own.
	Transport func() deltasync.Transport
	// Shared makes two transports over one connection; nil if transports have no
	// connection that they could share.
	Shared func() (a, b deltasync.Transport)
	// Stop takes the network away from all transports, Start brings it back; nil if it is
	// never away.
	Stop, Start func()
}

// Run runs the suite. It calls network for each case anew.
func Run(t *testing.T, network func(t *testing.T) Network) {
	for name, test := range map[string]func(*testing.T, *suite){
		"delivers what matches":                       deliversWhatMatches,
		"keeps each publisher's order":                keepsOrder,
		"answers reach who asked":                     answersReachWhoAsked,
		"own messages come once at most":              ownMessages,
		"data belongs to the receiver":                dataBelongsToTheReceiver,
		"a slow handler loses and counts":             slowHandler,
		"close waits for the handler":                 closeWaits,
		"close lets what was published go":            closeFlushes,
		"close leaves nothing behind":                 closeLeavesNothing,
		"close is idempotent, and fine before Open":   closeTwice,
		"says when it is disconnected and back":       reconnects,
		"opens while the network is away":             opensWithoutNetwork,
		"close does not wait for an absent network":   closesWithoutNetwork,
		"two on one connection hear each other":       sharedConnection,
		"closing one of two on a connection is local": sharedClose,
	} {
		t.Run(strings.ReplaceAll(name, " ", "_"), func(t *testing.T) {
			test(t, &suite{t: t, net: network(t)})
		})
	}
}

type suite struct {
	t        *testing.T
	net      Network
	meetings int
}

// open opens a transport and waits until it is connected.
func (s *suite) open(subjects ...string) *end {
	s.t.Helper()
	e := s.start(s.net.Transport(), nil, subjects...)
	s.awaitState(e, "connected")
	return e
}

// start opens a transport without waiting. onData runs within each Receive.
func (s *suite) start(tr deltasync.Transport, onData func(deltasync.Packet), subjects ...string) *end {
	s.t.Helper()
	e := &end{Transport: tr, recorder: &recorder{t: s.t, onData: onData}}
	if err := tr.Open(subjects, e.recorder); err != nil {
		s.t.Fatalf("open: %v", err)
	}
	s.t.Cleanup(e.close)
	return e
}

// awaitState waits until the end was told exactly these states, in this order.
func (s *suite) awaitState(e *end, states ...string) {
	s.t.Helper()
	eventually(s.t, "state "+strings.Join(states, ", "), func() bool { return slices.Equal(e.went(), states) })
}

// meet publishes from one end until the other has heard it: interest in a subject takes a
// moment to travel.
func (s *suite) meet(from, to *end, subject string) {
	s.t.Helper()
	before := to.count()
	eventually(s.t, "a message on "+subject, func() bool {
		_ = from.Publish(subject, []byte("hello"))
		return to.count() > before
	})
	// Wait for the last one too, so that none arrives in the middle of the test.
	s.meetings++
	last := fmt.Sprintf("meeting %d", s.meetings)
	from.publish(subject, last)
	eventually(s.t, last, func() bool { return slices.Contains(to.got(), last) })
	to.forget()
}

// deliversWhatMatches: a node that missed a broadcast would count apart, and one that got
// requests for others would answer them.
func deliversWhatMatches(t *testing.T, s *suite) {
	exact, star, tail := s.open("a.b.c"), s.open("a.*.c", "x.*"), s.open("a.>")
	from := s.open()
	for _, to := range []*end{exact, star, tail} {
		s.meet(from, to, "a.b.c")
	}
	for _, e := range []*end{exact, star, tail} {
		e.forget()
	}
	for _, subject := range []string{"a.b.c", "a.z.c", "a.b", "a.b.c.d", "x.1", "x", "b.b.c", "a.b.c"} {
		from.publish(subject, subject)
	}
	for _, want := range []struct {
		to   *end
		data string
	}{
		{exact, "a.b.c a.b.c"},
		{star, "a.b.c a.z.c x.1 a.b.c"},
		{tail, "a.b.c a.z.c a.b a.b.c.d a.b.c"},
	} {
		eventually(t, want.data, func() bool { return strings.Join(want.to.got(), " ") == want.data })
		for _, p := range want.to.packets {
			if p.Subject != string(p.Data) {
				t.Errorf("%q arrived on %q", p.Data, p.Subject)
			}
		}
	}
}

// keepsOrder: a beat that overtook the deltas it counts would show a gap, and each gap
// costs a repair. The order holds across subjects.
func keepsOrder(t *testing.T, s *suite) {
	const each = 600 // two publishers together stay below what a transport has to queue
	to := s.open("one", "two", "three.*")
	senders := []*end{s.open(), s.open()}
	for _, from := range senders {
		s.meet(from, to, "one")
	}
	subjects := []string{"one", "three.x", "two", "three.y"}
	for i := range each {
		for j, from := range senders {
			from.publish(subjects[i%len(subjects)], fmt.Sprintf("%d %d", j, i))
		}
	}
	eventually(t, "all messages", func() bool { return to.count() == each*len(senders) })
	next := make([]int, len(senders))
	for _, text := range to.got() {
		var j, i int
		if _, err := fmt.Sscanf(text, "%d %d", &j, &i); err != nil {
			t.Fatal(err)
		}
		if i != next[j] {
			t.Fatalf("publisher %d: message %d came where %d was due", j, i, next[j])
		}
		next[j]++
	}
	if to.Dropped() != 0 {
		t.Errorf("dropped %d", to.Dropped())
	}
}

// answersReachWhoAsked: rows for one node must not reach another, and an engine answers
// from within Receive.
func answersReachWhoAsked(t *testing.T, s *suite) {
	asking, bystander := s.open("*.to.one"), s.open("*.to.other")
	tr := s.net.Transport()
	answering := s.start(tr, func(p deltasync.Packet) {
		if string(p.Data) == "this" {
			_ = tr.Publish("answer.to.one", []byte("answer to "+string(p.Data)))
		}
	}, "ask.me")
	s.awaitState(answering, "connected")
	s.meet(asking, answering, "ask.me")
	s.meet(answering, asking, "greeting.to.one")
	asking.publish("ask.me", "this")
	eventually(t, "an answer", func() bool { return slices.Equal(asking.got(), []string{"answer to this"}) })
	if got := bystander.got(); len(got) > 0 {
		t.Errorf("another got %q", got)
	}
	if p := asking.packets[0]; p.Subject != "answer.to.one" {
		t.Errorf("the answer came on %q", p.Subject)
	}
}

// ownMessages: an engine drops its own broadcasts, so a transport may deliver them or not,
// but a peer has to get each of them once.
func ownMessages(t *testing.T, s *suite) {
	self, other := s.open("s"), s.open("s")
	s.meet(self, other, "s")
	s.meet(other, self, "s")
	other.forget()
	self.publish("s", "mine")
	other.publish("s", "end")
	eventually(t, "both messages", func() bool {
		return slices.Contains(other.got(), "mine") && slices.Contains(self.got(), "end")
	})
	count := func(e *end) (n int) {
		for _, text := range e.got() {
			if text == "mine" {
				n++
			}
		}
		return n
	}
	if n := count(other); n != 1 {
		t.Errorf("the other got the message %d times", n)
	}
	if n := count(self); n > 1 {
		t.Errorf("its publisher got the message %d times", n)
	}
}

// dataBelongsToTheReceiver: a receiver may overwrite a packet, and a publisher its buffer,
// without anybody else seeing it.
func dataBelongsToTheReceiver(t *testing.T, s *suite) {
	var scribbled atomic.Bool
	vandal := s.start(s.net.Transport(), func(p deltasync.Packet) {
		if string(p.Data) == "precious" {
			clear(p.Data)
			scribbled.Store(true)
		}
	}, "s")
	s.awaitState(vandal, "connected")
	to, from := s.open("s"), s.open()
	s.meet(from, vandal, "s")
	s.meet(from, to, "s")
	buffer := []byte("precious")
	if err := from.Publish("s", buffer); err != nil {
		t.Fatal(err)
	}
	copy(buffer, "reused!!")
	eventually(t, "a message at both", func() bool { return scribbled.Load() && to.count() == 1 })
	if got := to.got()[0]; got != "precious" {
		t.Errorf("got %q", got)
	}
}

// slowHandler: a node that does not keep up must lose packets and say how many, not grow.
// What was counted as dropped stays counted after Close, since metrics never go back.
func slowHandler(t *testing.T, s *suite) {
	const many = 10000 // more than any transport queues
	gate, hold := make(chan struct{}), atomic.Bool{}
	release := sync.OnceFunc(func() { close(gate) })
	defer release()
	slow := s.start(s.net.Transport(), func(deltasync.Packet) {
		if hold.Load() {
			<-gate
		}
	}, "s")
	s.awaitState(slow, "connected")
	from := s.open()
	s.meet(from, slow, "s")
	hold.Store(true)
	for range many {
		from.publish("s", "x")
	}
	eventually(t, "packets dropped", func() bool { return slow.Dropped() > 0 })
	hold.Store(false)
	release()
	eventually(t, "each packet either delivered or counted", func() bool { return slow.count()+int(slow.Dropped()) == many })
	dropped := slow.Dropped()
	s.meet(from, slow, "s")
	if now := slow.Dropped(); now != dropped {
		t.Errorf("dropped %d more once the handler kept up", now-dropped)
	}
	slow.close()
	if now := slow.Dropped(); now != dropped {
		t.Errorf("%d dropped packets after Close, %d before", now, dropped)
	}
}
