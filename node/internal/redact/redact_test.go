package redact

import (
	"strings"
	"testing"
)

func TestHiddenNamesStayTheSameAndSayNothing(t *testing.T) {
	shown, hidden := Names(false), Names(true)
	if got := shown.Of("alice"); got != "alice" {
		t.Errorf("got %q", got)
	}
	a, again, b := hidden.Of("alice"), Names(true).Of("alice"), hidden.Of("bob")
	if a != again || a == b || !strings.HasPrefix(a, "redacted-") || strings.Contains(a, "alice") {
		t.Errorf("got %q, %q and %q", a, again, b)
	}
}
