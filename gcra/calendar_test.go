package gcra_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/gcra"
)

// zones are ordinary ones, and those whose clocks do what one would not expect: half
// an hour of summer time, changes at midnight or a minute after, dates left out.
var zones = []string{
	"UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "America/Sao_Paulo", "Pacific/Apia",
	"Pacific/Kwajalein", "America/St_Johns", "Antarctica/Casey", "Antarctica/Troll", "Asia/Beirut", "Africa/Casablanca",
}

func periods(t testing.TB, window time.Duration, unit gcra.Unit, zone string) *gcra.Periods {
	t.Helper()
	p, err := gcra.NewPeriods(window, unit, zone)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// midnight is the first minute at which clocks in the zone show the date's midnight or
// a later time: found by looking at them, minute by minute, where they change nearby.
func midnight(year int, month time.Month, date int, zone *time.Location) time.Time {
	at := time.Date(year, month, date, 0, 0, 0, 0, zone)
	_, before := at.Add(-26 * time.Hour).Zone()
	_, after := at.Add(26 * time.Hour).Zone()
	if before == after {
		return at
	}
	wanted := time.Date(year, month, date, 0, 0, 0, 0, time.UTC)
	for at = at.Add(-26 * time.Hour); ; at = at.Add(time.Minute) {
		_, offset := at.Zone()
		if shown := at.Add(time.Duration(offset) * time.Second); !shown.Before(wanted) {
			return at
		}
	}
}

// calendarWindow is the window that contains t: of the dates that begin a window the
// last one whose midnight is over. None is more than a year and a day before t.
func calendarWindow(t time.Time, unit gcra.Unit) (start, end time.Time) {
	year, month, date := t.AddDate(0, 0, 1).Date() // its midnight may have come already
	begins := func(back int) time.Time {
		switch unit {
		case gcra.Day:
			return midnight(year, month, date-back, t.Location())
		case gcra.Week:
			monday := time.Date(year, month, date, 12, 0, 0, 0, time.UTC)
			for monday.Weekday() != time.Monday {
				monday = monday.AddDate(0, 0, -1)
			}
			return midnight(monday.Year(), monday.Month(), monday.Day()-7*back, t.Location())
		case gcra.Month:
			return midnight(year, month-time.Month(back), 1, t.Location())
		}
		return midnight(year-back, time.January, 1, t.Location())
	}
	back := 0
	for begins(back).After(t) {
		back++
	}
	return begins(back), begins(back - 1)
}

func TestWindowsAreThoseOfTheCalendar(t *testing.T) {
	from, to := int64(0), time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC).UnixNano()
	for i, zone := range zones {
		location, err := time.LoadLocation(zone)
		if err != nil {
			t.Fatal(err)
		}
		for _, unit := range []gcra.Unit{gcra.Day, gcra.Week, gcra.Month, gcra.Year} {
			t.Run(fmt.Sprintf("%v in %s", unit, zone), func(t *testing.T) {
				p := periods(t, 0, unit, zone)
				rnd := seeded(t, uint64(100*i)+uint64(unit))
				for range 400 {
					at := nearMidnight(rnd, from+rnd.Int64N(to-from), location)
					start, end := calendarWindow(time.Unix(0, at).In(location), unit)
					if got := p.Start(at); got != start.UnixNano() {
						t.Fatalf("%v: starts at %v, want %v", time.Unix(0, at).In(location), time.Unix(0, got).In(location), start)
					}
					if got := p.End(at); got != end.UnixNano() {
						t.Fatalf("%v: ends at %v, want %v", time.Unix(0, at).In(location), time.Unix(0, got).In(location), end)
					}
				}
			})
		}
	}
}

// nearMidnight moves most instants to a few hours around a change of the zone's clocks,
// or to the end or the beginning of a month.
func nearMidnight(rnd *rand.Rand, at int64, zone *time.Location) int64 {
	t := time.Unix(0, at).In(zone)
	switch rnd.IntN(4) {
	case 0:
		return at
	case 1:
		year, month, _ := t.Date()
		t = time.Date(year, month, 1, 0, 0, 0, 0, zone)
	default:
		if change, _ := t.ZoneBounds(); !change.IsZero() && change.Year() >= 1970 {
			t = change
		}
	}
	return max(0, t.UnixNano()+rnd.Int64N(int64(50*time.Hour))-int64(25*time.Hour))
}

