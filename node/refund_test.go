package node_test

import (
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
)

// solo is a node without a network whose clock the test sets.
type solo struct {
	*node.Node
	at atomic.Int64 // unix nanoseconds; housekeeping reads it beside the test
}

func newSolo(t *testing.T, p node.Policy) *solo {
	t.Helper()
	s := &solo{}
	s.at.Store(time.Unix(1_900_000_020, 0).UnixNano()) // the start of a window of every width up to 60 s
	n, err := node.Open(t.Context(), node.Config{
		Limits: map[string]node.Policy{node.DefaultLimit: p}, Now: func() time.Time { return time.Unix(0, s.at.Load()) },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = n.Close() })
	s.Node = n
	return s
}

// took is one admission of which some may have been given back.
type took struct {
	at    int64
	units int64 // net
}

// excess replays net admissions through one GCRA that refuses nothing, and returns the most
// by which they ever went beyond the burst, in units.
func excess(burst, perUnit float64, all []took) float64 {
	worst, tat := 0.0, float64(0)
	for _, e := range all {
		if e.units == 0 {
			continue
		}
		tat = max(tat, float64(e.at)) + float64(e.units)*perUnit
		worst = max(worst, (tat-float64(e.at))/perUnit-burst)
	}
	return worst
}

// give refunds without a reservation.
func (s *solo) give(t *testing.T, client string, units int64) int64 {
	t.Helper()
	did, err := s.Refund(t.Context(), node.Request{Client: client, Cost: units})
	if err != nil || did.Returned < 0 || did.Returned > units || did.Unconfirmed != 0 || (did.Returned < units) != (did.Short == node.ShortDrained) {
		t.Fatalf("a refund of %d: %+v, %v", units, did, err)
	}
	return did.Returned
}

// What one step of TestARefundNeverMints does.
const (
	doTake = iota
	doTakeAll
	doReserve
	doRefund
	doSettle
	doDrain
	doWhat
)

// reservedThenRefunded are orders in which refunds without a token reach into units that are
// reserved, and settlements follow. Chance alone hardly ever comes to them.
var reservedThenRefunded = [][]int{
	{doReserve, doReserve, doDrain, doRefund, doSettle, doTake, doSettle, doTakeAll},
	{doReserve, doReserve, doReserve, doDrain, doRefund, doSettle, doRefund, doSettle, doTake, doSettle, doTakeAll},
	{doReserve, doRefund, doTake, doSettle, doTakeAll},
}

// TestARefundNeverMints replays random takes, reservations, settlements and refunds as if
// what came back had never been taken: less than one unit is ever admitted beyond the limit.
func TestARefundNeverMints(t *testing.T) {
	runs := 3000
	if testing.Short() {
		runs = 300
	}
	worst := 0.0
	for seed := range runs {
		// Each run closes its node: thousands that live until the end take all memory and much time.
		t.Run("", func(t *testing.T) { worst = max(worst, minted(t, seed)) })
		if worst >= 1 || t.Failed() {
			t.Fatalf("seed %d: %.3f units were minted", seed, worst)
		}
	}
	t.Logf("at most %.3f of a unit beyond the limit in %d runs", worst, runs)
}

// minted is one run of TestARefundNeverMints: the units that were admitted beyond the limit.
func minted(t *testing.T, seed int) float64 {
	t.Helper()
	r := rand.New(rand.NewPCG(uint64(seed), 6)) //nolint:gosec // a test's choices
	p := node.Policy{Limit: 1 + r.Int64N(120), Window: time.Minute, Burst: 1 + r.Int64N(120)}
	if r.IntN(3) == 0 {
		p.Window = time.Second * time.Duration(1+r.IntN(3600))
	}
	s := newSolo(t, p)
	perUnit := float64(p.Window) / float64(p.Limit)
	var all []took
	type open struct {
		r *node.Reservation
		i int
	}
	var held []open
	var plan []int // what to do next: choices are left to chance once it is empty
	steps := 5 + r.IntN(40)
	if seed%10 == 0 {
		steps = 300 // more refunds than are remembered one by one
	}
	for range steps {
		if len(plan) == 0 && r.IntN(4) == 0 {
			plan = reservedThenRefunded[r.IntN(len(reservedThenRefunded))]
		}
		what := r.IntN(doWhat)
		if len(plan) > 0 {
			what, plan = plan[0], plan[1:]
		}
		if what == doDrain || r.IntN(3) > 0 {
			s.at.Add(int64(r.Float64() * r.Float64() * perUnit * float64(p.Burst) * 1.2))
		}
		now := s.at.Load()
		cost := 1 + r.Int64N(p.Burst)
		if len(plan) > 0 {
			cost = 1 + r.Int64N(max(1, p.Burst/2)) // so that the whole plan has room
		}
		switch what {
		case doDrain:
		case doTake:
			if s.Take("c", cost).Allowed {
				all = append(all, took{now, cost})
			}
		case doTakeAll:
			rest := s.Do(node.Request{Client: "c", Peek: true}).Remaining
			if rest > 0 && s.Take("c", rest).Allowed {
				all = append(all, took{now, rest})
			}
		case doReserve:
			if v := s.Reserve(node.Request{Client: "c", Cost: cost, Timeout: 10 * time.Minute}); v.Allowed {
				all = append(all, took{now, cost})
				held = append(held, open{v, len(all) - 1})
			}
		case doRefund:
			back := s.give(t, "c", cost)
			for i := len(all) - 1; i >= 0 && back > 0; i-- { // from the last one on
				part := min(back, max(all[i].units, 0))
				all[i].units -= part
				back -= part
			}
			if back > 0 {
				t.Fatalf("seed %d: %d units came back that nobody took", seed, back)
			}
		default:
			if len(held) == 0 {
				continue
			}
			k := r.IntN(len(held))
			h := held[k]
			held = append(held[:k], held[k+1:]...)
			actual := int64(0)
			if r.IntN(3) == 0 {
				actual = r.Int64N(h.r.Cost + 1)
			}
			back := h.r.Commit(actual)
			if back < 0 || back > h.r.Cost-actual {
				t.Fatalf("seed %d: %d came back of %d, of which %d were used", seed, back, h.r.Cost, actual)
			}
			if all[h.i].units -= back; all[h.i].units < 0 {
				t.Fatalf("seed %d: %d units more came back of a reservation than were left of it", seed, -all[h.i].units)
			}
		}
	}
	return excess(float64(p.Burst), perUnit, all)
}

