package main

import (
	"strings"
	"testing"
)

func TestAChargeIsAskedForAndPrinted(t *testing.T) {
	s := scripted(t, map[string]string{"POST /v1/charge": `{"allowed":false,"reason":"over_limit","charged":70,"not_charged":60}`})
	code, out, errs := ctl("charge", "alice", "-limit", "tokens", "-cost", "130", "-also", "day")
	if code != exitOK || !strings.Contains(out, "not_charged  60\n") || errs != "" {
		t.Errorf("%d, %q, %q", code, out, errs)
	}
	s.wants(t, "POST /v1/charge", `{"client":"alice","limit":"tokens","cost":130,"also":[{"limit":"day"}]}`)
	for _, args := range [][]string{{"charge"}, {"charge", "alice", "-at-most"}, {"charge", "alice", "-cost", "x"}} {
		if code, out, _ := ctl(args...); code != exitUsage || out != "" {
			t.Errorf("%q: %d, %q", args, code, out)
		}
	}
}
