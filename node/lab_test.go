package node_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
	deltasync "github.com/distributed-rate-limiter/distributed-rate-limiter/sync"
)

// epoch is where a lab's time starts: the middle of a window of any width.
var epoch = time.Unix(1_900_000_000-1_900_000_000%60+30, 0)

// lab is a cluster of Steppers on one thread and one clock. Messages take a
// millisecond, unless a test holds them back or loses them.
type lab struct {
	t     testing.TB
	now   time.Time
	nodes []*member
	wire  []mail
	// hold says which messages wait for release, lose which never arrive.
	hold, lose func(mail) bool
	held       []mail
}

// member is one node of a lab.
type member struct {
	*node.Stepper
	lab   *lab
	index int
	skew  time.Duration
	wake  int64
	dead  bool
}

// mail is one packet under way.
type mail struct {
	from, to int
	kind     string
	packet   deltasync.Packet
}

// newLab starts n nodes that know each other. Each gets cfg with a name and a clock
// of its own.
func newLab(t testing.TB, n int, cfg node.Config) *lab {
	t.Helper()
	l := &lab{t: t, now: epoch}
	for range n {
		l.join(cfg)
	}
	l.run(3 * time.Second)
	for _, m := range l.nodes {
		if err := m.Node.Ready(); err != nil {
			t.Fatalf("n%d: %v", m.index, err)
		}
	}
	return l
}

// join adds a node.
func (l *lab) join(cfg node.Config) *member {
	l.t.Helper()
	m := &member{lab: l, index: len(l.nodes)}
	cfg.Name = fmt.Sprintf("n%d", m.index)
	cfg.Now = func() time.Time { return l.now.Add(m.skew) }
	s, err := node.NewStepper(cfg, uint64(m.index)+1)
	if err != nil {
		l.t.Fatal(err)
	}
	m.Stepper = s
	l.nodes = append(l.nodes, m)
	m.input(deltasync.Input{Kind: deltasync.InputConnected})
	return m
}

// input steps the node and posts what it sends.
func (m *member) input(in deltasync.Input) {
	out := m.Step(in)
	m.wake = out.Wake
	for _, p := range out.Packets {
		p.Data = slices.Clone(p.Data)
		for _, to := range m.lab.nodes {
			if to != m && to.receives(p.Subject) {
				m.lab.wire = append(m.lab.wire, mail{from: m.index, to: to.index, kind: kindOf(p.Subject), packet: p})
			}
		}
	}
}

func (m *member) receives(subject string) bool {
	return slices.ContainsFunc(m.Subjects(), func(pattern string) bool { return deltasync.Matches(pattern, subject) })
}

// kindOf is the kind of message on a subject.
func kindOf(subject string) string { return strings.Split(subject, ".")[3] }

// run lets d pass, a millisecond at a time.
func (l *lab) run(d time.Duration) {
	for end := l.now.Add(d); l.now.Before(end); {
		l.now = l.now.Add(time.Millisecond)
		arrived := l.wire
		l.wire = nil
		for _, p := range arrived {
			l.deliver(p)
		}
		l.tick()
	}
}

// tick steps the nodes that have something to do now.
func (l *lab) tick() {
	for _, m := range l.nodes {
		if m.dead {
			continue
		}
		if m.TakeUrgent() {
			m.input(deltasync.Input{Kind: deltasync.InputUrgent})
		} else if l.now.Add(m.skew).UnixNano() >= m.wake {
			m.input(deltasync.Input{Kind: deltasync.InputTick})
		}
		if l.now.UnixMilli()%1000 == 0 {
			m.Housekeep()
		}
	}
}

func (l *lab) deliver(p mail) {
	switch {
	case l.nodes[p.to].dead || l.lose != nil && l.lose(p):
	case l.hold != nil && l.hold(p):
		l.held = append(l.held, p)
	default:
		l.nodes[p.to].input(deltasync.Input{Kind: deltasync.InputPacket, Packet: p.packet})
	}
}

// release delivers what was held, in the order that a permutation gives it; nil is
// the order in which it was sent.
func (l *lab) release(order func([]mail)) {
	held := l.held
	l.held, l.hold = nil, nil
	if order != nil {
		order(held)
	}
	for _, p := range held {
		l.deliver(p)
	}
}

// left is what Remaining is for a client on each node.
func (l *lab) left(limit, client string) []int64 {
	var out []int64
	for _, m := range l.nodes {
		if !m.dead {
			out = append(out, m.peek(limit, client).Remaining)
		}
	}
	return out
}

func (m *member) peek(limit, client string) node.Decision {
	return m.Node.Do(node.Request{Client: client, Limit: limit, Peek: true})
}

// take admits n units one by one and returns how many were allowed.
func (m *member) take(limit, client string, n int) (allowed int) {
	for range n {
		if m.Node.Limiter(limit).Allow(client) {
			allowed++
		}
	}
	return allowed
}

// must fails the test on an error.
func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// agree fails the test unless every node says that want units are left.
func (l *lab) agree(limit, client string, want int64) {
	l.t.Helper()
	if got := l.left(limit, client); slices.Min(got) != want || slices.Max(got) != want {
		l.t.Errorf("%s: %v are left, want %d everywhere", client, got, want)
	}
}

// errorOf is the error of a change whose instant does not matter.
func errorOf(_ time.Time, err error) error { return err }
