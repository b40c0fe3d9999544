package integration_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// boundedFor is how long the bounded limits are under fire: BOUNDED_FOR, or a few seconds.
func boundedFor(t *testing.T) time.Duration {
	t.Helper()
	text := os.Getenv("BOUNDED_FOR")
	if text == "" {
		return 10 * time.Second
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		t.Fatalf("BOUNDED_FOR: %v", err)
	}
	return d
}

// fire is what processes admitted of one limit, by this process's monotonic clock.
type fire struct {
	limit   string
	units   float64 // per second
	most    float64 // burst and excess
	mu      sync.Mutex
	entries []entry // that were admitted
}

// beyond is by how many units the admissions went beyond the cap, in the worst stretch. Each one
// happened between question and answer, so a stretch holds those that lie in it as a whole.
func (f *fire) beyond() (worst float64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	byAnswer := slices.Clone(f.entries)
	slices.SortFunc(byAnswer, func(a, b entry) int { return a.answered.Compare(b.answered) })
	for _, first := range f.entries {
		held := 0.0
		for _, e := range byAnswer {
			if !e.asked.Before(first.asked) {
				held++
				worst = max(worst, held-f.most-f.units*e.answered.Sub(first.asked).Seconds())
			}
		}
	}
	return worst
}

// TestBoundedLimitsHoldThroughKillsAndCuts kills a node of three every second, and cuts one off,
// while clients spend all they can. BOUNDED_FOR says for how long: see `make bounded-check`.
func TestBoundedLimitsHoldThroughKillsAndCuts(t *testing.T) {
	if testing.Short() {
		t.Skip("real processes")
	}
	t.Parallel()
	file := filepath.Join(t.TempDir(), "bounded.yaml")
	if err := os.WriteFile(file, []byte(`roster: [d0, d1, d2]
limits:
  none: {limit: 60, window: 3, burst: 60, consistency: bounded}
  five: {limit: 60, window: 3, burst: 60, consistency: bounded, max_excess: 0.05}
`), 0o600); err != nil {
		t.Fatal(err)
	}
	h := newHub(t, "-a", "127.0.0.1")
	var all []*daemon
	var doors []*door
	dirs := t.TempDir()
	for i := range 3 {
		d := newDoor(t)
		d.open(t, h.address)
		doors = append(doors, d)
		all = append(all, newDaemon(t, fmt.Sprintf("d%d", i), "-config", file, "-nats", "nats://"+d.address, "-state-dir", filepath.Join(dirs, fmt.Sprint(i))))
	}
	for i := range all { // a node that never used its share waits until all agree, so first let them
		eventually(t, "a node uses its shares", func() bool {
			text, err := os.ReadFile(filepath.Join(dirs, fmt.Sprint(i), "roster.json"))
			return err == nil && strings.Contains(string(text), `"opened":true`)
		})
	}
	fires := []*fire{{limit: "none", units: 20, most: 60}, {limit: "five", units: 20, most: 63}}
	end := time.Now().Add(boundedFor(t))
	var load sync.WaitGroup
	for _, f := range fires {
		for i, d := range all {
			for range 2 {
				load.Go(func() {
					for time.Now().Before(end) {
						e := entry{node: i, asked: time.Now()}
						status, _ := d.try("POST", "/v1/take?client=c&limit="+f.limit)
						e.answered = time.Now()
						if status == http.StatusOK {
							f.mu.Lock()
							f.entries = append(f.entries, e)
							f.mu.Unlock()
						}
						time.Sleep(5 * time.Millisecond) // the load, not a wait for anything
					}
				})
			}
		}
	}
	kills := 0
	for turn := 0; time.Now().Before(end); turn++ {
		victim, other := all[turn%3], doors[(turn+1)%3]
		switch turn % 4 {
		case 3:
			other.shut()
			time.Sleep(time.Second) // how long the cut lasts
			other.open(t, h.address)
		default:
			victim.process.kill()
			kills++
			victim.process = spawn(t, "ratelimitd", victim.args...)
			time.Sleep(time.Second) // a kill a second
		}
	}
	load.Wait()
	for _, f := range fires {
		worst, admitted := f.beyond(), len(f.entries)
		t.Logf("%s: %d units passed through %d kills; %.3f beyond the cap at most", f.limit, admitted, kills, worst)
		if worst > 0 {
			t.Errorf("%s: %.3f units beyond the cap", f.limit, worst)
		}
		if admitted < 20 {
			t.Errorf("%s: %d units passed: too few to prove anything", f.limit, admitted)
		}
	}
	if strings.Contains(all[0].process.log(), "panic") {
		t.Error("a node panicked")
	}
}
