package clock

import (
	"math/rand/v2"
	"sync"
	"testing"
	"time"
)

// twoClocks are a wall and a monotonic clock in the hands of a test.
type twoClocks struct {
	*Clock
	t          *testing.T
	mono, wall int64
	last       int64
}

func newTwoClocks(t *testing.T) *twoClocks {
	c := New()
	at := c.base.Load().at
	return &twoClocks{Clock: c, t: t, wall: at, last: at}
}

// pass lets time pass on both clocks, with a reading every ms and a Steer every
// second, and fails the test on a step back.
func (c *twoClocks) pass(d time.Duration) (ahead time.Duration) {
	c.t.Helper()
	for range d / time.Millisecond {
		c.mono += int64(time.Millisecond)
		c.wall += int64(time.Millisecond)
		c.read()
		if c.mono%int64(time.Second) == 0 {
			ahead = c.steerBy(c.mono, c.wall)
			c.read()
		}
	}
	return ahead
}

func (c *twoClocks) read() int64 {
	c.t.Helper()
	now := c.base.Load().read(c.mono)
	if now < c.last {
		c.t.Fatalf("time stepped back by %v", time.Duration(c.last-now))
	}
	c.last = now
	return now
}

// off is how far our time is ahead of the wall.
func (c *twoClocks) off() time.Duration { return time.Duration(c.read() - c.wall) }

func TestClockFollowsAWallThatIsSetAhead(t *testing.T) {
	for _, step := range []time.Duration{time.Microsecond, 50 * time.Millisecond, time.Second, 24 * time.Hour} {
		c := newTwoClocks(t)
		c.pass(5 * time.Second)
		c.wall += int64(step)
		c.pass(time.Second)
		if got := c.off(); got != 0 {
			t.Errorf("%v after a step of %v ahead", got, step)
		}
	}
}

// A suspended machine's monotonic clock stands still while the wall goes on.
func TestClockCountsTheTimeOfASuspend(t *testing.T) {
	c := newTwoClocks(t)
	c.pass(1500 * time.Millisecond)
	before := c.read()
	c.wall += int64(8 * time.Hour)
	c.pass(time.Second)
	if got := time.Duration(c.read() - before); got != 8*time.Hour+time.Second {
		t.Errorf("%v passed", got)
	}
}

// While it is ahead, our time runs at nine tenths: a step of d back is made good
// after ten times d.
func TestClockSlowsDownForAWallThatIsSetBack(t *testing.T) {
	const step = 2 * time.Second
	c := newTwoClocks(t)
	c.pass(5 * time.Second)
	c.wall -= int64(step)
	c.pass(time.Second + slowLead)
	began, at := c.read(), c.mono
	c.pass(5 * time.Second)
	if ran, passed := c.read()-began, c.mono-at; ran != passed-passed/slowBy {
		t.Errorf("ran %v in %v", time.Duration(ran), time.Duration(passed))
	}
	c.pass(slowBy*step - 8*time.Second)
	if c.off() == 0 {
		t.Error("faster than stated")
	}
	c.pass(5 * time.Second)
	if got := c.off(); got > fineSlack || got < 0 {
		t.Errorf("%v off after ten times the step", got)
	}
	if c.base.Load().slow {
		t.Error("still slow")
	}
}

func TestClockReportsHowFarItIsAhead(t *testing.T) {
	c := newTwoClocks(t)
	c.pass(time.Second)
	c.wall -= int64(3 * time.Second)
	if got := c.pass(time.Second); got != 3*time.Second {
		t.Errorf("ahead by %v", got)
	}
}

