package rights

import (
	"math/rand/v2"
	"testing"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
)

// holder is one node with a client's account under a fixed window: what lasts of it, and its clock,
// which may be wrong by as much as the margin.
type holder struct {
	full, began, off, last int64
	record                 *Record
	divisions              Divisions
	open                   map[int]ask // by number
}

// ask is a question that waits for its answer.
type ask struct {
	lender int
	window int64
}

// answer is a loan on its way.
type answer struct {
	to, number int
	amount     int64
}

// windows is a cluster whose oracle knows nothing of accounts: it sums up what was admitted in each
// window, as the node that admits it names the window.
type windows struct {
	shares        *Shares
	width, margin int64
	now           int64
	holders       []*holder
	numbers       int
	wants         map[int]int // number to asker
	mail          []answer
	admitted      map[int64]int64
}

func (w *windows) clock(h *holder) int64 {
	h.last = max(h.last, w.now+h.off)
	return h.last
}

func (w *windows) account(h *holder) (Account, Time) {
	now := w.clock(h)
	start := now - now%w.width
	a := h.divisions.InWindow(w.shares, crdt.Key{Hi: 1}, 0, start, start, w.margin)
	if h.full != 0 {
		a.Resume(h.full)
	}
	a.Record = h.record
	t := Time{Own: now, Mono: now, Wall: now}
	a.Settle(t)
	return a, t
}

func (w *windows) start(i int, names []string) {
	h := w.holders[i]
	h.full, h.record, h.open, h.last = 0, &Record{}, map[int]ask{}, 0
	h.began = w.clock(h)
	h.divisions = Divisions{{h.began, NewRoster(names, names[i])}}
}

func TestNoScheduleExceedsAQuota(t *testing.T) {
	lent, full := 0, 0
	for seed := range uint64(1500) {
		r := rand.New(rand.NewPCG(seed, 4)) //nolint:gosec // repeatable on purpose
		names := []string{"a", "b", "c", "d", "e"}[:1+r.IntN(5)]
		units := int64(1 + r.IntN(40))
		width := 1000 * units * 4
		credit := int64(0)
		if r.IntN(2) == 0 {
			credit = 1000 * r.Int64N(units/2+1)
		}
		w := &windows{shares: NewShares(1000*units, credit, units+credit/1000, 1), width: width, margin: width / 10, now: 1e12, wants: map[int]int{}, admitted: map[int64]int64{}}
		w.shares.Windowed = true
		for i := range names {
			w.holders = append(w.holders, &holder{off: r.Int64N(w.margin/2+1) - w.margin/4})
			w.start(i, names)
		}
		w.now += 2 * width
		for range 300 {
			i := r.IntN(len(names))
			h := w.holders[i]
			a, at := w.account(h)
			switch r.IntN(9) {
			case 0, 1: // admit as much as there is
				c := min(1+r.Int64N(2000*units), a.Free(at)+a.Credit())
				if c > 0 {
					own := a.Spend(at, c)
					h.full = a.Full
					w.admitted[a.Window()] += c
					if w.admitted[a.Window()] > 1000*units+credit {
						t.Fatalf("seed %d: %d of %d and %d are admitted in one window", seed, w.admitted[a.Window()], 1000*units, credit)
					}
					if w.admitted[a.Window()] == 1000*units+credit {
						full++
					}
					if r.IntN(8) == 0 { // and give it back, perhaps in the next window
						was, since := a.Window(), at.Own
						w.now += r.Int64N(width / 2)
						a, at = w.account(h)
						if a.GiveBack(at, own, since, 1); a.Window() == was {
							w.admitted[was] -= own
						}
						h.full = a.Full
						if a.Window() == was && a.Own(at) > 1000*units {
							t.Fatalf("seed %d: it owns %d", seed, a.Own(at))
						}
					}
				}
			case 2, 3: // ask
				w.numbers++
				lender := r.IntN(len(names))
				h.open[w.numbers], w.wants[w.numbers] = ask{lender, a.Holds()}, i
			case 4, 5: // answer some question, perhaps once more, or late
				if w.numbers == 0 {
					continue
				}
				number := 1 + r.IntN(w.numbers)
				asker := w.wants[number]
				q, some := w.holders[asker].open[number]
				if !some {
					continue
				}
				l := w.holders[q.lender]
				a, at := w.account(l)
				if q.lender == asker || !a.Matches(q.window) {
					continue
				}
				y := a.Lend(at, a.Piece(at, 1000), crdt.Replica(asker+1), uint64(number)) //nolint:gosec // small
				l.full = a.Full
				w.mail = append(w.mail, answer{asker, number, y})
			case 6: // a loan arrives
				if len(w.mail) == 0 {
					continue
				}
				k := r.IntN(len(w.mail))
				m := w.mail[k]
				if r.IntN(3) > 0 {
					w.mail = append(w.mail[:k:k], w.mail[k+1:]...)
				}
				h := w.holders[m.to]
				q, some := h.open[m.number]
				a, at := w.account(h)
				if delete(h.open, m.number); some && a.Matches(q.window) {
					if a.Borrow(at, m.amount, 0, 0, 1, 0) > 0 {
						lent++
					}
					h.full = a.Full
				}
			case 7:
				if r.IntN(4) == 0 { // a restart, with another clock
					h.off = r.Int64N(w.margin/2+1) - w.margin/4
					w.start(i, names)
				}
			default:
				w.now += r.Int64N(width / 6)
			}
		}
	}
	if lent < 1000 || full < 200 {
		t.Errorf("%d loans, and %d quotas are used up: that proves nothing", lent, full)
	}
}

// A run that began in a window has no share of it, and none of the next one if that began within the
// margin: the run before may have had both.
func TestARunHasNoShareOfTheWindowItBeganIn(t *testing.T) {
	shares := NewShares(1e9, 0, 100, 1)
	ds := Divisions{{105e9, NewRoster([]string{"a", "b"}, "a")}}
	for start, want := range map[int64]int64{100e9: 0, 105e9: 0, 106e9: 0, 107e9: 5e8} {
		a := ds.InWindow(shares, crdt.Key{}, 105e9, start, start, 2e9)
		if got := a.Own(Time{}); got != want {
			t.Errorf("of the window that starts at %d it owns %d, want %d", start, got, want)
		}
	}
}

func TestSharesOfAWindowRiseWithALaterOne(t *testing.T) {
	shares := NewShares(12e9, 0, 100, 1)
	ds := Divisions{{1e9, NewRoster([]string{"a", "b", "c"}, "a")}}.Then(Division{100e9, NewRoster([]string{"a", "b"}, "a")})
	for start, want := range map[int64]int64{90e9: 4e9, 101e9: 4e9, 103e9: 6e9} {
		a := ds.InWindow(shares, crdt.Key{}, 1e9, start, start, 2e9)
		if got := a.Own(Time{}); got != want {
			t.Errorf("of the window that starts at %d it owns %d, want %d", start, got, want)
		}
	}
}
