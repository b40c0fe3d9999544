package gcra_test

// event is an admission.
type event struct{ t, cost int64 }

// eventLog is a sliding log: every admission, kept. It is what the algorithms of windows
// are measured by.
type eventLog []event

// within is what was admitted in (t-width, t].
func (l eventLog) within(t, width int64) int64 {
	var sum int64
	for i := len(l) - 1; i >= 0 && l[i].t > t-width; i-- {
		if l[i].t <= t {
			sum += l[i].cost
		}
	}
	return sum
}

// between is what was admitted in [from, to).
func (l eventLog) between(from, to int64) int64 { return l.within(to-1, to-from) }

// most is the most that was admitted in any trailing window of that width. It is held
// by one that ends with an admission.
func (l eventLog) most(width int64) int64 {
	var most, sum int64
	first := 0
	for _, e := range l {
		sum += e.cost
		for l[first].t <= e.t-width {
			sum -= l[first].cost
			first++
		}
		most = max(most, sum)
	}
	return most
}
