package clock

import (
	"math/rand/v2"
	"sync"
	"testing"
	"time"
)

// machine is a processor whose counter and whose monotonic clock a test sets.
type machine struct {
	ticks uint64
	mono  int64
	per   float64 // ticks a nanosecond
	took  int64   // how long a look takes
	// cores are how far the counters of two cores are ahead, which take turns.
	cores [2]uint64
	turn  int
	n     counter
}

// pass lets time pass.
func (m *machine) pass(d time.Duration) {
	m.mono += int64(d)
	m.ticks += uint64(float64(d) * m.per)
}

// lately is Clock.Lately on the machine, whose clock shows the monotonic time.
func (m *machine) lately() (at int64, told bool) {
	m.turn++
	core := m.cores[m.turn/7%2]
	from := m.n.from.Load()
	if from > looking {
		if at, ok := m.n.tell(from, m.ticks+core); ok {
			return at, true
		}
	}
	if from == untrusted && m.mono < m.n.next.Load() {
		return m.mono, false
	}
	begun, at := m.ticks+core, m.mono
	m.pass(time.Duration(m.took))
	m.n.note(from, begun, m.ticks+core, at, at, true)
	return at, false
}

// trusted is a machine whose counter is trusted.
func trusted(t *testing.T, per float64) *machine {
	m := &machine{ticks: 1 << 40, mono: int64(time.Hour), per: per, took: 50}
	for range 4 {
		m.lately()
		m.pass(soon)
	}
	m.lately()
	if m.pass(span / 2); m.n.from.Load() == untrusted {
		t.Fatal("the counter is not trusted")
	}
	return m
}

// The time that is told is never ahead, and behind by 3 µs at most, however often it is read, for
// counters of any speed, while NTP slews the clock, and over pauses of any length.
func TestLatelyIsAMomentAgo(t *testing.T) {
	for seed, per := range []float64{0.1, 0.5, 1, 2.1, 5, 15} {
		m := trusted(t, per)
		rnd := rand.New(rand.NewPCG(uint64(seed), 0)) //nolint:gosec // an index
		told, last := 0, int64(0)
		for range 200_000 {
			m.pass(time.Duration(rnd.Int64N(int64(10 * time.Microsecond))))
			if rnd.IntN(1000) == 0 {
				m.pass(time.Duration(rnd.Int64N(int64(2 * time.Second))))
				m.per = per * (1 + (rnd.Float64()-0.5)/2000)
			}
			now := m.mono
			at, ok := m.lately()
			if at > now || at < now-3000 {
				t.Fatalf("%v ticks a nanosecond: the time is off by %d ns", per, at-now)
			}
			if at < last {
				t.Fatalf("%v ticks a nanosecond: time stepped back by %d ns", per, last-at)
			}
			if last = at; ok {
				told++
			}
		}
		if told < 180_000 {
			t.Errorf("%v ticks a nanosecond: %d of 200000 readings went by the counter", per, told)
		}
	}
}

// Whatever the counter does, the time that is told is off by no more than a span, and the counter is
// given up within a few looks. It is trusted again when it keeps time again.
func TestACounterThatIsWrongIsGivenUp(t *testing.T) {
	soonest := 20 * time.Millisecond
	for name, c := range map[string]struct {
		change func(*machine)
		within time.Duration
	}{
		"it runs twice as fast": {func(m *machine) { m.per *= 2 }, soonest},
		"it runs half as fast":  {func(m *machine) { m.per /= 2 }, soonest},
		"one part in 250 off":   {func(m *machine) { m.per *= 1.004 }, soonest},
		"one part in 600 off":   {func(m *machine) { m.per *= 1.0017 }, 2 * later},
		"one core is ahead":     {func(m *machine) { m.cores[1] = uint64(m.per * float64(span) / 3) }, soonest},
		"it jumps ahead":        {func(m *machine) { m.ticks += uint64(m.per * float64(time.Minute)) }, soonest},
		"it is set back":        {func(m *machine) { m.ticks -= uint64(m.per * float64(time.Minute)) }, soonest},
		"it begins anew":        {func(m *machine) { m.ticks = 1 }, soonest},
		"it is slow to read":    {func(m *machine) { m.took = 5000 }, soonest},
	} {
		m := trusted(t, 2)
		c.change(m)
		gaveUp := false
		for left := c.within; left > 0; left -= 10 * time.Microsecond {
			m.pass(10 * time.Microsecond)
			now := m.mono
			at, _ := m.lately()
			if d := now - at; d > int64(span)+int64(span)/500+3000 || d < -int64(span) {
				t.Fatalf("%s: the time is behind by %d ns", name, d)
			}
			gaveUp = gaveUp || m.n.from.Load() == untrusted
		}
		if !gaveUp {
			t.Errorf("%s: the counter is trusted all the same", name)
		}
		m.took, m.cores = 50, [2]uint64{}
		for range 5 {
			m.pass(soon)
			m.lately()
		}
		if m.pass(span / 2); m.n.from.Load() == untrusted {
			t.Errorf("%s: the counter is never trusted again", name)
		}
	}
}

// A look that was interrupted between its readings is not gone by, also after a pause in which the
// counter may have drifted by more than that. The next reader looks again.
func TestALookThatWasInterruptedIsNotGoneBy(t *testing.T) {
	m := trusted(t, 2)
	for _, pause := range []time.Duration{2 * span, 2 * later} {
		m.pass(pause)
		m.took = int64(span) / 2
		m.lately()
		m.took = 50
		m.pass(span / 10)
		if at, told := m.lately(); told || at != m.mono-m.took {
			t.Errorf("after %v the look is gone by", pause)
		}
		m.pass(span / 10)
		if _, told := m.lately(); !told {
			t.Errorf("after %v the next look is not gone by", pause)
		}
	}
}

// On the real processor, from many goroutines, while the clock is slowed down and let go: what is
// told is between Now before and Now after, but for the moment.
func TestLatelyOfTheProcessor(t *testing.T) {
	const moment = 10 * time.Microsecond // and what cores differ by
	c := New()
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for end := c.Now() + int64(800*time.Millisecond); ; {
				before := c.Now()
				at := c.Lately()
				after := c.Now()
				if at > after+100 || at < before-int64(moment) {
					t.Errorf("%d ns after %d, %d ns before %d", at-before, before, after-at, after)
					return
				}
				if before > end {
					return
				}
			}
		})
	}
	for i := range 80 {
		mono, _ := c.Mono()
		ahead, slowed := time.Duration(0), i%40 >= 10 && i%40 < 30
		if slowed {
			ahead = 2 * fineSlack
		}
		c.steerBy(mono, c.base.Load().read(mono)-int64(ahead))
		time.Sleep(10 * time.Millisecond)
		if c.Lately(); slowed && c.counter.from.Load() > looking {
			t.Error("the time is told by the counter while the clock is slowed down")
		}
	}
	all.Wait()
}
