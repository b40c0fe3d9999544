package node

import "testing"

func TestTheTableOfReasonsIsWholeAndAgreesWithItself(t *testing.T) {
	seen := map[string]Reason{}
	for r := range reasonEnd {
		row := reasons[r]
		if row.name == "" || row.name != r.String() {
			t.Errorf("reason %d has no name", r)
		}
		if other, twice := seen[row.name]; twice {
			t.Errorf("%s is reason %d and %d", row.name, other, r)
		}
		seen[row.name] = r
		if row.waits && (r.passes() || r.faulty()) {
			t.Errorf("%v: waiting cannot help", r)
		}
	}
	if got := reasonEnd.String(); got != "unknown" {
		t.Errorf("what is no reason reads %q", got)
	}
}

func TestAnswersWithoutAStateAgreeWithTheTableOfReasons(t *testing.T) {
	n, err := build(Config{Name: "a", Limits: map[string]Policy{"free": {Access: Unlimited}, "shut": {Access: Blocked}, "shadow": {Access: Blocked, Shadow: true}}}, 1)
	if err != nil {
		t.Fatal(err)
	}
	for limit, want := range map[string]Reason{"free": ReasonUnlimited, "shut": ReasonBlocked, "shadow": ReasonShadow} {
		d := n.Do(Request{Client: "alice", Limit: limit})
		if d.Reason != want || d.Allowed != want.passes() {
			t.Errorf("%s: %+v", limit, d)
		}
	}
	r := &n.limits.Get("free").Newest().Rules[0]
	for why := range reasonEnd {
		d := n.outright(r, why, 1)
		if d.Allowed != why.passes() || d.Reason != why {
			t.Errorf("%v: %+v", why, d)
		}
	}
}
