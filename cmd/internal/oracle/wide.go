package oracle

import (
	"math"
	"math/bits"
)

// wide is a number of 128 bits: units times nanoseconds of a limit's largest values are below
// 2^109.
type wide struct{ high, low uint64 }

func product(a, b uint64) wide {
	high, low := bits.Mul64(a, b)
	return wide{high, low}
}

func (w wide) add(o wide) wide {
	low, carry := bits.Add64(w.low, o.low, 0)
	high, _ := bits.Add64(w.high, o.high, carry)
	return wide{high, low}
}

// less is w minus o, but not below 0.
func (w wide) less(o wide) wide {
	low, borrow := bits.Sub64(w.low, o.low, 0)
	high, below := bits.Sub64(w.high, o.high, borrow)
	if below == 1 {
		return wide{}
	}
	return wide{high, low}
}

func (w wide) above(o wide) bool {
	return w.high > o.high || w.high == o.high && w.low > o.low
}

// over is w / n.
func (w wide) over(n uint64) float64 {
	return (float64(w.high)*math.Exp2(64) + float64(w.low)) / float64(n)
}
