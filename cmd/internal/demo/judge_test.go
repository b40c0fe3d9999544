package demo

import (
	"context"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
)

// lone is a node alone: its bound is 0.
func lone(t *testing.T) *node.Node {
	t.Helper()
	n, err := node.Open(context.Background(), node.Config{Limit: before.Limit, Window: before.Window, Burst: before.Burst})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = n.Close() })
	return n
}

const someTime = int64(1_900_000_000e9)

func TestTheJudgeFindsNothingInWhatOneLimiterDecides(t *testing.T) {
	j, n := newJudge(before), lone(t)
	for i := range int64(300) { // 10 ms apart: 3 s of a limit of 10 a second
		now := someTime + i*10e6
		d := i < before.Burst || i%10 == 0
		j.decided(n, 0, false, now, d)
	}
	v := j.verdict()
	if v.e != 0 || v.broken != 0 || v.requests != 300 || v.admitted+v.denied != 300 || v.central < v.admitted {
		t.Errorf("got %+v", v)
	}
	if v.agreed = true; !v.passed() {
		t.Error("not passed")
	}
}

func TestTheJudgeSeesABrokenPromise(t *testing.T) {
	j, n := newJudge(before), lone(t)
	for range before.Burst + 3 {
		j.decided(n, 0, false, someTime, true)
	}
	v := j.verdict()
	if v.agreed = true; math.Abs(v.e-3) > 1e-6 || v.broken != 3 || v.central != int(before.Burst) || v.passed() {
		t.Errorf("got %+v", v)
	}
	var out strings.Builder
	if err := v.print(&out); err != nil || !strings.HasSuffix(out.String(), "\nFAIL\n") {
		t.Errorf("%v, %s", err, out.String())
	}
}

func TestTheJudgeSeesAModestClientDenied(t *testing.T) {
	j, n := newJudge(before), lone(t)
	j.decided(n, greedyClients, true, someTime, false)
	v := j.verdict()
	if v.agreed = true; v.wronged != 1 || v.passed() {
		t.Errorf("got %+v", v)
	}
}

func TestNodesThatDoNotAgreeFail(t *testing.T) {
	v := newJudge(before).verdict()
	v.asked = true
	if v.passed() {
		t.Error("passed")
	}
}

// What was used before a change of the limit is used after it, and what is beyond it
// is measured by the new one.
func TestTheJudgeChangesWithTheLimit(t *testing.T) {
	j, n := newJudge(before), lone(t)
	for range 12 {
		j.decided(n, 0, false, someTime, true)
	}
	at := someTime + 1e9 // 10 of the 12 have drained
	j.changes = []node.LimitChange{{Name: node.DefaultLimit, Policy: after, At: time.Unix(0, at)}}
	j.decided(n, 1, false, at-1, true)
	if p := j.gcra.Policy(); p.Limit != before.Limit {
		t.Errorf("changed before its time: %+v", p)
	}
	for range after.Burst - 2 {
		j.decided(n, 0, false, at, true)
	}
	if j.e != 0 || j.gcra.Policy().Limit != after.Limit || len(j.changes) != 0 {
		t.Errorf("E is %v for what is just within the limit", j.e)
	}
	j.decided(n, 0, false, at, true)
	if math.Abs(j.e-1) > 1e-6 || j.broken != 0 || j.slack != rounding {
		t.Errorf("E is %v, %d broken, slack %v", j.e, j.broken, j.slack)
	}
}
