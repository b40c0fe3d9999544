package bench

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Rate is a number of requests per second. It is a flag.Value. 0 stands for max: each worker
// sends the next request when it has the answer to the last one.
type Rate float64

// String implements flag.Value.
func (r Rate) String() string {
	if r == 0 {
		return "max"
	}
	return strconv.FormatFloat(float64(r), 'f', -1, 64)
}

// Set implements flag.Value.
func (r *Rate) Set(text string) error {
	if text == "max" {
		*r = 0
		return nil
	}
	n, err := strconv.ParseFloat(strings.TrimSuffix(text, "/s"), 64)
	if err != nil || !(n > 0 && n <= MaxRate) {
		return fmt.Errorf("must be max, or a number of requests per second above 0 and at most %d", MaxRate)
	}
	*r = Rate(n)
	return nil
}

// Ramp is how the rate changes over time. It is a flag.Value: "10s=5000,20s=5000,20s=100" goes
// from the first rate to 5000 within ten seconds, stays there for ten, and drops to 100.
type Ramp []Turn

// Turn is a time at which a ramp has a rate.
type Turn struct {
	At   time.Duration `json:"at"`
	Rate float64       `json:"rate"`
}

// MaxTurns caps the turns of a ramp. Finding the time of a request takes time with each: raising
// it slows the load's own clock down, lowering it allows coarser ramps only.
const MaxTurns = 100

// String implements flag.Value.
func (r Ramp) String() string {
	var turns []string
	for _, t := range r {
		turns = append(turns, fmt.Sprintf("%v=%v", t.At, Rate(t.Rate)))
	}
	return strings.Join(turns, ",")
}

// Set implements flag.Value.
func (r *Ramp) Set(text string) error {
	wrong := errors.New("must be times and rates such as 10s=5000,30s=100, the times in order")
	var all Ramp
	for turn := range strings.SplitSeq(text, ",") {
		at, rate, two := strings.Cut(turn, "=")
		d, err1 := time.ParseDuration(at)
		n, err2 := strconv.ParseFloat(rate, 64)
		if !two || err1 != nil || err2 != nil || d < 0 || !(n >= 0 && n <= MaxRate) {
			return wrong
		}
		if len(all) > 0 && d < all[len(all)-1].At || len(all) == MaxTurns {
			return wrong
		}
		all = append(all, Turn{d, n})
	}
	*r = all
	return nil
}

// profile is the rate over time as straight pieces, each with the requests that are due before
// it.
type profile []piece

type piece struct {
	from, length float64 // seconds
	first, last  float64 // rates at its ends
	before       float64 // requests that are due before it
}

// profile is nil for a load without a rate.
func (c *Config) profile() profile {
	if c.Rate == 0 {
		return nil
	}
	var p profile
	at, rate, sum := 0.0, float64(c.Rate), 0.0
	add := func(to, next float64) {
		if to > at {
			p = append(p, piece{at, to - at, rate, next, sum})
			sum += (to - at) * (rate + next) / 2
		}
		at, rate = max(at, to), next
	}
	for _, t := range c.Ramp {
		add(t.At.Seconds(), t.Rate)
	}
	add(math.Max(at, c.Duration.Seconds())+1, rate) // so that some piece holds the end of the load
	return p
}

// due is the time after the start at which request n is due.
func (p profile) due(n int64) time.Duration {
	i := len(p) - 1
	for i > 0 && p[i].before > float64(n) {
		i--
	}
	s := &p[i]
	left := float64(n) - s.before
	// left = first·t + slope·t²/2, solved for t in the form that is exact for a slope near 0.
	slope := (s.last - s.first) / s.length
	root := s.first + math.Sqrt(max(0, s.first*s.first+2*slope*left))
	if root == 0 {
		return time.Duration(s.from * 1e9)
	}
	return time.Duration((s.from + 2*left/root) * 1e9)
}

// within is the number of requests that are due within d.
func (p profile) within(d time.Duration) int64 {
	sum, end := 0.0, d.Seconds()
	for _, s := range p {
		if t := min(end-s.from, s.length); t > 0 {
			sum += s.first*t + (s.last-s.first)/s.length*t*t/2
		}
	}
	return int64(sum + 1e-6) // 3 s at 0.1/s are 0.3000000000000000444 requests
}
