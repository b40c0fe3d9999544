package sync

import (
	"log/slog"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
)

// Loop is the rim around an Engine in a real node: it steps the engine with what the
// transport delivers and when the clock says so, and does what the engine wants. Its
// methods are safe for concurrent use. No lock is held while anything waits for the
// network: packets go through an outbox. Urgent and Ready are wait-free, Status waits for a
// step for at most statusPatience, and the others wait for the step under way.
type Loop struct {
	transport Transport
	now       func() int64
	log       *slog.Logger
	outbox    *outbox
	arrivals  *arrivals

	// turn holds one token while somebody works with engine. It is a lock that one can stop
	// waiting for. It also keeps the outbox in the engine's order.
	turn   chan struct{}
	engine *Engine
	met    int // members' edits that arrivals knows of

	ready atomic.Bool
	seen  atomic.Pointer[Status] // as of the last look; immutable

	urgent chan struct{} // holds one signal: more would say the same
	stop   chan struct{} // closed when run has to end
	done   sync.WaitGroup
	closed sync.Once
	ended  chan struct{} // closed when the first Close has done its work
}

// statusPatience is how long Status waits for a step. Raising it lets a probe of the node's
// health wait for longer behind a step that hangs. Lowering it tells of an older state while
// the machine is busy.
const statusPatience = 250 * time.Millisecond

// NewLoop opens the transport and starts running an engine for store. now is the node's
// clock, which never steps back. NewLoop does not wait for the network. A nil transport
// means a node alone. The error is the transport's; nothing runs then.
func NewLoop(cfg Config, store Store, transport Transport, now func() int64, log *slog.Logger) (*Loop, error) {
	l := &Loop{
		transport: transport, now: now, log: log,
		turn: make(chan struct{}, 1), urgent: make(chan struct{}, 1), stop: make(chan struct{}), ended: make(chan struct{}),
	}
	if transport == nil {
		cfg.Alone = true
		transport = nowhere{}
		l.transport = transport
	}
	// The turn holds packets back until the outbox is there.
	l.lock()
	defer l.unlock()
	l.engine = NewEngine(cfg, store, now())
	l.arrivals = newArrivals(l.engine, now)
	if err := transport.Open(l.engine.Subjects(), l); err != nil {
		return nil, err
	}
	l.outbox = newOutbox(transport)
	l.ready.Store(l.engine.Ready())
	l.look()
	l.done.Add(1)
	go l.run()
	return l, nil
}

func (l *Loop) lock()   { l.turn <- struct{}{} }
func (l *Loop) unlock() { <-l.turn }

// look takes down what the engine's state is. The turn is held.
func (l *Loop) look() {
	s := l.engine.Status(l.now())
	l.seen.Store(&s)
}

// run ticks the engine when it is due, and at once for an urgent flush. It hands over what
// has arrived, and ends with the last words.
func (l *Loop) run() {
	defer l.done.Done()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		in := Input{Kind: InputTick}
		select {
		case <-l.stop:
			l.finish()
			return
		case <-l.urgent:
			in.Kind = InputUrgent
		case <-timer.C:
		case p := <-l.arrivals.members:
			in = Input{Kind: InputPacket, Packet: p}
		case p := <-l.arrivals.strangers:
			if !l.arrivals.take() {
				continue
			}
			in = Input{Kind: InputPacket, Packet: p}
		}
		timer.Reset(l.step(in))
	}
}

// finish says bye, and answers members for as long as the engine lingers.
func (l *Loop) finish() {
	l.step(Input{Kind: InputClose})
	timer := time.NewTimer(l.lingers())
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
			return
		case p := <-l.arrivals.members:
			l.step(Input{Kind: InputPacket, Packet: p})
		}
	}
}

// step runs the engine and does what it wants. It returns the time until the next tick
// is due.
func (l *Loop) step(in Input) time.Duration {
	l.lock()
	defer l.unlock()
	now := l.now()
	out := l.engine.Step(now, in)
	l.ready.Store(l.engine.Ready())
	l.outbox.put(out.Packets)
	if edits := l.engine.members.edits; edits != l.met {
		l.met = edits
		l.arrivals.meet(&l.engine.members)
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

// Receive implements Handler. It never waits for the engine.
func (l *Loop) Receive(p Packet) { l.arrivals.sort(p) }

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

// Status describes the protocol's state. The caller must not change what it points to. While
// a step takes long, it is that of the last look, with ages that have grown since.
func (l *Loop) Status() Status {
	timer := time.NewTimer(statusPatience)
	defer timer.Stop()
	select {
	case l.turn <- struct{}{}:
		l.look()
		l.unlock()
	case <-timer.C:
	}
	s := l.seen.Load().later(l.now())
	s.Stats.Dropped = maps.Clone(s.Stats.Dropped)
	s.Stats.Dropped[DropQueue] = l.transport.Dropped()
	l.arrivals.addTo(s.Stats.Dropped)
	s.Stats.PublishErrors = l.outbox.lost.Load()
	return s
}

// Forget strikes a node that will not come back off the roster. It reports whether the
// node was on it.
func (l *Loop) Forget(name string) bool {
	l.lock()
	defer l.unlock()
	return l.engine.Forget(l.now(), name)
}

// Restored says that the owner has done with Config.Saved, and whether all of its counts are here.
func (l *Loop) Restored(whole bool) { l.step(Input{Kind: InputRestored, Whole: whole}) }

// Present reports whether an incarnation may still be there to answer.
func (l *Loop) Present(r crdt.Replica) bool {
	l.lock()
	defer l.unlock()
	return l.engine.Present(r)
}

// Ready reports whether the node has joined its cluster.
func (l *Loop) Ready() bool { return l.ready.Load() }

func (l *Loop) lingers() time.Duration {
	l.lock()
	defer l.unlock()
	return time.Duration(l.engine.Lingers(l.now()))
}

// Close flushes, says bye, answers repairs for lingerFor if there are peers, closes the
// transport and waits for the loop's goroutines. It waits for a network that takes nothing as
// long as the transport's Close does, and closeFlush. It is idempotent; the first call returns
// the transport's error.
func (l *Loop) Close() error {
	first := false
	l.closed.Do(func() { first = true })
	if !first {
		<-l.ended
		return nil
	}
	defer close(l.ended)
	close(l.stop)
	l.done.Wait()
	l.outbox.close(closeFlush)
	err := l.transport.Close()
	<-l.outbox.ended // the transport takes nothing more, and refuses the rest
	return err
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

func (nowhere) Open([]string, Handler) error { return nil }
func (nowhere) Publish(string, []byte) error { return nil }
func (nowhere) Dropped() uint64              { return 0 }
func (nowhere) Close() error                 { return nil }