// anyPeriods draws windows of every kind.
func anyPeriods(t *rapid.T) *gcra.Periods {
	var p *gcra.Periods
	var err error
	switch rapid.SampledFrom([]string{"below a day", "a unit", "a zone"}).Draw(t, "kind") {
	case "below a day":
		parts := rapid.SampledFrom([]int64{1, 2, 3, 5, 24, 96, 1440, 17_280, 57_600, 86_400}).Draw(t, "parts of a day")
		p, err = gcra.NewPeriods(day/time.Duration(parts), gcra.NoUnit, "")
	case "a unit":
		p, err = gcra.NewPeriods(0, gcra.Unit(rapid.IntRange(1, 7).Draw(t, "unit")), "UTC")
	default:
		p, err = gcra.NewPeriods(0, gcra.Unit(rapid.IntRange(4, 7).Draw(t, "unit")), rapid.SampledFrom(zones).Draw(t, "zone"))
	}
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestWindowsFollowEachOther(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := anyPeriods(t)
		at := rapid.Int64Range(0, gcra.Forever).Draw(t, "at")
		start, end := p.Start(at), p.End(at)
		if start > at || at >= end {
			t.Fatalf("%d lies outside its window from %d to %d", at, start, end)
		}
		if got := p.Start(start); got != start {
			t.Fatalf("the window that starts at %d starts at %d", start, got)
		}
		if got := p.End(start - 1); got != start {
			t.Fatalf("the window before the one from %d ends at %d", start, got)
		}
		if got := p.Start(end); got != end {
			t.Fatalf("the window after the one to %d starts at %d", end, got)
		}
		if got := p.Start(end - 1); got != start {
			t.Fatalf("the window from %d starts at %d for its last instant", start, got)
		}
		between := rapid.Int64Range(start, end-1).Draw(t, "between")
		if p.Start(between) != start || p.End(between) != end {
			t.Fatalf("%d lies from %d to %d, but in the window from %d to %d", between, start, end, p.Start(between), p.End(between))
		}
	})
}

// All windows since 1995 in every zone of the list, not a sample. A year may be longer
// than Longest, which is a policy's longest window, but no more than clocks are set back.
func TestWindowsAreAsLongAsSaid(t *testing.T) {
	since, until := time.Date(1995, 1, 1, 0, 0, 0, 0, time.UTC).UnixNano(), time.Date(2040, 1, 1, 0, 0, 0, 0, time.UTC).UnixNano()
	for _, zone := range zones {
		for _, unit := range []gcra.Unit{gcra.Day, gcra.Week, gcra.Month, gcra.Year} {
			p := periods(t, 0, unit, zone)
			longest := p.Longest()
			if unit == gcra.Year {
				longest += 3 * time.Hour
			}
			for at := p.End(since); at < until; at = p.End(at) {
				if wide := time.Duration(p.End(at) - at); wide < p.Shortest() || wide > longest {
					t.Errorf("%v in %s, %v: %v long, said to be %v to %v", unit, zone, time.Unix(0, at).UTC(), wide, p.Shortest(), p.Longest())
				}
			}
		}
	}
}

