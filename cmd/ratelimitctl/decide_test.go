package main

import (
	"strings"
	"testing"
)

func TestTakeAsksForAllThatItsFlagsSay(t *testing.T) {
	s := scripted(t, map[string]string{"POST /v1/take": `{"allowed":true,"cost":3,"limit":"day","limits":[{"limit":"default","allowed":true},{"limit":"day","allowed":true}]}`})
	code, out, errs := ctl("take", "alice", "-cost", "5", "-at-most", "-also", "day", "-also", `"client=a,cme:1=x",limit=week,cost=2`, "-also", "cost=1,client=a=b,limit=hour")
	if code != exitOK || errs != "" || !strings.Contains(out, "cost     3\n") || !strings.Contains(out, "\nday      yes\n") {
		t.Errorf("%d, %q\n%s", code, errs, out)
	}
	s.wants(t, "POST /v1/take", `{"client":"alice","cost":5,"at_most":true,
		"also":[{"limit":"day"},{"client":"a,cme:1=x","limit":"week","cost":2},{"cost":1,"client":"a=b","limit":"hour"}]}`)
	ctl("take", "alice", "-limit", "login")
	s.wants(t, "POST /v1/take", `{"client":"alice","limit":"login","cost":1}`)
}

func TestAFurtherLimitIsUnderstoodOrRefused(t *testing.T) {
	t.Setenv(envAddr, "")
	for _, c := range []struct{ also, names string }{
		{"", "name"},
		{"limit=", "limit must not be empty"},
		{"limit=day,client=", "client must not be empty"},
		{"cost=2", "must name a limit"},
		{"limit=day,cost=x", `cost "x"`},
		{"limit=day,limit=hour", "limit is given more than once"},
		{"limit=day,acme", `"acme" is not understood`},
		{"limit=day,colour=red", `"colour=red" is not understood`},
		{`limit=day,client=a"b`, "double quotes"},
		{"limit=day\nlimit=hour", "one line"},
	} {
		code, out, errs := ctl("take", "alice", "-also", c.also)
		if code != exitUsage || out != "" || !strings.Contains(errs, c.names) {
			t.Errorf("%q: %d, %q, %q", c.also, code, out, errs)
		}
	}
	args := []string{"take", "alice"}
	for range 16 {
		args = append(args, "-also", "day")
	}
	if code, _, errs := ctl(args...); code != exitUsage || !strings.Contains(errs, "at most 15") {
		t.Errorf("16 times: %d, %q", code, errs)
	}
}

func TestPeekTellsOfACost(t *testing.T) {
	daemon(t, "")
	if code, _, errs := ctl("take", "alice"); code != exitOK {
		t.Fatalf("%d, %q", code, errs)
	}
	for cost, want := range map[string]string{"4": "allowed         yes\n", "5": "allowed         no\n"} {
		if code, out, errs := ctl("peek", "alice", "-cost", cost); code != exitOK || errs != "" || !strings.Contains(out, want) {
			t.Errorf("%s: %d, %q\n%s", cost, code, errs, out)
		}
	}
	if code, _, errs := ctl("peek", "alice", "-cost", "6"); code != exitError || !strings.Contains(errs, "can never pass") {
		t.Errorf("%d, %q", code, errs)
	}
}
