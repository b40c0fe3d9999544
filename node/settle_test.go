package node_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
)

// settle asks a node of a lab to settle, without waiting: the lab's time stands still
// meanwhile.
func (m *member) settle(token string, actual int64) (int64, error) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return m.Node.Commit(ctx, token, actual)
}

// reserve takes a reservation under a token.
func (m *member) reserve(q node.Request) (node.Decision, string) {
	m.lab.t.Helper()
	r := m.Node.Reserve(q)
	token, err := r.Token()
	must(m.lab.t, err)
	if again, err := r.Token(); again != token || err != nil {
		m.lab.t.Errorf("asked again, the token is %q and not %q: %v", again, token, err)
	}
	return r.Decision, token
}

func TestAReservationIsSettledOnAnyNode(t *testing.T) {
	l := newLab(t, 3, hourly(100))
	d, token := l.nodes[0].reserve(node.Request{Client: "alice", Cost: 40})
	if !d.Allowed || d.Cost != 40 || token == "" {
		t.Fatalf("%+v, %q", d, token)
	}
	l.run(time.Second)
	l.agree("", "alice", 60)
	if _, err := l.nodes[2].settle(token, 15); !errors.Is(err, node.ErrUnconfirmed) {
		t.Fatalf("an answer before there can be one: %v", err)
	}
	l.run(10 * time.Millisecond)
	l.run(time.Second)
	l.agree("", "alice", 85)
	for i, m := range l.nodes {
		back, err := m.settle(token, 40)
		if errors.Is(err, node.ErrUnconfirmed) {
			l.run(10 * time.Millisecond)
			back, err = m.settle(token, 0)
		}
		if err != nil || back != 25 {
			t.Errorf("n%d, asked again: %d, %v", i, back, err)
		}
	}
	l.run(time.Second)
	l.agree("", "alice", 85)
}

