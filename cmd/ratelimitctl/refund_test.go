package main

import (
	"strings"
	"testing"
)

func TestARefundIsAskedForAndPrinted(t *testing.T) {
	s := scripted(t, map[string]string{"POST /v1/refund": `{"returned":70,"limit":"tokens","reason":"drained"}`})
	code, out, errs := ctl("refund", "alice", "-limit", "tokens", "-cost", "130")
	if code != exitOK || !strings.Contains(out, "returned  70\n") || errs != "" {
		t.Errorf("%d, %q, %q", code, out, errs)
	}
	s.wants(t, "POST /v1/refund", `{"client":"alice","limit":"tokens","cost":130}`)
	for _, args := range [][]string{{"refund"}, {"refund", "alice", "-also", "day"}, {"refund", "alice", "-cost", "x"}} {
		if code, out, _ := ctl(args...); code != exitUsage || out != "" {
			t.Errorf("%q: %d, %q", args, code, out)
		}
	}
}
