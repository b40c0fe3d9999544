package sim

import (
	"crypto/sha256"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
)

// digest names a state of an exploration. It is canonical. Nodes differ only in what they hold,
// so it does not depend on which node is which. Times count from now, in steps that are short
// beside everything on which a decision depends.
type digest [16]byte

// digest describes the state: what nodes hold, know of each other and export, what is under
// way, and what the oracle expects. Two schedules with one digest may differ in when the next
// beat is due, which is no step of its own.
func (e *explorer) digest() digest {
	var numbers []int
	for n := range e.x.most() {
		numbers = append(numbers, n+1)
	}
	least := ""
	for order := range permutations(numbers) {
		if text := e.describe(order); least == "" || text < least {
			least = text
		}
	}
	sum := sha256.Sum256([]byte(least))
	return digest(sum[:16])
}

// permutations calls for all orders of numbers. The slice is reused.
func permutations(numbers []int) func(func([]int) bool) {
	return func(yield func([]int) bool) {
		var rec func(k int) bool
		rec = func(k int) bool {
			if k == len(numbers) {
				return yield(numbers)
			}
			for i := k; i < len(numbers); i++ {
				numbers[k], numbers[i] = numbers[i], numbers[k]
				more := rec(k + 1)
				numbers[k], numbers[i] = numbers[i], numbers[k]
				if !more {
					return false
				}
			}
			return true
		}
		rec(0)
	}
}

// describe writes the state down with the nodes in an order.
func (e *explorer) describe(order []int) string {
	var b strings.Builder
	names := map[crdt.Replica]string{} // of incarnations, by place and age
	var members []*member
	for place, n := range order {
		age := 0
		for _, m := range e.w.members {
			if m.number == n {
				age++
				names[crdt.Replica(m.replica)] = fmt.Sprintf("%d.%d", place, age)
				members = append(members, m)
			}
		}
	}
	for _, m := range members {
		e.describeMember(&b, m, members, names)
	}
	for i, n := range order {
		for j, other := range order {
			pair := [2]int8{int8(n), int8(other)} //nolint:gosec // at most 3 nodes
			_, _ = fmt.Fprintf(&b, "|%d>%d lost %d:", i, j, min(2, e.lost[pair]))
			for _, m := range e.waiting[pair] {
				_, _ = fmt.Fprintf(&b, " %s %s", kindOf(m.packet.Subject), names[crdt.Replica(m.from.replica)])
				_, _ = fmt.Fprintf(&b, " %d", len(m.packet.Data))
			}
		}
	}
	_, _ = fmt.Fprintf(&b, "|cut %d counts", slices.Index(order, int(e.cut)))
	for _, kind := range []stepKind{stepPass, stepRoll, stepCut, stepCrash, stepBye, stepJoin, stepReset, stepChange, stepRefund, stepNew, stepStrike} {
		_, _ = fmt.Fprintf(&b, " %d", e.counts[kind])
	}
	for _, a := range e.w.oracle.order {
		_, _ = fmt.Fprintf(&b, "|account %d life %d excused %d", a.phase, a.life, a.excused)
		if a.yard.gcra != nil {
			_, _ = fmt.Fprintf(&b, " tat %d", e.since(max(a.yard.gcra.TAT(a.level), e.w.now)))
		}
		for _, m := range members {
			_, _ = fmt.Fprintf(&b, " %d", a.charged[m].since(0))
		}
		_, _ = fmt.Fprintf(&b, " refunds %d", len(a.refunds))
	}
	return b.String()
}

// kindOf is the kind of a message, by its subject.
func kindOf(subject string) string {
	tokens := strings.Split(subject, ".")
	return tokens[min(3, len(tokens)-1)][:1]
}

func (e *explorer) describeMember(b io.Writer, m *member, members []*member, names map[crdt.Replica]string) {
	_, _ = fmt.Fprintf(b, "|%s alive %t", names[crdt.Replica(m.replica)], m.alive)
	if !m.alive {
		return
	}
	bound, degraded := m.step.Inside().Exported(node.DefaultLimit)
	_, _ = fmt.Fprintf(b, " ready %t unsent %d open %d bound %.0f %t isolated %t", m.ready, e.unsent[m], len(e.held[int8(m.number)]), bound, degraded, m.step.Inside().Isolated()) //nolint:gosec // at most 3 nodes
	for _, other := range members {
		at, known := m.step.Inside().Fresh(other.replica)
		if known {
			at = e.since(at)
		}
		_, _ = fmt.Fprintf(b, " %t %d", known, at)
	}
	if e.x.bounded() {
		_, _ = fmt.Fprint(b, " ", m.step.Inside().Rights(node.DefaultLimit, explored, int64(100*time.Millisecond), func(r crdt.Replica) string { return names[r] }))
	}
	for _, h := range m.step.Inside().Held(m.clock.read(e.w.now)) {
		_, _ = fmt.Fprintf(b, " held %d %d origin %d %d tat %d life", (h.Starts[0]-e.w.now)/int64(5*time.Second), e.since(h.Starts[1]), e.since(h.Origin[0]), e.since(h.Origin[1]), e.since(h.TAT))
		for _, stamp := range []crdt.Stamp{h.Life.Revision, h.Life.Reset} {
			_, _ = fmt.Fprintf(b, " %d %s", e.since(stamp.At), names[stamp.By])
		}
		var cells []string
		for _, c := range h.Cells {
			cells = append(cells, fmt.Sprintf("%s=%v", names[c.Replica], c.Count))
		}
		slices.Sort(cells)
		_, _ = fmt.Fprint(b, cells)
	}
}

// since is how long ago an instant is, in tenths of a second: a unit drains in far longer.
func (e *explorer) since(at int64) int64 {
	const grain = int64(100 * time.Millisecond)
	return max(-1000, min(1000, (e.w.now-at)/grain))
}
