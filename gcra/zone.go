package gcra

import (
	"fmt"
	"math"
	"strings"
	"time"
)

// checkZone finds a zone, UTC for "". It refuses names that are another zone on another
// machine, and those that only some machines have: nodes would differ.
func checkZone(zone string) (*time.Location, *FieldError) {
	const right = "must be a name from the IANA time zone database, such as Europe/Berlin"
	if ofMachine(zone) {
		return nil, refuseZone(zone, "is another zone on another machine: "+right)
	}
	location, err := time.LoadLocation(zone)
	if err != nil {
		return nil, refuseZone(zone, right)
	}
	return location, nil
}

// ofMachine reports whether the name is of the machine's own files rather than of the
// database. Some file systems take a name in any letters.
func ofMachine(zone string) bool {
	first, _, inFolder := strings.Cut(strings.ToLower(zone), "/")
	switch {
	case !inFolder:
		return first == "local" || first == "localtime" || first == "posixrules"
	default:
		return first == "right" || first == "posix"
	}
}

func refuseZone(zone, reason string) *FieldError {
	return &FieldError{Field: "time_zone", Value: fmt.Sprintf("%.64q", zone), Reason: reason}
}

// offset is what the clocks of a zone are ahead of UTC, in nanoseconds, from an instant
// until the next offset's.
type offset struct{ from, value int64 }

// offsets are those of a zone, oldest first. They are all that a look-up needs, so that
// it allocates nothing and takes nanoseconds.
type offsets []offset

// at is the index of the offset that holds at t.
func (o offsets) at(t int64) int {
	low, high := 0, len(o) // o[low].from <= t < o[high].from
	for high-low > 1 {
		if mid := (low + high) / 2; o[mid].from <= t {
			low = mid
		} else {
			high = mid
		}
	}
	return low
}

// offsetsOf are the zone's offsets from 1968 to 2117; the first holds before and the
// last one after that too.
func offsetsOf(zone *time.Location) offsets {
	var all offsets
	at := time.Date(1968, time.January, 1, 0, 0, 0, 0, time.UTC).In(zone)
	for from := int64(math.MinInt64); at.Year() < 2117; from = at.UnixNano() {
		_, seconds := at.Zone()
		if value := int64(seconds) * int64(time.Second); len(all) == 0 || all[len(all)-1].value != value {
			all = append(all, offset{from: from, value: value})
		}
		_, end := at.ZoneBounds()
		if end.IsZero() {
			break
		}
		if !end.After(at) {
			// On the last day of a leap year ZoneBounds may answer with the end of its
			// 365th day. No rule changes clocks on that day.
			end = at.Add(time.Hour)
		}
		at = end
	}
	return all
}
