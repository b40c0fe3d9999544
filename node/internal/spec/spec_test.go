package spec_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/spec"
)

func TestAPlainNumberIsSeconds(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"60": time.Minute, "0.5": 500 * time.Millisecond, "1e3": 1000 * time.Second, "-1": -time.Second, "0": 0,
		"60s": time.Minute, "1m": time.Minute, "1h30m": 90 * time.Minute, "250ms": 250 * time.Millisecond, "0.001": time.Millisecond,
		"9223372035": 9223372035 * time.Second,
	} {
		got, err := spec.ParseWindow(text)
		if err != nil || time.Duration(got) != want {
			t.Errorf("%q: got %v, %v, want %v", text, time.Duration(got), err, want)
		}
	}
	for _, text := range []string{"", "a", "60 s", "1d", "NaN", "Inf", "-Inf", "1e300", "9223372037", "-9223372037", "1:30", "60,0"} {
		if got, err := spec.ParseWindow(text); err == nil {
			t.Errorf("%q: got %v, want an error", text, time.Duration(got))
		}
	}
}

func TestAWindowIsReadBackAsItWasWritten(t *testing.T) {
	for _, d := range []time.Duration{time.Millisecond, 1500 * time.Millisecond, time.Minute, 366 * 24 * time.Hour, 123456789} {
		w := spec.Window(d)
		if got, err := spec.ParseWindow(w.String()); err != nil || got != w {
			t.Errorf("%v as text %q: got %v, %v", d, w, time.Duration(got), err)
		}
		b, err := json.Marshal(w)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := spec.ParseWindow(string(b)); err != nil || got != w {
			t.Errorf("%v as JSON %s: got %v, %v", d, b, time.Duration(got), err)
		}
	}
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
			[]attempt{{spec.Text, "60"}, {spec.Number, "60"}, {spec.String, "90s"}},
			[]attempt{{spec.Bool, "true"}, {spec.String, "soon"}},
			"90",
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
	case *spec.Window:
		return v.String()
	}
	return "?"
}

func TestAPolicySurvivesBeingWrittenDown(t *testing.T) {
	for _, p := range []node.Policy{
		{Limit: 1, Window: time.Millisecond, Burst: 1, MaxOvershoot: 1},
		{Limit: 100, Window: time.Minute, Burst: 20, MaxOvershoot: 0.1},
		{Limit: math.MaxInt32, Window: 366 * 24 * time.Hour, Burst: 7, MaxOvershoot: 0.001},
	} {
		l := spec.LimitOf(p)
		got, err := l.Policy()
		if err != nil || got != p {
			t.Errorf("got %+v, %v, want %+v", got, err, p)
		}
	}
}

func TestFaultsFindsAllOfThem(t *testing.T) {
	a, b, c := &node.FieldError{Field: "a"}, &node.FieldError{Field: "b"}, &node.FieldError{Field: "c"}
	err := fmt.Errorf("outer: %w", errors.Join(errors.New("another"), a, fmt.Errorf("inner: %w", errors.Join(b, c))))
	got := spec.Faults(err)
	if len(got) != 3 || got[0] != a || got[1] != b || got[2] != c {
		t.Errorf("got %v", got)
	}
	if got := spec.Faults(errors.New("none")); got != nil {
		t.Errorf("got %v", got)
	}
}
