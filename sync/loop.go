package sync

import (
	"log/slog"
	"sync"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
)

// Loop is the rim around an Engine in a real node: it steps the engine with what the
// transport delivers and when the clock says so, and does what the engine wants. Its
// methods are safe for concurrent use. Each takes the lock that a step holds, for as long
// as a step takes; none waits for the network.
type Loop struct {
	transport Transport
	now       func() int64
	log       *slog.Logger

	mu     sync.Mutex // guards engine and failed, and keeps publishing in the engine's order
	engine *Engine
	failed uint64 // publish errors

	urgent chan struct{} // holds one signal: more would say the same
	stop   chan struct{} // closed when run has to end
	done   sync.WaitGroup
	closed sync.Once
	ended  chan struct{} // closed when the first Close has done its work
}

// NewLoop opens the transport and starts running an engine for store. now is the node's
// clock, which never steps back. NewLoop does not wait for the network. A nil transport
// means a node alone. The error is the transport's; nothing runs then.
func NewLoop(cfg Config, store Store, transport Transport, now func() int64, log *slog.Logger) (*Loop, error) {
	l := &Loop{
		transport: transport, now: now, log: log,
		urgent: make(chan struct{}, 1), stop: make(chan struct{}), ended: make(chan struct{}),
	}
	if transport == nil {
		cfg.Alone = true
		transport = nowhere{}
		l.transport = transport
	}
	// The engine needs the transport's inbox, and the transport the engine's subjects. The
	// lock holds packets back until both are there.
	l.mu.Lock()
	defer l.mu.Unlock()
	l.engine = NewEngine(cfg, store, now(), "")
	if err := transport.Open(l.engine.Subjects(), l); err != nil {
		return nil, err
	}
	l.engine.inbox = transport.Inbox()
	l.done.Add(1)
	go l.run()
	return l, nil
}

// run ticks the engine when it is due, and at once for an urgent flush.
func (l *Loop) run() {
	defer l.done.Done()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		in := Input{Kind: InputTick}
		select {
		case <-l.stop:
			return
		case <-l.urgent:
			in.Kind = InputUrgent
		case <-timer.C:
		}
		timer.Reset(l.step(in))
	}
}

// step runs the engine and does what it wants. It returns the time until the next tick
// is due.
func (l *Loop) step(in Input) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	out := l.engine.Step(now, in)
	for _, p := range out.Packets {
		if err := l.transport.Publish(p.Subject, p.Reply, p.Data); err != nil {
			// As good as lost: gaps and digests bring it back. Status tells how many.
			l.failed++
		}
	}
	for _, ev := range out.Events {
		l.logEvent(ev)
	}
	return time.Duration(out.Wake - now)
}

// Urgent says that some client's unsent cost reached its quantum. It is wait-free and
// takes no lock, so a decision may call it.
func (l *Loop) Urgent() {
	select {
	case l.urgent <- struct{}{}:
	default:
	}
}

// Receive implements Handler. It blocks the transport for one step, which is how the
// engine pushes back.
func (l *Loop) Receive(p Packet) { l.step(Input{Kind: InputPacket, Packet: p}) }

// Connected implements Handler.
func (l *Loop) Connected() {
	l.log.Info("connected to NATS")
	l.step(Input{Kind: InputConnected})
}

// Disconnected implements Handler.
func (l *Loop) Disconnected(err error) {
	l.log.Warn("disconnected from NATS; deciding alone until it answers", "error", err)
	l.step(Input{Kind: InputDisconnected, Err: err})
}

// Status describes the protocol's state. It copies all peers.
func (l *Loop) Status() Status {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := l.engine.Status(l.now())
	s.Stats.Dropped[DropQueue] = l.transport.Dropped()
	s.Stats.PublishErrors = l.failed
	return s
}

// Forget strikes a node that will not come back off the roster. It reports whether the
// node was on it.
func (l *Loop) Forget(name string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.engine.Forget(l.now(), name)
}

// Present reports whether an incarnation may still be there to answer.
func (l *Loop) Present(r crdt.Replica) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.engine.Present(r)
}

// Ready reports whether the node has joined its cluster.
func (l *Loop) Ready() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.engine.Ready()
}

func (l *Loop) lingers() time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return time.Duration(l.engine.Lingers(l.now()))
}

// Close flushes, says bye, answers repairs for lingerFor if there are peers, closes the
// transport and waits for the loop's goroutines. It is idempotent; the first call returns the transport's error.
func (l *Loop) Close() error {
	first := false
	l.closed.Do(func() { first = true })
	if !first {
		<-l.ended
		return nil
	}
	defer close(l.ended)
	// The timer ends first: no flush may come between the bye and the transport's end.
	close(l.stop)
	l.done.Wait()
	l.step(Input{Kind: InputClose})
	time.Sleep(l.lingers()) // Receive answers
	return l.transport.Close()
}

// logEvent writes state changes as Info, and what harms the count as Warn.
func (l *Loop) logEvent(ev Event) {
	var attrs []any
	if ev.Replica != 0 {
		attrs = append(attrs, "peer", ev.Node, "incarnation", incarnation(ev.Replica))
	}
	if ev.Detail != "" {
		attrs = append(attrs, "detail", ev.Detail)
	}
	switch ev.Kind {
	case EventPeerJoined:
		l.log.Info("peer joined", attrs...)
	case EventPeerSuspect:
		l.log.Warn("peer is silent", attrs...)
	case EventPeerGone:
		l.log.Warn("peer is gone", attrs...)
	case EventPeerBack:
		l.log.Info("peer is back", attrs...)
	case EventPeerLeft:
		l.log.Info("peer left", attrs...)
	case EventOneWay:
		l.log.Warn("one-way partition", attrs...)
	case EventTwin:
		l.log.Warn("another node has this node's name", attrs...)
	case EventOtherLimits:
		l.log.Warn("peer has other limits", attrs...)
	case EventSameLimits:
		l.log.Info("peer has the same limits again", attrs...)
	case EventReady:
		l.log.Info("ready", attrs...)
	case EventPacketBad:
		l.log.Warn("message refused", "detail", ev.Detail)
	}
}

// nowhere is the transport of a node without a network.
type nowhere struct{}

func (nowhere) Open([]string, Handler) error         { return nil }
func (nowhere) Inbox() string                        { return "" }
func (nowhere) Publish(string, string, []byte) error { return nil }
func (nowhere) Dropped() uint64                      { return 0 }
func (nowhere) Close() error                         { return nil }
