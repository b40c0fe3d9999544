package limit

import (
	"sync/atomic"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/gcra"
)

// calendar finds the calendar window of an instant. Every decision asks for one, and most of
// them for the same as the last, so it remembers the windows around that one. Its answers
// depend on its arguments alone. Safe for concurrent use, and wait-free.
type calendar struct {
	periods *gcra.Periods
	last    atomic.Pointer[triple]
}

// calendars are those of one limit's rules. Reading a zone takes half a millisecond, and
// thousands of overrides may share one calendar.
type calendars map[calendarName]*calendar

type calendarName struct {
	window time.Duration
	unit   gcra.Unit
	zone   string
}

// get finds or makes a calendar. The error is that of gcra.NewPeriods.
func (c calendars) get(name calendarName) (*calendar, error) {
	if known := c[name]; known != nil {
		return known, nil
	}
	periods, err := gcra.NewPeriods(name.window, name.unit, name.zone)
	if err != nil {
		return nil, err
	}
	c[name] = &calendar{periods: periods}
	return c[name], nil
}

// triple is three windows in a row: window i lasts from t[i] to t[i+1].
type triple [4]int64

// around is a triple that contains t, and the number of t's window in it.
func (c *calendar) around(t int64) (*triple, int) {
	l := c.last.Load()
	if l == nil || t < l[0] || t >= l[3] {
		l = new(triple)
		l[1], l[2] = c.periods.Start(t), c.periods.End(t)
		l[0], l[3] = c.periods.Start(l[1]-1), c.periods.End(l[2])
		c.last.Store(l)
	}
	switch {
	case t < l[1]:
		return l, 0
	case t < l[2]:
		return l, 1
	}
	return l, 2
}

// start is where t's window starts.
func (c *calendar) start(t int64) int64 {
	l, i := c.around(t)
	return l[i]
}

// end is where t's window ends.
func (c *calendar) end(t int64) int64 {
	l, i := c.around(t)
	return l[i+1]
}
