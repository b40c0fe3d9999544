package main

import (
	"strings"
	"testing"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
)

// step is one call of the program, its exit code, and parts of what it prints.
type step struct {
	args  []string
	code  int
	shows []string
}

func (s *step) run(t *testing.T) (out string) {
	t.Helper()
	code, out, errs := ctl(s.args...)
	if code != s.code || (errs == "") != (code == exitOK || code == exitDenied) {
		t.Errorf("%q: %d, %q\n%s", s.args, code, errs, out)
	}
	for _, want := range s.shows {
		if !strings.Contains(out+errs, want) {
			t.Errorf("%q does not show %q: %q\n%s", s.args, want, errs, out)
		}
	}
	return out
}

func words(text string) []string { return strings.Fields(text) }

// rules serves a node whose limits say a bit of everything.
func rules(t *testing.T) {
	t.Helper()
	serve(t, node.Config{
		Name: "n1", Limit: 5, Window: time.Hour, Limits: map[string]node.Policy{
			"day": {
				Limit: 7, Window: 24 * time.Hour, Algorithm: node.SlidingWindow,
				Overrides: []node.Override{{Prefixes: []string{"bot-"}, Access: node.Blocked}, {Clients: []string{"vip"}, Access: node.Unlimited}},
			},
			"try": {Limit: 1, Window: time.Hour, Shadow: true},
		},
	})
}

func TestSeveralLimitsAreTakenFromTogetherOrNotAtAll(t *testing.T) {
	rules(t)
	for _, s := range []step{
		{words("take alice -cost 2 -also day -also limit=day,client=acme,cost=6"), exitOK, []string{"LIMIT", "\nyes      default", "\nyes      day"}},
		{words("take alice -also limit=day,client=acme,cost=2"), exitDenied, []string{"over_limit"}},
		{words("peek alice -cost 3"), exitOK, []string{"allowed         yes"}},
		{words("take alice -cost 5 -at-most"), exitOK, []string{"cost            3"}},
		{words("take alice -also limit=day,cost=9"), exitError, []string{"400: also[0].cost 9"}},
		{words("take alice -also nope"), exitError, []string{"404: ", "nope"}},
	} {
		s.run(t)
	}
}

func TestReservationsAreSettledByToken(t *testing.T) {
	rules(t)
	reserve := step{words("reserve alice -cost 5 -for 90s"), exitOK, nil}
	token := strings.TrimSpace(reserve.run(t))
	for _, s := range []step{
		{words("reserve alice"), exitDenied, []string{"over_limit"}},
		{words("commit " + token + " 3"), exitOK, []string{"settled   yes", "returned  2"}},
		{words("cancel " + token), exitOK, []string{"returned  2"}}, // the first one counts
		{words("peek alice -cost 2"), exitOK, []string{"allowed         yes"}},
		{words("cancel 1a.2b"), exitError, []string{"404: "}},
		{words("cancel x"), exitError, []string{"400: reservation"}},
		{words("reserve alice -for 1h"), exitError, []string{"400: timeout"}},
		{words("reserve vip -limit day"), exitOK, []string{nothingHeld + "\n"}},
		{words("reserve alice -limit day -o json"), exitOK, []string{`"expires_in_ms": 60000`}},
	} {
		s.run(t)
	}
}

func TestAStandingAShadowAndALimitsOriginAreTold(t *testing.T) {
	rules(t)
	for _, s := range []step{
		{words("take alice -cost 5"), exitOK, nil},
		{words("explain alice"), exitOK, []string{"denied now, the limit is used up\n", "in 12m, at ", "left             0 of 5\n", "5 per 1h, gcra\n", "  n1    5         0\n"}},
		{words("explain bot-1 -limit day"), exitOK, []string{"denied now, this client is blocked\n", "never", "of overrides[0].prefix[0], bot-\n"}},
		{words("explain vip -limit day -o json"), exitOK, []string{`"selector": "overrides[1].client[0]"`}},
		{words("explain alice -limit nope"), exitError, []string{"404: "}},
		{[]string{"explain", ""}, exitError, []string{"400: client"}},
		{words("take bob -limit try"), exitOK, nil},
		{words("take bob -limit try"), exitOK, []string{"shadow"}},
		{words("explain bob -limit try"), exitOK, []string{"allowed now, the limit is used up, but it is a shadow"}},
		{words("shadow"), exitOK, []string{"try would have denied 50 % (1 of 2)", "\nbob     1             1\n"}},
		{words("limits set day -limit 9 -window 60"), exitOK, nil},
		{words("limits set new -limit 9 -window 60"), exitOK, nil},
		{words("limits"), exitOK, []string{"  set over configured, which has 7 per 24h, sliding_window  ", "  set  ", "  configured  "}},
		{words("status"), exitOK, []string{"  set over configured, which has 7 per 24h, sliding_window  ", "WOULD DENY", "\n\nrefused"}},
	} {
		s.run(t)
	}
}

// A daemon that has no limit "default" tells whoever names none which limits it has.
func TestACallWithoutALimitLearnsTheNames(t *testing.T) {
	serve(t, node.Config{Limits: map[string]node.Policy{"login": {Limit: 2, Window: time.Hour}, "tokens": {Limit: 9, Window: time.Hour}}})
	for _, call := range []string{"take a", "peek a", "charge a", "reserve a", "reset a", "explain a", "top", "load -n 1", "take a -also login", "take a -cost 2 -at-most"} {
		s := step{words(call), exitError, []string{"400: limit is missing", "name one of login, tokens"}}
		s.run(t)
		if c := words(call + " -limit tokens")[0]; c != "load" {
			s = step{words(call + " -limit tokens"), exitOK, nil}
			s.run(t)
		}
	}
}
