package sync

import (
	"fmt"
	"math/rand/v2"
	"slices"
)

// outbound is what leaves the engine: messages under this node's name, and lines for the log.
// It also counts what came to nothing. It knows no peer's state but what it addresses.
type outbound struct {
	cfg      Config // with defaults filled in; never changes
	subjects subjects
	writer   *writer
	random   *rand.Rand // jitter; the only source of chance
	// connected: the transport said so last. Nothing is published otherwise.
	connected bool
	// requests is the number of the last question. No number is used twice (S7).
	requests uint64
	// owed: some peer may owe rows or an answer, so that repairs has to look at all (S16).
	owed bool
	// nextBadLog is when a refused packet may be logged again.
	nextBadLog int64
	// unsaid is how many were refused since without a line.
	unsaid uint64

	out   Output // of the last step
	stats Stats  // since the start; counters never go back
}

func (o *outbound) broadcast(now int64, m *Message, b *Batch) {
	o.send(now, o.subjects.of(m.Kind, o.cfg.Node, o.cfg.Replica), m, b)
}

// tell addresses a message to one peer. It echoes the peer's last beat.
func (o *outbound) tell(now int64, p *peer, m *Message, b *Batch) {
	m.To, m.Beat = p.replica, p.beat
	o.send(now, o.subjects.between(m.Kind, o.cfg.Node, o.cfg.Replica, p.node, p.replica), m, b)
}

// request asks a peer something, under the next number.
func (o *outbound) request(now int64, p *peer, m *Message) {
	o.requests++
	m.Request = o.requests
	o.tell(now, p, m, nil)
}

// send signs a message with our name and time, and puts it out. The rows are those of b,
// if there is one.
func (o *outbound) send(now int64, subject string, m *Message, b *Batch) {
	m.Node, m.Replica, m.Sent = o.cfg.Node, o.cfg.Replica, now
	data := o.writer.encode(m, b)
	o.stats.Sent[m.Kind].add(len(data))
	if b != nil {
		o.stats.RowsSent += uint64(b.Len())
	}
	o.out.Packets = append(o.out.Packets, Packet{Subject: subject, Data: data})
}

// sendResets splits resets into messages.
func (o *outbound) sendResets(now int64, resets []ClientReset) {
	for part := range slices.Chunk(resets, batchBudget/resetSize) {
		o.broadcast(now, &Message{Kind: KindReset, Resets: part}, nil)
	}
}

// missing notes that the peer's messages after since up to to did not arrive.
func (o *outbound) missing(now int64, p *peer, since, to uint64) {
	o.stats.Gaps++
	o.owed = true
	if p.miss(since, to) {
		p.request.pace.hold(now + o.jitter(repairJitter))
	}
}

func (o *outbound) jitter(most int64) int64 { return o.random.Int64N(most) }

// event adds to the step's output; the rim logs it.
func (o *outbound) event(kind EventKind, p *peer, detail string) {
	ev := Event{Kind: kind, Detail: detail}
	if p != nil {
		ev.Node, ev.Replica = p.node, p.replica
	}
	o.out.Events = append(o.out.Events, ev)
}

// badLogPause is the least time between two log lines about refused packets. Raising it
// hides a second cause behind the first. Lowering it lets a stranger fill the log.
const badLogPause = int64(1e9)

// drop counts every refused packet, and logs one of them in a while.
func (o *outbound) drop(now int64, why Drop, detail string) {
	o.stats.Dropped[why]++
	if now < o.nextBadLog {
		o.unsaid++
		return
	}
	if o.unsaid > 0 {
		detail = fmt.Sprintf("%s; %d more since the last line", detail, o.unsaid)
	}
	o.nextBadLog, o.unsaid = now+badLogPause, 0
	o.event(EventPacketBad, nil, detail)
}