func TestDaysOnWhichClocksChange(t *testing.T) {
	for _, row := range []struct {
		zone, within string // an instant of the day, UTC
		start, end   string
		why          string
	}{
		{"Europe/Berlin", "2025-03-30T12:00:00Z", "2025-03-29T23:00:00Z", "2025-03-30T22:00:00Z", "23 h"},
		{"Europe/Berlin", "2025-10-26T12:00:00Z", "2025-10-25T22:00:00Z", "2025-10-26T23:00:00Z", "25 h"},
		{"Australia/Lord_Howe", "2025-10-05T00:00:00Z", "2025-10-04T13:30:00Z", "2025-10-05T13:00:00Z", "23 h 30 min"},
		{"Australia/Lord_Howe", "2025-04-06T00:00:00Z", "2025-04-05T13:00:00Z", "2025-04-06T13:30:00Z", "24 h 30 min"},
		{"America/Sao_Paulo", "2018-11-04T12:00:00Z", "2018-11-04T03:00:00Z", "2018-11-05T02:00:00Z", "midnight did not exist: the day began at 01:00"},
		{"America/Sao_Paulo", "2018-02-18T02:30:00Z", "2018-02-17T02:00:00Z", "2018-02-18T03:00:00Z", "at midnight clocks went back to 23:00"},
		{"America/St_Johns", "2006-10-29T03:00:00Z", "2006-10-29T02:30:00Z", "2006-10-30T03:30:00Z", "at 00:01 clocks went back to 23:01: midnight came twice"},
		{"Pacific/Apia", "2011-12-30T05:00:00Z", "2011-12-29T10:00:00Z", "2011-12-30T10:00:00Z", "the 29th, before the date that was left out"},
		{"Pacific/Apia", "2011-12-30T15:00:00Z", "2011-12-30T10:00:00Z", "2011-12-31T10:00:00Z", "the 31st, after it"},
	} {
		t.Run(row.zone+" "+row.within, func(t *testing.T) {
			p := periods(t, 0, gcra.Day, row.zone)
			at := instant(t, row.within)
			got := [2]string{written(p.Start(at)), written(p.End(at))}
			if want := [2]string{row.start, row.end}; got != want {
				t.Errorf("%s: got %v, want %v", row.why, got, want)
			}
		})
	}
}

func instant(t *testing.T, text string) int64 {
	t.Helper()
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatal(err)
	}
	return at.UnixNano()
}

func written(at int64) string { return time.Unix(0, at).UTC().Format(time.RFC3339) }

func TestPeriodsAreValidated(t *testing.T) {
	for _, row := range []struct {
		window time.Duration
		unit   gcra.Unit
		zone   string
		faults []string // "field value: what the reason mentions"
	}{
		// Valid: one of the two, and a zone from a day on.
		{time.Second, gcra.NoUnit, "", nil},
		{90 * time.Second, gcra.NoUnit, "UTC", nil},
		{1500 * time.Millisecond, gcra.NoUnit, "", nil},
		{24 * time.Hour, gcra.NoUnit, "Europe/Berlin", nil},
		{168 * time.Hour, gcra.NoUnit, "Asia/Kolkata", nil},
		{0, gcra.Second, "", nil},
		{0, gcra.Hour, "UTC", nil},
		{0, gcra.Month, "America/Sao_Paulo", nil},
		{0, gcra.Year, "", nil},

		// Windows.
		{0, gcra.NoUnit, "", []string{"window 0s: calendar"}},
		{-time.Second, gcra.NoUnit, "", []string{"window -1s: at least 1s"}},
		{time.Second - 1, gcra.NoUnit, "", []string{"window 999.999999ms: at least 1s"}},
		{7 * time.Minute, gcra.NoUnit, "", []string{"window 7m0s: 6m40s and 7m12s"}},
		{time.Second + 1, gcra.NoUnit, "", []string{"window 1.000000001s: 1s and 2s"}},
		{13 * time.Hour, gcra.NoUnit, "", []string{"window 13h0m0s: 12h0m0s and 24h0m0s"}},
		{48 * time.Hour, gcra.NoUnit, "", []string{"window 48h0m0s: 24h or 168h"}},
		{720 * time.Hour, gcra.NoUnit, "", []string{"window 720h0m0s: calendar month"}},
		{8760 * time.Hour, gcra.NoUnit, "", []string{"window 8760h0m0s: calendar year"}},
		{1 << 62, gcra.NoUnit, "", []string{"window 1281023h53m38.427387904s: calendar year"}},

		// Units.
		{time.Hour, gcra.Hour, "", []string{"window hour: one of them"}},
		{0, gcra.Year + 1, "", []string{"window unknown: month or year"}},

		// Zones.
		{0, gcra.Day, "Berlin", []string{`time_zone "Berlin": Europe/Berlin`}},
		{0, gcra.Day, "Local", []string{`time_zone "Local": another machine`}},
		{0, gcra.Day, "local", []string{`time_zone "local": another machine`}},
		{0, gcra.Day, "localtime", []string{`time_zone "localtime": another machine`}},
		{0, gcra.Day, "posixrules", []string{`time_zone "posixrules": another machine`}},
		{0, gcra.Month, "right/Europe/Berlin", []string{`time_zone "right/Europe/Berlin": another machine`}},
		{0, gcra.Day, "Right/UTC", []string{`time_zone "Right/UTC": another machine`}},
		{0, gcra.Day, "posix/Europe/Berlin", []string{`time_zone "posix/Europe/Berlin": another machine`}},
		{0, gcra.Day, "../etc/passwd", []string{`time_zone "../etc/passwd": IANA`}},
		{0, gcra.Hour, "Europe/Berlin", []string{`time_zone "Europe/Berlin": below a day`}},
		{time.Hour, gcra.NoUnit, "Europe/Berlin", []string{`time_zone "Europe/Berlin": below a day`}},

		// Several at once.
		{7 * time.Minute, gcra.NoUnit, "Mars", []string{"window 7m0s: evenly", `time_zone "Mars": IANA`}},
		{7 * time.Minute, gcra.NoUnit, "Europe/Berlin", []string{"window 7m0s: evenly", `time_zone "Europe/Berlin": below a day`}},
		{time.Hour, gcra.Month, "Local", []string{"window month: leave", `time_zone "Local": IANA`}},
	} {
		t.Run(fmt.Sprintf("%v %v %s", row.window, row.unit, row.zone), func(t *testing.T) {
			p, err := gcra.NewPeriods(row.window, row.unit, row.zone)
			checkFaults(t, err, row.faults)
			if (p == nil) != (err != nil) {
				t.Errorf("%v with %v", p, err)
			}
		})
	}
}

