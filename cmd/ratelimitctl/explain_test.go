package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"
)

func TestAnExplanationSaysWhatHoldsAndWhoAdmittedWhat(t *testing.T) {
	now := time.Date(2026, 11, 23, 15, 30, 0, 0, time.UTC)
	for name, c := range map[string]struct{ answer, want string }{
		"used up": {`{"client":"alice","limit":"login","counts_as":"alice","override":{"index":1,"selector":"overrides[1].client[0]","value":"alice"},
			"policy":{"limit":4,"window":3600,"burst":2,"algorithm":"gcra","resolution":1,"time_zone":"UTC"},"since":"2026-11-22T09:00:00Z","reset":"2026-11-23T15:00:01Z",
			"decision":{"allowed":false,"remaining":0,"retry_after_ms":754321,"reset_after_ms":40000000,"reason":"over_limit","degraded":true},
			"windows":[{"start":"2026-11-23T15:00:00Z","end":"2026-11-23T16:00:00Z","before_units":0,"nodes":[{"node":"n1","incarnation":"1a","admitted_units":3,"given_back_units":1},
			{"node":"","incarnation":"2b","admitted_units":1,"given_back_units":0}]},{"start":"2026-11-22T23:00:00Z","end":"2026-11-23T00:00:00Z","before_units":7,"nodes":[]}]}`, "" +
			"alice at limit login: denied now, the limit is used up\n" +
			"passes again     in 12m34s, at 15:42:34 UTC\n" +
			"left             0 of 2\n" +
			"all there again  in 11h6m40s, at 2026-11-24 02:36:40 UTC\n" +
			"policy           4 per 1h, gcra, burst 2\n" +
			"whose            of overrides[1].client[0], alice\n" +
			"in force         since 2026-11-22 09:00:00 UTC\n" +
			"last reset       15:00:01 UTC\n" +
			"degraded         this node cannot hear all its peers, and may not know of all that they admitted\n" +
			"\n" +
			"WINDOW                                   NODE                            ADMITTED  GIVEN BACK\n" +
			"15:00:00 UTC to 16:00:00 UTC             n1                              3         1\n" +
			"                                         gone, 2b                        1         0\n" +
			"2026-11-22 23:00:00 UTC to 00:00:00 UTC  (before the limit was changed)  7         0\n"},
		"a calendar of another zone": {`{"client":"bob","limit":"day","counts_as":"bob","override":null,"policy":{"limit":3,"window":"day","burst":3,"algorithm":"fixed_window","resolution":1,"time_zone":"America/New_York"},"since":null,
			"decision":{"allowed":false,"remaining":0,"retry_after_ms":133200000,"reset_after_ms":133200000,"reason":"over_limit","note":"longer than the window: the client is beyond its limit"},
			"windows":[{"start":"2026-11-23T00:00:00-05:00","end":"2026-11-24T00:00:00-05:00","before_units":0,"nodes":[{"node":"n1","incarnation":"1a","admitted_units":6,"given_back_units":0}]}]}`, "" +
			"bob at limit day: denied now, the limit is used up\n" +
			"passes again     in 37h, at 2026-11-24 23:30:00 EST\n" +
			"the wait is      longer than the window: the client is beyond its limit\n" +
			"left             0 of 3\n" +
			"all there again  in 37h, at 2026-11-24 23:30:00 EST\n" +
			"policy           3 per day (America/New_York), fixed_window\n" +
			"whose            the limit's own\n" +
			"in force         as configured\n" +
			"\n" +
			"WINDOW                                   NODE  ADMITTED  GIVEN BACK\n" +
			"00:00:00 EST to 2026-11-24 00:00:00 EST  n1    6         0\n"},
		"bounded": {`{"client":"bob","limit":"paid","counts_as":"bob","override":null,"policy":{"limit":100,"window":60,"burst":100,"algorithm":"gcra","time_zone":"UTC"},"since":null,
			"decision":{"allowed":false,"remaining":0,"retry_after_ms":7,"reset_after_ms":0,"reason":"short"},
			"account":{"own_units":-1.25,"borrowed_units":0,"room_units":33.333,"credit_units":1.667,"lent_units":12.5},"windows":[]}`, "" +
			"bob at limit paid: denied now, the limit is not used up, but other nodes hold what is left, and this one has asked them\n" +
			"passes again       in 7ms, at 15:30:00.007 UTC\n" +
			"left               0 of 100\n" +
			"this node's units  -1.3 of a room of 33.3, 0 borrowed, 12.5 lent, credit 1.7\n" +
			"policy             100 per 1m, gcra\n" +
			"whose              the limit's own\n" +
			"in force           as configured\n" +
			"\n" +
			"nothing is counted\n"},
		"blocked network": {`{"client":"2001:db8::1","limit":"api","counts_as":"2001:db8::/64","override":{"index":0},"policy":{"block":true},"since":null,
			"decision":{"allowed":false,"retry_after_ms":31536000000,"reason":"blocked"},"windows":[]}`, "" +
			"2001:db8::1 at limit api: denied now, this client is blocked\n" +
			"passes again  never, as things are\n" +
			"policy        blocked\n" +
			"whose         of overrides[0]\n" +
			"in force      as configured\n" +
			"counts as     2001:db8::/64\n" +
			"\n" +
			"nothing is counted\n"},
		"from before a change": {`{"client":"bob","limit":"day","counts_as":"bob","override":null,"shared":true,
			"policy":{"limit":3,"window":"day","burst":3,"algorithm":"fixed_window","resolution":1,"time_zone":"Europe/Berlin","shadow":true},"since":null,
			"decision":{"allowed":true,"remaining":1,"retry_after_ms":0,"reset_after_ms":2500},"windows":[]}`, "" +
			"bob at limit day: allowed now, within the limit\n" +
			"left             1 of 3\n" +
			"all there again  in 2.5s, at 16:30:02.500 CET\n" +
			"policy           3 per day (Europe/Berlin), fixed_window, shadow\n" +
			"whose            the limit's own\n" +
			"in force         as configured\n" +
			"shares           its count with other clients, because the client table is full\n" +
			"\n" +
			"what counts is older than the windows that are kept, or than the limit's last change: which node admitted it is not known any more\n"},
		"closed": {`{"client":"a","limit":"b","policy":{"limit":1,"window":1,"burst":1,"algorithm":"gcra"},"decision":{"reason":"isolated_closed"}}`, "" +
			"a at limit b: denied now, the limit is closed while nodes cannot hear each other\n" +
			"passes again  when nodes hear each other\n" +
			"left          0 of 1\n" +
			"policy        1 per 1s, gcra\n" +
			"whose         the limit's own\n" +
			"in force      as configured\n" +
			"\n" +
			"nothing is counted\n"},
	} {
		var x explanation
		if err := json.Unmarshal([]byte(c.answer), &x); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		var b bytes.Buffer
		if err := x.print(&b, now); err != nil || b.String() != c.want {
			t.Errorf("%s: %v, got\n%swant\n%s", name, err, b.String(), c.want)
		}
	}
}

func TestExplainAsksForAClientOfALimit(t *testing.T) {
	scripted(t, map[string]string{
		"GET /v1/explain?client=a+b&limit=login": `{"client":"a b","limit":"login","decision":{"allowed":true,"remaining":2},"policy":{"limit":2,"window":60,"burst":2,"algorithm":"gcra"},"windows":[]}`,
		"GET /v1/explain?client=x":               `404 {"detail":"there is no limit"}`,
	})
	if code, out, errs := ctl("explain", "a b", "-limit", "login"); code != exitOK || errs != "" || !strings.HasPrefix(out, "a b at limit login: allowed now, within the limit\n") {
		t.Errorf("%d, %q\n%s", code, errs, out)
	}
	if code, out, errs := ctl("explain", "a b", "-limit", "login", "-o", "json"); code != exitOK || errs != "" || !strings.Contains(out, `"remaining": 2`) {
		t.Errorf("%d, %q\n%s", code, errs, out)
	}
	if code, out, errs := ctl("explain", "x"); code != exitError || out != "" || !strings.Contains(errs, "404: there is no limit") {
		t.Errorf("%d, %q, %q", code, out, errs)
	}
}
