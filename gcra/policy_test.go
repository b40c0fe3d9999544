package gcra_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/gcra"
)

func TestPolicyIsValidated(t *testing.T) {
	for _, row := range []struct {
		policy gcra.Policy
		faults []string // "field value: what the reason mentions"
	}{
		// Valid: the ends of every range, and the default burst.
		{gcra.Policy{Limit: 100, Window: time.Minute}, nil},
		{gcra.Policy{Limit: 1, Window: gcra.MinWindow, Burst: 1}, nil},
		{gcra.Policy{Limit: gcra.MaxUnits, Window: gcra.MaxWindow, Burst: gcra.MaxUnits}, nil},
		{gcra.Policy{Limit: gcra.MaxRate, Window: time.Second, Burst: gcra.MaxUnits}, nil},
		{gcra.Policy{Limit: gcra.MaxUnits, Window: 16 * time.Second}, nil},
		{gcra.Policy{Limit: 1, Window: gcra.MaxWindow, Burst: 10}, nil},

		// One field.
		{gcra.Policy{Limit: 0, Window: time.Minute}, []string{"limit 0: at least 1"}},
		{gcra.Policy{Limit: -1, Window: time.Minute}, []string{"limit -1: from 1 to 9007199254740992"}},
		{gcra.Policy{Limit: gcra.MaxUnits + 1, Window: time.Hour}, []string{"limit 9007199254740993: from 1 to 9007199254740992"}},
		{gcra.Policy{Limit: 100}, []string{"window 0s: from 1ms to 8784h"}},
		{gcra.Policy{Limit: 100, Window: -time.Second}, []string{"window -1s: from 1ms"}},
		{gcra.Policy{Limit: 100, Window: gcra.MinWindow - 1}, []string{"window 999.999µs: from 1ms"}},
		{gcra.Policy{Limit: 100, Window: gcra.MaxWindow + 1}, []string{"window 8784h0m0.000000001s: to 8784h"}},
		{gcra.Policy{Limit: 100, Window: time.Minute, Burst: -1}, []string{"burst -1: or 0 for the limit"}},
		{gcra.Policy{Limit: 100, Window: time.Minute, Burst: gcra.MaxUnits + 1}, []string{"burst 9007199254740993: from 1 to 9007199254740992"}},

		// Fields that do not go together.
		{gcra.Policy{Limit: 1, Window: gcra.MaxWindow, Burst: 11}, []string{"burst 11: longer than 87840h0m0s to drain at 1 per 8784h"}},
		{gcra.Policy{Limit: 1, Window: time.Second, Burst: gcra.MaxUnits}, []string{"burst 9007199254740992: longer than 87840h"}},
		{gcra.Policy{Limit: gcra.MaxRate + 1, Window: time.Second}, []string{"limit 562949953421313: at most 562949953421312 per second, not per 1s"}},
		{gcra.Policy{Limit: gcra.MaxUnits, Window: gcra.MinWindow}, []string{"limit 9007199254740992: per second, not per 1ms"}},

		// Several at once, each with its reason.
		{gcra.Policy{}, []string{"limit 0: at least 1", "window 0s: from 1ms"}},
		{gcra.Policy{Limit: -5, Window: -1, Burst: -2}, []string{"limit -5: from 1", "window -1ns: from 1ms", "burst -2: 0 for the limit"}},
	} {
		t.Run(fmt.Sprintf("%d per %v burst %d", row.policy.Limit, row.policy.Window, row.policy.Burst), func(t *testing.T) {
			err := row.policy.Validate()
			checkFaults(t, err, row.faults)
			g, same := gcra.New(row.policy)
			if (g == nil) != (err != nil) || fmt.Sprint(same) != fmt.Sprint(err) {
				t.Errorf("New says %v, Validate %v", same, err)
			}
		})
	}
}

func checkFaults(t *testing.T, err error, want []string) {
	t.Helper()
	if len(want) == 0 {
		if err != nil {
			t.Errorf("refused: %v", err)
		}
		return
	}
	if err == nil {
		t.Fatalf("accepted, want %q", want)
	}
	lines := strings.Split(err.Error(), "\n")
	if len(lines) != len(want) {
		t.Fatalf("got %q, want %q", lines, want)
	}
	for i, line := range lines {
		start, reason, _ := strings.Cut(want[i], ": ")
		if !strings.HasPrefix(line, start+": ") || !strings.Contains(line, reason) {
			t.Errorf("fault %d reads %q, want %q", i, line, want[i])
		}
	}
	fault := new(gcra.FieldError)
	if !errors.As(err, &fault) {
		t.Fatalf("%v holds no FieldError", err)
	}
	if !strings.HasPrefix(want[0], fmt.Sprintf("%s %v: ", fault.Field, fault.Value)) || !strings.HasSuffix(lines[0], fault.Reason) {
		t.Errorf("the FieldError is %+v, want %q", fault, want[0])
	}
}

func TestBurstDefaultsToTheLimit(t *testing.T) {
	p := gcra.Policy{Limit: 7, Window: time.Second}
	if got := p.WithDefaults().Burst; got != 7 {
		t.Errorf("burst %d, want 7", got)
	}
	if p.Burst != 0 {
		t.Error("WithDefaults changed its receiver")
	}
	p.Burst = 3
	if got := p.WithDefaults().Burst; got != 3 {
		t.Errorf("burst %d, want 3 as it was", got)
	}
}