// Lost, repeated and late settlements and answers count once.
func TestASettlementCountsOnceWhateverTheNetworkDoes(t *testing.T) {
	for seed := range uint64(50) {
		rnd := rand.New(rand.NewPCG(seed, 1)) //nolint:gosec // a test's
		l := newLab(t, 3, hourly(1000))
		total, back := int64(0), int64(0)
		l.lose = func(m mail) bool {
			if rnd.IntN(10) == 0 && m.kind != "bye" {
				l.wire = append(l.wire, m) // once more
			}
			return rnd.IntN(5) == 0
		}
		for range 10 {
			cost := 1 + rnd.Int64N(50)
			_, token := l.nodes[rnd.IntN(3)].reserve(node.Request{Client: "alice", Cost: cost})
			total += cost
			used := rnd.Int64N(cost)
			for range 1 + rnd.IntN(3) {
				_, _ = l.nodes[rnd.IntN(3)].settle(token, used)
			}
			back += cost - used
			l.run(time.Duration(rnd.IntN(100)) * time.Millisecond)
		}
		l.run(5 * time.Second)
		l.lose = nil
		l.run(8 * time.Second)
		// A part of a unit may have drained of each before it was given back.
		left := l.left("", "alice")
		if exact := 1000 - total + back; slices.Min(left) != slices.Max(left) || left[0] > exact || left[0] < exact-10 {
			t.Errorf("%v are left, want %d or a little less", left, exact)
		}
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

func TestWhatNobodySettlesStaysCharged(t *testing.T) {
	l := newLab(t, 2, hourly(100))
	_, short := l.nodes[0].reserve(node.Request{Client: "alice", Cost: 10, Timeout: 5 * time.Second})
	_, usual := l.nodes[0].reserve(node.Request{Client: "alice", Cost: 10})
	l.run(6 * time.Second)
	if _, err := l.nodes[0].settle(short, 0); !errors.Is(err, node.ErrUnknownReservation) {
		t.Errorf("after its time: %v", err)
	}
	l.agree("", "alice", 80)
	_, _ = l.nodes[1].settle(short, 0)
	l.run(time.Second)
	if _, err := l.nodes[1].settle(short, 0); !errors.Is(err, node.ErrUnknownReservation) {
		t.Errorf("after its time, on another node: %v", err)
	}
	if back, err := l.nodes[0].settle(usual, 0); back != 10 || err != nil {
		t.Errorf("cancelled in time: %d, %v", back, err)
	}
	// A node that is gone settles nothing any more.
	_, lost := l.nodes[1].reserve(node.Request{Client: "alice", Cost: 10})
	l.run(time.Second)
	l.nodes[1].dead = true
	l.run(35 * time.Second)
	if _, err := l.nodes[0].settle(lost, 0); !errors.Is(err, node.ErrUnknownReservation) {
		t.Errorf("of a dead node: %v", err)
	}
	l.agree("", "alice", 80)
}

func TestBadTokensAreRefused(t *testing.T) {
	l := newLab(t, 1, hourly(10))
	for _, token := range []string{"", "x", "1.", ".1", "0.5", "1.2.3", "é.1", strings.Repeat("z", 1<<20)} {
		_, err := l.nodes[0].settle(token, 1)
		if f, ok := errors.AsType[*node.FieldError](err); !ok || f.Field != "reservation" || len(err.Error()) > 300 {
			t.Errorf("%.20q: %v", token, err)
		}
	}
	_, token := l.nodes[0].reserve(node.Request{Client: "alice", Cost: 5})
	if _, err := l.nodes[0].settle(token, -1); err == nil {
		t.Error("less than nothing was accepted")
	}
	if _, err := l.nodes[0].settle("zz.zz", 1); !errors.Is(err, node.ErrUnknownReservation) {
		t.Errorf("of no node: %v", err)
	}
	if d, token := l.nodes[0].reserve(node.Request{Client: "alice", Cost: 6}); d.Allowed || token != "" {
		t.Errorf("a denial has a token: %+v, %q", d, token)
	}
	if d, _ := l.nodes[0].reserve(node.Request{Client: "alice", Timeout: time.Hour}); d.Reason != node.ReasonBadRequest {
		t.Errorf("%+v", d)
	}
}

func TestHeldReservationsAreCapped(t *testing.T) {
	l := newLab(t, 1, node.Config{Limit: 1 << 40, Window: time.Second})
	n := l.nodes[0].Node
	for range node.MaxHeld {
		l.nodes[0].reserve(node.Request{Client: "alice"})
	}
	before := n.Limiter("").Peek("alice", 1).Remaining
	r := n.Reserve(node.Request{Client: "alice", Cost: 5})
	if token, err := r.Token(); !errors.Is(err, node.ErrTooManyHeld) || token != "" {
		t.Errorf("%q, %v", token, err)
	}
	if back := r.Cancel(); back != 5 || n.Limiter("").Peek("alice", 1).Remaining != before {
		t.Errorf("%d was given back", back)
	}
	if got := n.Stats().Refused["too_many_reservations"]; got != 1 {
		t.Errorf("%d are counted as refused", got)
	}
	l.now = l.now.Add(61 * time.Second)
	if d, token := l.nodes[0].reserve(node.Request{Client: "alice"}); !d.Allowed || token == "" {
		t.Errorf("after their time: %+v", d)
	}
}

// Who holds the reservation may settle it without its token; it still counts once.
func TestAReservationIsSettledByTokenOrByHand(t *testing.T) {
	l := newLab(t, 1, hourly(100))
	n := l.nodes[0].Node
	for _, byHand := range []bool{true, false} {
		r := n.Reserve(node.Request{Client: "alice", Cost: 40})
		token, err := r.Token()
		must(t, err)
		want := int64(0)
		if byHand {
			if got := r.Commit(30); got != 10 {
				t.Errorf("by hand: %d", got)
			}
		} else {
			want = 40
		}
		if got, err := n.Cancel(t.Context(), token); got != want || err != nil {
			t.Errorf("by token, after by hand %v: %d, %v", byHand, got, err)
		}
		if got := r.Cancel(); got != 0 {
			t.Errorf("once more by hand: %d", got)
		}
	}
	l.agree("", "alice", 70)
}