// Whatever the wall does, and whenever Steer is called, no reading is less than one
// before: pass checks it.
func TestClockNeverStepsBack(t *testing.T) {
	for seed := range uint64(20) {
		rnd := rand.New(rand.NewPCG(seed, 0))
		c := newTwoClocks(t)
		for range 100 {
			switch rnd.IntN(3) {
			case 0:
				c.wall += rnd.Int64N(2e9) - 1e9
			case 1:
				c.mono += rnd.Int64N(5e7)
				c.steerBy(c.mono, c.wall)
			default:
			}
			c.pass(time.Duration(rnd.Int64N(1500)) * time.Millisecond)
		}
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

// The same with real clocks, readers beside the one who steers, and a wall that jumps.
func TestClockNeverStepsBackForConcurrentReaders(t *testing.T) {
	c := New()
	var readers sync.WaitGroup
	stop := make(chan struct{})
	for range 4 {
		readers.Go(func() {
			last := c.Now()
			for {
				select {
				case <-stop:
					return
				default:
				}
				now := c.Now()
				if now < last {
					t.Errorf("stepped back by %v", time.Duration(last-now))
					return
				}
				last = now
			}
		})
	}
	rnd := rand.New(rand.NewPCG(1, 1))
	for range 2000 {
		wall := time.Now()
		c.steerBy(int64(wall.Sub(c.epoch)), wall.UnixNano()+rnd.Int64N(3e6)-2e6)
	}
	close(stop)
	readers.Wait()
}

func TestRatchetHoldsAClockThatStepsBack(t *testing.T) {
	at := time.Unix(1_900_000_000, 0)
	now := Ratchet(func() time.Time { return at })
	first := now()
	at = at.Add(-time.Hour)
	if got := now(); got != first {
		t.Errorf("%d after a step back from %d", got, first)
	}
	at = at.Add(time.Hour + 1)
	if got := now(); got != first+1 {
		t.Errorf("%d, want one nanosecond later than %d", got, first)
	}
}

// A wall clock beyond what the arithmetic holds is nobody's time.
func TestNoClockFollowsAWallBeyondTheLatestInstant(t *testing.T) {
	c := newTwoClocks(t)
	c.pass(time.Second)
	before := c.read()
	c.wall = Latest + int64(time.Hour)
	c.pass(3 * time.Second)
	if got := time.Duration(c.read() - before); got != 3*time.Second {
		t.Errorf("%v passed in 3 s", got)
	}
	at := time.Unix(1_900_000_000, 0)
	now := Ratchet(func() time.Time { return at })
	first := now()
	at = time.Unix(0, Latest+1)
	if got := now(); got != first {
		t.Errorf("%d after a wall of %v", got, at)
	}
}

// While a change of speed is decided and has not taken effect, the clock reads by the speed
// before: no reading is off the line on which it runs.
func TestClockChangesItsSpeedWhenTheChangeTakesEffect(t *testing.T) {
	for _, slow := range []bool{false, true} {
		old := &base{at: 1e18, slow: !slow}
		from := int64(slowLead)
		next := &base{from: from, at: old.read(from), slow: slow, before: old}
		for mono := int64(0); mono <= from; mono += int64(time.Millisecond) {
			if got, want := next.read(mono), old.read(mono); got != want {
				t.Fatalf("off by %v, %v before the change", time.Duration(got-want), time.Duration(from-mono))
			}
		}
	}
}

// What a jump ahead adds is told apart, so that Now less it advances as the monotonic clock does
// at most.
func TestClockTellsByHowMuchItJumped(t *testing.T) {
	c := newTwoClocks(t)
	c.pass(3 * time.Second)
	began := c.read() - c.Jumped()
	for i, step := range []time.Duration{50 * time.Millisecond, -300 * time.Millisecond, 8 * time.Hour, time.Second} {
		before := c.mono
		c.wall += int64(step)
		c.pass(10 * time.Second)
		steady := c.read() - c.Jumped()
		if most := c.mono - before; steady-began > most {
			t.Errorf("step %d: %v passed while %v did", i, time.Duration(steady-began), time.Duration(most))
		}
		began = steady
	}
	if got := time.Duration(c.Jumped()); got < 8*time.Hour {
		t.Errorf("jumped by %v", got)
	}
}