// A clock that is far off gets an answer, if not a useful one.
func TestInstantsBeyondTheCalendarAreAnswered(t *testing.T) {
	for _, unit := range []gcra.Unit{gcra.Second, gcra.Day, gcra.Week, gcra.Month, gcra.Year} {
		p := periods(t, 0, unit, "")
		if unit >= gcra.Day {
			p = periods(t, 0, unit, "Europe/Berlin")
		}
		for _, at := range []int64{math.MinInt64 / 2, math.MaxInt64 / 2, -1, 0, 1} {
			if p.Start(at) > at || p.End(at) <= at {
				t.Errorf("%v: %d lies from %d to %d", unit, at, p.Start(at), p.End(at))
			}
		}
		for _, at := range []int64{math.MinInt64, math.MaxInt64} {
			p.Start(at)
			p.End(at)
		}
	}
}

// A width is another word for the unit of that length.
func TestWidthsAreUnits(t *testing.T) {
	for unit, width := range map[gcra.Unit]time.Duration{
		gcra.Second: time.Second, gcra.Minute: time.Minute, gcra.Hour: time.Hour, gcra.Day: 24 * time.Hour, gcra.Week: 168 * time.Hour,
	} {
		p, q := periods(t, width, gcra.NoUnit, ""), periods(t, 0, unit, "UTC")
		if p.Start(epoch) != q.Start(epoch) || p.End(epoch) != q.End(epoch) {
			t.Errorf("%v and %v differ", width, unit)
		}
		if p.Longest() != width || p.Shortest() != width {
			t.Errorf("%v: %v to %v long", unit, p.Shortest(), p.Longest())
		}
	}
}

func TestLookUpsAllocateNothing(t *testing.T) {
	p := periods(t, 0, gcra.Month, "Europe/Berlin")
	if n := testing.AllocsPerRun(100, func() { p.End(p.Start(epoch) - 1) }); n != 0 {
		t.Errorf("a look-up allocates %v times", n)
	}
}

func BenchmarkStart(b *testing.B) {
	for _, row := range []struct {
		unit gcra.Unit
		zone string
	}{{gcra.Hour, ""}, {gcra.Day, ""}, {gcra.Day, "Europe/Berlin"}, {gcra.Month, "Europe/Berlin"}} {
		b.Run(row.unit.String()+row.zone, func(b *testing.B) {
			b.ReportAllocs()
			p := periods(b, 0, row.unit, row.zone)
			for b.Loop() {
				p.Start(epoch)
			}
		})
	}
}