// TestARefundGivesBackWhatWasTaken is a table of right values, on one node.
func TestARefundGivesBackWhatWasTaken(t *testing.T) {
	perSecond := node.Policy{Limit: 60, Window: time.Minute, Burst: 100}
	hourly := node.Policy{Limit: 1, Window: time.Hour}
	type step struct {
		wait  time.Duration
		do    string // take, reserve, cancel, refund
		units int64  // or which reservation, from 1
		want  int64  // came back
	}
	for _, c := range []struct {
		name   string
		policy node.Policy
		steps  []step
		left   int64 // remaining at the end
	}{
		{"one of one, 10 ms later", hourly, []step{{0, "reserve", 1, 0}, {10 * time.Millisecond, "cancel", 1, 1}}, 1},
		{"five of five, 10 ms later", perSecond, []step{{0, "reserve", 5, 0}, {10 * time.Millisecond, "cancel", 1, 5}}, 100},
		{"all of a burst, 10 ms later", perSecond, []step{{0, "reserve", 100, 0}, {10 * time.Millisecond, "cancel", 1, 100}}, 100},
		{"what has drained stays", perSecond, []step{{0, "reserve", 100, 0}, {30 * time.Second, "cancel", 1, 70}}, 100},
		{"the earlier of two first", perSecond, []step{
			{0, "reserve", 50, 0},
			{0, "reserve", 50, 0},
			{0, "cancel", 1, 50},
			{49 * time.Second, "take", 99, 0},
			{0, "cancel", 2, 1},
		}, 1},
		{"the later of two first", perSecond, []step{
			{0, "reserve", 50, 0}, {0, "reserve", 50, 0}, {0, "cancel", 2, 50}, {0, "cancel", 1, 50},
		}, 100},
		{"later refunds do not hide what is left", perSecond, []step{
			{0, "reserve", 40, 0},
			{time.Second, "reserve", 30, 0},
			{0, "reserve", 30, 0},
			{0, "cancel", 3, 30},
			{0, "cancel", 2, 30},
			{0, "cancel", 1, 39},
		}, 100},
		{"a refund from the top, then both reservations", node.Policy{Limit: 60, Window: time.Minute, Burst: 200}, []step{
			{0, "reserve", 50, 0},
			{0, "reserve", 50, 0},
			{40 * time.Second, "refund", 30, 30}, // 10 of the first are left, and 20 of the second
			{0, "cancel", 2, 20},
			{0, "take", 50, 0},
			{0, "cancel", 1, 10},
		}, 150},
		{"a refund from the top of an earlier one", perSecond, []step{
			{0, "reserve", 40, 0},
			{0, "reserve", 40, 0},
			{0, "refund", 50, 50},
			{0, "cancel", 2, 0},
			{0, "cancel", 1, 30},
		}, 100},
		{"over a window's edge", perSecond, []step{
			{55 * time.Second, "reserve", 60, 0}, {10 * time.Second, "reserve", 20, 0}, {0, "cancel", 2, 20}, {0, "cancel", 1, 50},
		}, 100},
		{"others' cost came after", perSecond, []step{{0, "reserve", 10, 0}, {5 * time.Second, "take", 50, 0}, {5 * time.Second, "cancel", 1, 0}}, 50},
		{"a window later the windows are gone", node.Policy{Limit: 1, Window: time.Hour}, []step{
			{0, "reserve", 1, 0}, {2*time.Minute + time.Second, "cancel", 1, 0},
		}, 0},
		{"a fixed window that is over", node.Policy{Algorithm: node.FixedWindow, Limit: 10, Window: 15 * time.Second}, []step{
			{0, "reserve", 4, 0}, {16 * time.Second, "cancel", 1, 0},
		}, 10},
		{"a fixed window that is not", node.Policy{Algorithm: node.FixedWindow, Limit: 10, Window: 15 * time.Second}, []step{
			{0, "reserve", 4, 0}, {14 * time.Second, "cancel", 1, 4},
		}, 10},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newSolo(t, c.policy)
			var held []*node.Reservation
			for i, st := range c.steps {
				s.at.Add(int64(st.wait))
				switch st.do {
				case "take":
					if !s.Take("c", st.units).Allowed {
						t.Fatalf("step %d: denied", i)
					}
				case "reserve":
					r := s.Reserve(node.Request{Client: "c", Cost: st.units, Timeout: 10 * time.Minute})
					if !r.Allowed {
						t.Fatalf("step %d: %+v", i, r.Decision)
					}
					held = append(held, r)
				case "refund":
					if got := s.give(t, "c", st.units); got != st.want {
						t.Errorf("step %d: %d came back, want %d", i, got, st.want)
					}
				case "cancel":
					if got := held[st.units-1].Cancel(); got != st.want {
						t.Errorf("step %d: %d came back, want %d", i, got, st.want)
					}
				}
			}
			if got := s.Do(node.Request{Client: "c", Peek: true}).Remaining; got != c.left {
				t.Errorf("%d remain, want %d", got, c.left)
			}
		})
	}
}
