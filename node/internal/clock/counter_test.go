package clock

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// machine is a processor whose counter and whose monotonic clock a test sets.
type machine struct {
	counter uint64
	mono    int64
	per     float64 // ticks a nanosecond
	part    float64 // of a tick has passed beyond counter
	took    int64   // how long it takes to read the monotonic clock
	slow    bool    // the clock is slower than the monotonic one, or will be
	set     int64   // by how much the clock was set ahead
	// cores are how far the counters of two cores are ahead, which take turns.
	cores [2]uint64
	turn  int
	n     counter
	// meanwhile, unless it is nil, is what others do while one reader is suspended, which is wherever it
	// asks for something.
	meanwhile func()
}

// suspend lets others go on.
func (m *machine) suspend() {
	if others := m.meanwhile; others != nil {
		m.meanwhile = nil // of whom none is suspended
		others()
		m.meanwhile = others
	}
}

// pass lets time pass.
func (m *machine) pass(d time.Duration) {
	m.mono += int64(d)
	m.part += float64(d) * m.per
	whole := uint64(m.part)
	m.counter, m.part = m.counter+whole, m.part-float64(whole)
}

func (m *machine) ticks() uint64 {
	m.suspend()
	return m.counter + m.cores[m.turn/7%2]
}

func (m *machine) passed() int64 {
	m.suspend()
	at := m.mono
	m.pass(time.Duration(m.took))
	return at
}

func (m *machine) show(mono int64) (at int64, steady bool) {
	m.suspend()
	return mono + m.set, !m.slow
}

// now is Clock.Now on the machine, and whether it went by the last look.
func (m *machine) now() (at int64, told bool) {
	m.turn++
	if l := m.n.last.Load(); l != nil {
		if at, ok := l.tell(m.ticks()); ok {
			return at, true
		}
	}
	return m.n.read(m, false), false
}

// trusted is a machine whose counter is trusted.
func trusted(t *testing.T, per float64) *machine {
	m := &machine{counter: 1 << 40, mono: int64(time.Hour), per: per, took: 50}
	for range 4 {
		m.now()
		m.pass(soon)
	}
	m.now()
	if m.pass(span / 2); !m.n.trusted {
		t.Fatal("the counter is not trusted")
	}
	return m
}

// The time that is told is never ahead, and behind by 3 µs at most, however often it is read, for
// counters of any speed, while NTP slews the clock, and over pauses of any length.
func TestNowByTheCounterIsAMomentAgo(t *testing.T) {
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
			at, ok := m.now()
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
		within time.Duration // it is given up
	}{
		"it runs twice as fast":  {func(m *machine) { m.per *= 2 }, soonest},
		"it runs half as fast":   {func(m *machine) { m.per /= 2 }, soonest},
		"one part in 250 off":    {func(m *machine) { m.per *= 1.004 }, soonest},
		"one part in 600 off":    {func(m *machine) { m.per *= 1.0017 }, 2 * later},
		"one core is ahead":      {func(m *machine) { m.cores[1] = uint64(m.per * float64(span) / 3) }, soonest},
		"it jumps ahead":         {func(m *machine) { m.counter += uint64(m.per * float64(time.Minute)) }, soonest},
		"it is set back":         {func(m *machine) { m.counter -= uint64(m.per * float64(time.Minute)) }, soonest},
		"it begins anew":         {func(m *machine) { m.counter = 1 }, soonest},
		"it is slow to read":     {func(m *machine) { m.took = 5000 }, soonest},
		"it nearly stands still": {func(m *machine) { m.per = 1e-9 }, 2 * later},
	} {
		m := trusted(t, 2)
		c.change(m)
		gaveUp := false
		for left := c.within; left > 0; left -= 10 * time.Microsecond {
			m.pass(10 * time.Microsecond)
			if left%later == 0 { // as Steer does
				m.n.read(m, true)
			}
			now := m.mono
			at, _ := m.now()
			if m.per < 1e-6 {
				now = at // it is behind until Steer's look
			}
			if d := now - at; d > int64(span)+int64(span)/500+3000 || d < -int64(span) {
				t.Fatalf("%s: the time is behind by %d ns", name, d)
			}
			gaveUp = gaveUp || !m.n.trusted
		}
		if !gaveUp {
			t.Errorf("%s: the counter is trusted all the same", name)
		}
		m.took, m.cores, m.per = 50, [2]uint64{}, max(m.per, 1)
		for range 5 {
			m.pass(soon)
			m.now()
		}
		if m.pass(span / 2); !m.n.trusted {
			t.Errorf("%s: the counter is never trusted again", name)
		}
	}
}

// Cores that differ by some ticks do not cost the counter its trust.
func TestCoresMayDifferABit(t *testing.T) {
	m := trusted(t, 2)
	m.cores[1] = ^uint64(0) - 20 // it is behind
	for range 10_000 {
		m.pass(777 * time.Nanosecond)
		if m.now(); !m.n.trusted {
			t.Fatal("the counter is given up")
		}
	}
}

// Two readers that find the counter to be measured at once do not spoil the measurement.
func TestTwoLooksInARowMeasureOnce(t *testing.T) {
	m := &machine{counter: 1 << 40, mono: int64(time.Hour), per: 2.13, took: 50}
	for range 6 {
		for _, m.took = range []int64{50, 130} {
			m.n.next.Store(0)
			m.n.read(m, false)
		}
		m.pass(soon)
	}
	if !m.n.trusted {
		t.Error("the counter is not trusted")
	}
}

