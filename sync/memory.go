package sync

import (
	"errors"
	"strings"
	"sync"
)

// Memory is an in-memory network: transports made from one Memory reach each other. It is
// for tests, examples and many nodes in one process. The zero value is ready; safe for
// concurrent use.
type Memory struct {
	mu   sync.RWMutex
	ends []*memoryEnd // open ones
}

// memoryQueue is how many packets wait for one receiver; more are dropped, as NATS does
// to a slow consumer. Raising it takes memory for each transport. Lowering it makes an
// answer of several messages, or a burst of deltas, lose some.
const memoryQueue = 2048

// Transport makes a new end of the network. It reaches others while it is open.
func (n *Memory) Transport() Transport {
	return &memoryEnd{net: n, queue: make(chan Packet, memoryQueue), stop: make(chan struct{})}
}

// errMemoryClosed is what publishing returns after Close.
var errMemoryClosed = errors.New("sync: publish on a closed transport")

type memoryEnd struct {
	net      *Memory
	subjects []string // patterns; fixed by Open
	queue    chan Packet
	stop     chan struct{}
	done     sync.WaitGroup
	once     sync.Once

	mu      sync.Mutex
	dropped uint64
}

// Open connects at once: this network is never away.
func (t *memoryEnd) Open(subjects []string, h Handler) error {
	t.subjects = subjects
	t.net.mu.Lock()
	t.net.ends = append(t.net.ends, t)
	t.net.mu.Unlock()
	t.done.Go(func() {
		h.Connected()
		for {
			select {
			case <-t.stop:
				return
			case p := <-t.queue:
				h.Receive(p)
			}
		}
	})
	return nil
}

// Publish copies data for each receiver: they may overwrite it. It never waits for one.
func (t *memoryEnd) Publish(subject string, data []byte) error {
	select {
	case <-t.stop:
		return errMemoryClosed
	default:
	}
	t.net.mu.RLock()
	defer t.net.mu.RUnlock()
	for _, other := range t.net.ends {
		if other == t || !matchesAny(other.subjects, subject) {
			continue
		}
		p := Packet{Subject: subject, Data: append([]byte(nil), data...)}
		select {
		case other.queue <- p:
		default:
			other.mu.Lock()
			other.dropped++
			other.mu.Unlock()
		}
	}
	return nil
}

func (t *memoryEnd) Dropped() uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.dropped
}

// Close leaves the network first, so that nobody fills the queue of an end without a
// reader.
func (t *memoryEnd) Close() error {
	t.once.Do(func() {
		t.net.mu.Lock()
		for i, end := range t.net.ends {
			if end == t {
				t.net.ends = append(t.net.ends[:i:i], t.net.ends[i+1:]...)
				break
			}
		}
		t.net.mu.Unlock()
		close(t.stop)
		t.done.Wait()
	})
	return nil
}

func matchesAny(patterns []string, subject string) bool {
	for _, p := range patterns {
		if Matches(p, subject) {
			return true
		}
	}
	return false
}

// Matches reports whether subject matches a NATS pattern: * stands for one token, > at
// the end for one or more.
func Matches(pattern, subject string) bool {
	for {
		pt, prest, pmore := strings.Cut(pattern, ".")
		st, srest, smore := strings.Cut(subject, ".")
		if pt == ">" && !pmore {
			return true
		}
		if pt != "*" && pt != st {
			return false
		}
		if !pmore || !smore {
			return pmore == smore
		}
		pattern, subject = prest, srest
	}
}
