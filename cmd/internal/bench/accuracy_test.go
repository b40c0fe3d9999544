package bench

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"math"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/gcra"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/limit"
)

// centralTarget is a node alone, which is one central limiter.
func centralTarget(t *testing.T, p limit.Policy) Target {
	t.Helper()
	c, err := StartCluster(t.Context(), 1, "bench", p)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c.Nodes()[0].Target
}

// generous is a target that admits the first n requests, and then none.
func generous(n int) targetFunc {
	var mu sync.Mutex
	return func(context.Context, string) (bool, error) {
		mu.Lock()
		defer mu.Unlock()
		n--
		return n >= 0, nil
	}
}

func TestAccuracyComparesWithOneCentralLimiter(t *testing.T) {
	hour := limit.Policy{Limit: 10, Window: time.Hour}
	for name, c := range map[string]struct {
		admits      int
		over, under int64
		excess      float64
		beyond      int64
		room, wrong int64
	}{
		"as the limit says": {10, 0, 0, 0, 0, 0, 0},
		"too much":          {14, 4, 0, 4, 1, 0, 0}, // the bound is 3
		"too little":        {7, 0, 3, 0, 0, 93, 1}, // with the ninth, the client asks for as much as nobody promised
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cfg := load()
				cfg.Clients, cfg.Policy = 1, &hour
				r, err := Run(context.Background(), cfg, one(generous(c.admits)), func(context.Context) (float64, bool) { return 3, true })
				if err != nil {
					t.Fatal(err)
				}
				a := r.Accuracy
				if a.Central != 10 || a.Admitted != int64(c.admits) || a.Over != c.over || a.Under != c.under {
					t.Errorf("%+v", a)
				}
				if math.Abs(a.Excess-c.excess) > 0.01 || a.Beyond != c.beyond || a.DeniedWithRoom != c.room || a.WronglyDenied != c.wrong {
					t.Errorf("%+v", a)
				}
				if a.Bound == nil || *a.Bound != 3 || (a.BoundThen != nil) != (c.excess > 0) {
					t.Errorf("%+v", a)
				}
			})
		})
	}
}

func TestAnUnknownLimitHasNoAccuracy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, err := Run(context.Background(), load(), one(generous(5)), nil)
		if err != nil || r.Accuracy != nil {
			t.Errorf("%v, %+v", err, r.Accuracy)
		}
		var th Thresholds
		if err := th.Set("overshoot<1%"); err != nil {
			t.Fatal(err)
		}
		if !th.Judge(r) || !strings.Contains(r.Failed[0], "not known") {
			t.Errorf("%q", r.Failed)
		}
	})
}

// recount judges an event log with the limiter of package gcra, on its own: who got what, and
// how far beyond the limit that was.
func recount(t *testing.T, log []byte, p gcra.Policy, to map[string]gcra.Policy) (central, admitted map[string]int64, excess float64, answers map[string]int64) {
	t.Helper()
	g, err := gcra.New(p)
	if err != nil {
		t.Fatal(err)
	}
	central, admitted, answers = map[string]int64{}, map[string]int64{}, map[string]int64{}
	levels, yards := map[string]gcra.Level{}, map[string]gcra.Level{}
	last := int64(0)
	in := bufio.NewScanner(bytes.NewReader(log))
	for in.Scan() {
		var e Event
		if err := json.Unmarshal(in.Bytes(), &e); err != nil {
			t.Fatalf("%v in %s", err, in.Bytes())
		}
		if e.At < last {
			t.Fatalf("%s comes after %d", in.Bytes(), last)
		}
		last = e.At
		if e.Action != "" {
			next, ok := to[e.Action]
			if !ok {
				continue
			}
			old := g
			if g, err = gcra.New(next); err != nil {
				t.Fatal(err)
			}
			for _, levels := range []map[string]gcra.Level{levels, yards} {
				for client, l := range levels {
					used := old.UnitsOver(max(0, old.TAT(l)-e.At))
					levels[client] = gcra.Level{Base: e.At, Count: min(used, uint64(next.Burst))} //nolint:gosec // positive
				}
			}
			continue
		}
		answers[e.Verdict]++
		if e.Verdict == "failed" {
			continue
		}
		level := levels[e.Client]
		if level.Count == 0 || g.TAT(level) < e.At {
			level = gcra.Level{Base: e.At}
		}
		if ok, _ := g.Admit(level, e.At, e.Cost); ok {
			level.Count += uint64(e.Cost) //nolint:gosec // positive
			central[e.Client] += e.Cost
		}
		levels[e.Client] = level
		if e.Verdict != "admitted" {
			continue
		}
		admitted[e.Client] += e.Cost
		yard := yards[e.Client]
		if yard.Count == 0 || g.TAT(yard) < e.At {
			yard = gcra.Level{Base: e.At}
		}
		yard.Count += uint64(e.Cost) //nolint:gosec // positive
		yards[e.Client] = yard
		q := g.Policy()
		excess = max(excess, float64(g.TAT(yard)-e.At)*float64(q.Limit)/float64(q.Window)-float64(q.Burst))
	}
	return central, admitted, excess, answers
}

