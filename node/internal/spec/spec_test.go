package spec_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/gcra"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/spec"
)

func TestAPlainNumberIsSeconds(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"60": time.Minute, "0.5": 500 * time.Millisecond, "1e3": 1000 * time.Second, "-1": -time.Second, "0": 0,
		"60s": time.Minute, "1m": time.Minute, "1h30m": 90 * time.Minute, "250ms": 250 * time.Millisecond, "0.001": time.Millisecond,
		"9223372035": 9223372035 * time.Second, "31622399.000000001": 366*24*time.Hour - time.Second + 1, "-0.5": -500 * time.Millisecond,
	} {
		got, err := spec.ParseWindow(text)
		if err != nil || got != (spec.Window{Duration: want}) {
			t.Errorf("%q: got %v, %v, want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "a", "60 s", "NaN", "Inf", "-Inf", "1e300", "9223372037", "-9223372037", "1:30", "60,0"} {
		if got, err := spec.ParseWindow(text); err == nil {
			t.Errorf("%q: got %v, want an error", text, got)
		}
	}
}

func TestAUnitIsAWindowAndADayIsNoDuration(t *testing.T) {
	for text, want := range map[string]node.Calendar{
		"second": gcra.Second, "minute": gcra.Minute, "hour": gcra.Hour, "day": gcra.Day, "week": gcra.Week, "month": gcra.Month, "year": gcra.Year,
	} {
		if got, err := spec.ParseWindow(text); err != nil || got != (spec.Window{Calendar: want}) {
			t.Errorf("%q: got %+v, %v", text, got, err)
		}
	}
	for _, text := range []string{"1d", "7d", "1w", "1 day", "2 weeks", "1mo", "1M", "1y"} {
		if _, err := spec.ParseWindow(text); err == nil || !strings.Contains(err.Error(), "write 24h for a length of time, or day, week,") {
			t.Errorf("%q: got %v", text, err)
		}
	}
	for _, text := range []string{"Day", "days", "daily", "unknown"} {
		if got, err := spec.ParseWindow(text); err == nil {
			t.Errorf("%q: got %v", text, got)
		}
	}
}

func TestAWindowIsReadBackAsItWasWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := spec.Window{Duration: time.Duration(rapid.Int64Range(-9e18, 9e18).Draw(t, "window"))}
		if rapid.Bool().Draw(t, "calendar") {
			w = spec.Window{Calendar: drawUnit.Draw(t, "unit")}
		}
		if got, err := spec.ParseWindow(w.String()); err != nil || got != w {
			t.Errorf("%v as text %q: got %v, %v", w, w.String(), got, err)
		}
		b, err := json.Marshal(w)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := spec.ParseWindow(strings.Trim(string(b), `"`)); err != nil || got != w {
			t.Errorf("%v as JSON %s: got %v, %v", w, b, got, err)
		}
	})
}

func TestAFieldTakesOnlyItsKind(t *testing.T) {
	type attempt struct {
		kind spec.Kind
		text string
	}
	for _, c := range []struct {
		into       any
		good, bad  []attempt
		afterwards string
	}{
		{
			new(string),
			[]attempt{{spec.String, "x"}, {spec.Text, "7"}},
			[]attempt{{spec.Number, "8"}, {spec.Bool, "true"}},
			"7",
		},
		{
			new(int64),
			[]attempt{{spec.Text, "-3"}, {spec.Number, "9007199254740993"}},
			[]attempt{{spec.String, "1"}, {spec.Number, "1.0"}, {spec.Number, "1e2"}, {spec.Text, ""}, {spec.Text, "0x10"}, {spec.Text, "1_000"}, {spec.Number, "9223372036854775808"}},
			"9007199254740993",
		},
		{
			new(float64),
			[]attempt{{spec.Text, "1"}, {spec.Number, "0.25"}},
			[]attempt{{spec.String, "1"}, {spec.Text, "inf"}, {spec.Text, "nan"}, {spec.Text, "x"}, {spec.Number, "1e999"}},
			"0.25",
		},
		{
			new(bool),
			[]attempt{{spec.Text, "false"}, {spec.Bool, "true"}},
			[]attempt{{spec.String, "true"}, {spec.Text, "yes"}, {spec.Text, "1"}, {spec.Number, "1"}},
			"true",
		},
		{
			new(spec.Window),
			[]attempt{{spec.Text, "60"}, {spec.Number, "60"}, {spec.String, "90s"}, {spec.String, "day"}},
			[]attempt{{spec.Bool, "true"}, {spec.String, "soon"}, {spec.Text, "1d"}},
			"day",
		},
		{
			new(int),
			[]attempt{{spec.Text, "60"}, {spec.Number, "-1"}},
			[]attempt{{spec.String, "1"}, {spec.Number, "1.5"}, {spec.Bool, "true"}},
			"-1",
		},
		{
			new(node.Algorithm),
			[]attempt{{spec.Text, "gcra"}, {spec.String, "sliding_window"}},
			[]attempt{{spec.Text, ""}, {spec.Number, "1"}, {spec.String, "GCRA"}},
			"sliding_window",
		},
	} {
		f := spec.Field{Name: "f", Into: c.into}
		for _, a := range c.good {
			if err := f.Set(a.kind, a.text); err != nil {
				t.Errorf("%T: %q: %v", c.into, a.text, err)
			}
		}
		for _, a := range c.bad {
			fault := new(node.FieldError)
			if err := f.Set(a.kind, a.text); !errors.As(err, &fault) || fault.Field != "f" {
				t.Errorf("%T: %q as kind %d: got %v, want a fault of f", c.into, a.text, a.kind, err)
			}
		}
		if got := show(c.into); got != c.afterwards {
			t.Errorf("%T: a refused value changed it to %s, want %s", c.into, got, c.afterwards)
		}
	}
}

func show(into any) string {
	switch v := into.(type) {
	case *string:
		return *v
	case *int64:
		return fmt.Sprint(*v)
	case *float64:
		return fmt.Sprint(*v)
	case *bool:
		return fmt.Sprint(*v)
	case *int:
		return fmt.Sprint(*v)
	case fmt.Stringer:
		return v.String()
	}
	return "?"
}
