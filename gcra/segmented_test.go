package gcra_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/gcra"
)

// segmentedClient counts as a caller of Segmented does.
type segmentedClient struct {
	s      *gcra.Segmented
	n      int
	start  int64
	counts []uint64
	log    eventLog
}

func newSegmentedClient(limit, width int64, n int) *segmentedClient {
	return &segmentedClient{
		s: gcra.NewSegmented(gcra.Policy{Limit: limit, Window: time.Duration(width)}, n),
		n: n, counts: make([]uint64, n+1),
	}
}

func (c *segmentedClient) roll(t int64) {
	start := c.s.Start(t)
	age := min((start-c.start)/c.s.Sub(), int64(c.n+1))
	copy(c.counts[age:], c.counts)
	clear(c.counts[:age])
	c.start = start
}

func (c *segmentedClient) take(t, cost int64) bool {
	c.roll(t)
	if !c.s.Admit(c.counts, cost) {
		return false
	}
	c.counts[0] += uint64(cost)
	c.log = append(c.log, event{t, cost})
	return true
}

// span is n+1 sub-windows: how far back something may be counted.
func (c *segmentedClient) span() int64 { return int64(c.n+1) * c.s.Sub() }

// They decide between two sliding logs: nothing passes that the log of the window denies, and
// nothing is denied that the log of n+1 sub-windows lets pass.
func TestSubWindowsDecideBetweenTwoSlidingLogs(t *testing.T) {
	for n := 2; n <= 60; n++ {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			rnd := seeded(t, uint64(1000+n))
			decisions, allowed, spared := 0, 0, 0
			for range 20 {
				limit, width := logUniform(rnd, 1, 1000), logUniform(rnd, int64(time.Millisecond), int64(time.Hour))
				c := newSegmentedClient(limit, width, n)
				if long := c.span() - width; long > c.s.Sub()+int64(n) {
					t.Fatalf("%d sub-windows of %d ns are %d ns longer than %d ns", n+1, c.s.Sub(), long, width)
				}
				at := int64(epoch)
				for range 300 {
					at += gap(rnd, at, [2]int64{width, c.s.Sub()}[rnd.IntN(2)])
					cost := logUniform(rnd, 1, limit)
					lower, upper := c.log.within(at, width), c.log.within(at, c.span())
					decisions++
					switch got := c.take(at, cost); {
					case got && lower+cost > limit:
						t.Fatalf("%d passes with %d of %d within %d ns", cost, lower, limit, width)
					case !got && upper+cost <= limit:
						t.Fatalf("%d is denied with %d of %d within %d ns", cost, upper, limit, c.span())
					case got:
						allowed++
					case lower+cost <= limit:
						spared++
					}
				}
				if most := c.log.most(width); most > limit {
					t.Fatalf("%d within %d ns, the limit is %d", most, width, limit)
				}
			}
			mixed(t, allowed, decisions)
			t.Logf("%d of %d denials would have passed a sliding log", spared, decisions-allowed)
		})
	}
}

// A client that asks without end gets the limit once in n+1 sub-windows: the share
// n/(n+1) of what a sliding log gives it, which grows with n.
func TestMoreSubWindowsAdmitMore(t *testing.T) {
	const limit, width, rounds = 10, int64(time.Minute), 100
	last := int64(0)
	for _, n := range []int{1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30, 60} {
		c := newSegmentedClient(limit, width, n)
		start := epoch - epoch%width
		for at := start; at < start+rounds*width; at += int64(50 * time.Millisecond) {
			c.take(at, 1)
		}
		got := int64(len(c.log))
		share := float64(got) / (rounds * limit)
		ideal := float64(n) / float64(n+1)
		if got <= last {
			t.Errorf("%d sub-windows admit %d, fewer admitted %d", n, got, last)
		}
		if share < ideal || share > ideal+0.02 { // the last span may just have begun
			t.Errorf("%d sub-windows admit %.3f of the limit, want %.3f", n, share, ideal)
		}
		t.Logf("%2d sub-windows: %.1f %% of the limit", n, 100*share)
		last = got
	}
}

func TestSubWindowsCoverTheWindow(t *testing.T) {
	for _, row := range []struct {
		window time.Duration
		n      int
		sub    int64
	}{
		{time.Minute, 60, int64(time.Second)},
		{time.Second, 3, 333_333_334},
		{time.Millisecond, 7, 142_858},
		{gcra.MaxWindow, 1, int64(gcra.MaxWindow)},
	} {
		s := gcra.NewSegmented(gcra.Policy{Limit: 1, Window: row.window}, row.n)
		if got := s.Sub(); got != row.sub {
			t.Errorf("%v in %d: sub-windows of %d ns, want %d", row.window, row.n, got, row.sub)
		}
		for _, at := range []int64{-1, 0, 1, epoch, doomsday} {
			if start := s.Start(at); start%row.sub != 0 || start > at || at-start >= row.sub {
				t.Errorf("%v in %d: %d lies in the sub-window from %d", row.window, row.n, at, start)
			}
		}
	}
}

// What is older than n+1 sub-windows does not count, and fewer may be given.
func TestSubWindowsCountTheNewest(t *testing.T) {
	s := gcra.NewSegmented(gcra.Policy{Limit: 10, Window: time.Minute}, 2)
	for _, row := range []struct {
		counts []uint64
		used   uint64
	}{
		{nil, 0},
		{[]uint64{1, 2}, 3},
		{[]uint64{1, 2, 3, 1000}, 6},
		{[]uint64{1001 << 54, 1001 << 54, 1001 << 54}, 1<<64 - 1},
	} {
		if got := s.Used(row.counts); got != row.used {
			t.Errorf("%v: %d used, want %d", row.counts, got, row.used)
		}
	}
}

func BenchmarkSegmented(b *testing.B) {
	for _, n := range []int{2, 10, 60} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			b.ReportAllocs()
			s := gcra.NewSegmented(gcra.Policy{Limit: 100, Window: time.Minute}, n)
			counts := make([]uint64, n+1)
			counts[n/2] = 50
			for b.Loop() {
				s.Admit(counts, 1)
			}
		})
	}
}
