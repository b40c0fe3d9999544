package gcra

import "fmt"

// Unit is a unit of calendar time. The zero Unit is none.
type Unit uint8

// The units. A week begins on Monday (ISO 8601).
const (
	NoUnit Unit = iota
	Second
	Minute
	Hour
	Day
	Week
	Month
	Year
	unitEnd
)

var unitNames = [unitEnd]string{"", "second", "minute", "hour", "day", "week", "month", "year"}

// String is the unit as files and JSON write it, "" for none.
func (u Unit) String() string {
	if u < unitEnd {
		return unitNames[u]
	}
	return "unknown"
}

// MarshalText implements encoding.TextMarshaler.
func (u Unit) MarshalText() ([]byte, error) { return []byte(u.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler. The error is a *FieldError.
func (u *Unit) UnmarshalText(text []byte) error {
	for i, name := range unitNames {
		if name == string(text) {
			*u = Unit(i) //nolint:gosec // below unitEnd
			return nil
		}
	}
	return &FieldError{Field: "window", Value: fmt.Sprintf("%.32q", text), Reason: "must be second, minute, hour, day, week, month or year"}
}