// While somebody looks, nobody is told an earlier time than others before. That holds for a counter
// that is as much too fast as it may be.
func TestTimeGoesOnWhileSomebodyLooks(t *testing.T) {
	m := trusted(t, 2)
	m.per *= 1.0009
	for told := true; told; _, told = m.now() {
		m.pass(span / 10)
	}
	last := int64(0)
	for {
		at, told := m.now()
		if at < last {
			t.Fatalf("time stepped back by %d ns", last-at)
		}
		if last = at; !told && m.counter-m.n.last.Load().from.Load() > 2*m.n.last.Load().good.Load() {
			return
		}
		m.pass(100)
		m.n.busy.Store(true)
	}
}

// Whatever happens to looks at a counter that keeps time, nobody is told an earlier time than those
// before, none is ahead, and none is further behind than said. Readers are suspended anywhere in a
// look, and others read the time then, and set the clock.
func TestTimeNeverStepsBackWhateverLooksMeet(t *testing.T) {
	for seed := range uint64(1000) {
		m := trusted(t, 2.13)
		rnd := rand.New(rand.NewPCG(seed, 1))
		last, set := int64(0), int64(0)
		slews, back := seed%2 == 1, int64(1) // what rounding does
		if slews {                           // a look may have a lower rate than the last one
			back = int64(exact)
		}
		read := func() {
			begun, before := last, m.mono+m.set
			at, _ := m.now()
			if after := m.mono + m.set; at < begun-back || at > after || at < before-int64(behind+jump) {
				t.Fatalf("seed %d: %d ns after what was told, %d ns ahead, %d ns behind", seed, at-begun, at-after, before-at)
			}
			last = max(last, at) // also what others were told meanwhile
		}
		pass := func() {
			pauses := []time.Duration{300, 300, 300, 300, 300, 3000, span / 2, 3 * span, later}
			m.pass(time.Duration(rnd.Int64N(int64(pauses[rnd.IntN(len(pauses))]))))
		}
		others := func() {
			if rnd.IntN(4) == 0 {
				pass()
			}
			for range rnd.IntN(3) {
				read()
			}
		}
		for range 3000 {
			pass()
			switch rnd.IntN(40) {
			case 0:
				m.slow = !m.slow
			case 1:
				m.took = []int64{50, 400, 700, 5 * int64(span)}[rnd.IntN(4)]
			case 2:
				if m.mono-set > int64(later) { // the clock is set once a second at most
					set = m.mono
					m.n.hold()
					ahead := rnd.Int64N(2 * int64(jump))
					m.set += ahead
					m.n.release(ahead > int64(jump))
				}
			case 3:
				m.meanwhile = others
				m.n.read(m, true)
			case 4:
				if slews {
					m.per = 2.13 * (1 + (rnd.Float64()-0.5)/2000)
				}
			}
			m.meanwhile = others
			read()
			m.meanwhile = nil
		}
	}
}

// A clock that is set ahead shows that to all, though a look was good for longer.
func TestAClockThatIsSetAheadIsFollowedAtOnce(t *testing.T) {
	c := New()
	for end := c.Now() + int64(100*time.Millisecond); c.Now() < end; {
		continue
	}
	mono := c.passed()
	c.steerBy(mono, c.base.Load().read(mono)+int64(time.Hour))
	if at, _ := c.show(mono); c.Now() < at-int64(behind) {
		t.Errorf("the time is %v behind", time.Duration(at-c.Now()))
	}
}

// A look that was interrupted between its readings is not gone by, also after a pause in which the
// counter may have drifted by more than that. The next reader looks again.
func TestALookThatWasInterruptedIsNotGoneBy(t *testing.T) {
	m := trusted(t, 2)
	for _, pause := range []time.Duration{2 * span, 2 * later} {
		m.pass(pause)
		m.took = int64(span) / 2
		m.now()
		m.took = 50
		m.pass(span / 10)
		if at, told := m.now(); told || at != m.mono-m.took {
			t.Errorf("after %v the look is gone by", pause)
		}
		m.pass(span / 10)
		if _, told := m.now(); !told {
			t.Errorf("after %v the next look is not gone by", pause)
		}
	}
}

// Nobody is told an earlier time than anybody before, from many goroutines that tell each other,
// while the clock is slowed down and let go. All are told what the monotonic clock says, but for the moment.
func TestNowOfTheProcessorNeverStepsBack(t *testing.T) {
	const moment, cores = 10 * time.Microsecond, int64(2 * exact) // by which trusted cores may differ
	c := New()
	var told atomic.Int64
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for end := c.Now() + int64(800*time.Millisecond); ; {
				before, _ := c.show(c.passed())
				least := told.Load()
				c.ticks() // is a fence: Now is none
				at := c.Now()
				after, _ := c.show(c.passed())
				if at < least-cores || at > after+cores || at < before-int64(moment) {
					t.Errorf("%d, %d after what was told, %d after %d, %d before %d", at, at-least, at-before, before, after-at, after)
					return
				}
				for told.Load() < at {
					told.CompareAndSwap(told.Load(), max(at, told.Load()))
				}
				if before > end {
					return
				}
			}
		})
	}
	for i := range 80 {
		mono := c.passed()
		ahead, slowed := time.Duration(0), i%40 >= 10 && i%40 < 30
		if slowed {
			ahead = 2 * fineSlack
		}
		c.steerBy(mono, c.base.Load().read(mono)-int64(ahead))
		time.Sleep(10 * time.Millisecond)
		if l := c.counter.last.Load(); slowed && l != nil {
			if _, ok := l.tell(c.ticks()); ok {
				t.Error("the time is told by the counter while the clock is slowed down")
			}
		}
	}
	all.Wait()
}