// TestARecountOfTheEventLogAgrees runs real nodes under a load in which the limit changes and a
// node dies, and counts again what the event log says.
func TestARecountOfTheEventLogAgrees(t *testing.T) {
	p := node.Policy{Limit: 40, Window: time.Second, Burst: 20}
	next := node.Policy{Limit: 20, Window: time.Second, Burst: 10}
	c, err := StartCluster(t.Context(), 3, "bench", p)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	var log bytes.Buffer
	events := NewEventLog(&log)
	cfg := Config{
		Rate: 1000, Duration: 3 * time.Second, Workers: 8, Clients: 5, Dist: Dist{Zipf, 1.5}, Cost: 2, Seed: 7,
		Policy: &p, Events: events,
		Actions: []Action{
			{At: time.Second, Name: "changed", Do: func(context.Context) (*limit.Policy, time.Time, error) {
				from, err := c.SetLimit(next)
				return &next, from, err
			}},
			{At: 2 * time.Second, Name: "killed", Do: func(context.Context) (*limit.Policy, time.Time, error) { return nil, time.Time{}, c.Kill(2) }},
			{At: time.Minute, Name: "never", Do: func(context.Context) (*limit.Policy, time.Time, error) { panic("too early") }},
		},
	}
	r, err := Run(t.Context(), cfg, c.Nodes(), c.Bound)
	if err != nil || events.Close() != nil {
		t.Fatal(err)
	}
	central, admitted, excess, answers := recount(t, log.Bytes(), gcra.Policy{Limit: 40, Window: time.Second, Burst: 20},
		map[string]gcra.Policy{"changed": {Limit: 20, Window: time.Second, Burst: 10}})
	a := r.Accuracy
	sum := func(m map[string]int64) (n int64) {
		for _, v := range m {
			n += v
		}
		return n
	}
	if sum(central) != a.Central || sum(admitted) != a.Admitted || a.Central == 0 || answers["denied"] == 0 {
		t.Errorf("central %d and admitted %d, recounted %d and %d", a.Central, a.Admitted, sum(central), sum(admitted))
	}
	if answers["admitted"] != r.Allowed || answers["denied"] != r.Denied || answers["failed"] != r.Errors {
		t.Errorf("%v, but %d, %d and %d", answers, r.Allowed, r.Denied, r.Errors)
	}
	if len(a.Clients) != 5 {
		t.Errorf("%d clients of 5", len(a.Clients))
	}
	for _, one := range a.Clients {
		if one.Central != central[one.Client] || one.Admitted != admitted[one.Client] {
			t.Errorf("%+v, recounted %d and %d", one, central[one.Client], admitted[one.Client])
		}
	}
	if math.Abs(a.Excess-excess) > 1e-3 {
		t.Errorf("E is %v, recounted %v", a.Excess, excess)
	}
	if a.Bound == nil || a.Beyond > 0 {
		t.Errorf("%d admissions beyond the bound %v", a.Beyond, a.Bound)
	}
	if len(a.Limits) != 2 || len(r.Happened) != 3 || r.Happened[0].Error+r.Happened[1].Error != "" || r.Happened[2].Error == "" {
		t.Errorf("%q, %+v", a.Limits, r.Happened)
	}
	points := int64(0)
	for i := range r.Timeline {
		points += r.Timeline[i].Allowed + r.Timeline[i].Denied + r.Timeline[i].Errors
	}
	var page bytes.Buffer
	if err := r.HTML(&page); err != nil || !strings.Contains(page.String(), `"E of the worst client"`) || !strings.Contains(page.String(), "killed") {
		t.Errorf("%v in a page of %d bytes", err, page.Len())
	}
	if points != r.Sent {
		t.Errorf("the timeline has %d of %d requests", points, r.Sent)
	}
}

func TestThresholdsDecide(t *testing.T) {
	bound := 10.0
	r := &Result{
		Sent: 1000, Planned: 1000, Allowed: 500, Denied: 490, Errors: 10, Offered: 100, Achieved: 99, Admitted: 50,
		Latency:  Latency{P50: 0.2, P90: 0.5, P99: 0.9, P999: 3, Max: 20},
		Accuracy: &Accuracy{Overshoot: 0.005, Undershoot: 0.02, Excess: 2, Bound: &bound, WronglyDenied: 1},
	}
	for text, holds := range map[string]bool{
		"p99<1ms": true, "p99<0.9ms": false, "p99<=900us": true, "p99.9<3ms": false, "max<1s": true, "p50>1ms": false,
		"overshoot<1%": true, "overshoot < 0.4 %": false, "undershoot<1%": false, "errors<=10": true, "errors<1%": false, "errors<=1%": true,
		"unsent<1": true, "excess<3": true, "excess<20%": false, "excess<=20%": true, "beyond<1": true, "wrongly-denied<1": false,
		"achieved>=99%": true, "achieved>99": false, "admitted>49,admitted<51": true, "p99<1ms,errors<1": false,
	} {
		var th Thresholds
		if err := th.Set(text); err != nil {
			t.Errorf("%s: %v", text, err)
		} else if missed := th.Judge(r); missed == holds {
			t.Errorf("%s: missed %v: %q", text, missed, r.Failed)
		}
	}
	for text, says := range map[string]string{
		"": "must be like", "p99": "must be like", "p98<1ms": "known are", "p99<1": "duration", "overshoot<1": "percentage",
		"wrongly-denied<1%": "no share", "errors<x": "number", "errors<-1": "number", "p99<1ms,": "must be like",
	} {
		var th Thresholds
		if err := th.Set(text); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// The few answers that come after the end would make each chart of rates end in a fall.
func TestTheLastStretchHasARateOnlyIfItIsWhole(t *testing.T) {
	r := &Result{Seconds: 0.21, Timeline: []Point{{At: 0}, {At: 0.1}, {At: 0.2}}}
	rate := r.perSecond()
	if got := rate(&r.Timeline[1], 30); got != 300 {
		t.Errorf("30 in a tenth of a second are %v a second", got)
	}
	if got := rate(&r.Timeline[2], 1); !math.IsNaN(got) {
		t.Errorf("a part of a stretch has the rate %v", got)
	}
	if r.Seconds = 0.3001; r.perSecond()(&r.Timeline[2], 30) < 299 {
		t.Error("the last stretch is a gap, and was whole")
	}
}
