package integration_test

import (
	"bufio"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// TestTheWholeClusterRemembersOverARestart stops three daemons at once, in order and by kill -9, and
// starts them again. Nobody is left to ask, so they have what their state directories hold.
func TestTheWholeClusterRemembersOverARestart(t *testing.T) {
	if testing.Short() {
		t.Skip("real processes")
	}
	t.Parallel()
	at := []string{freeAddress(t), freeAddress(t), freeAddress(t)}
	var all []*daemon
	for i := range at {
		all = append(all, newDaemon(t, fmt.Sprintf("d%d", i), "-nats-cluster", at[i], "-nats-routes", strings.Join(at, ","),
			"-drain-delay", "0", "-state-dir", t.TempDir(), "-snapshot-interval", "1s"))
	}
	together(t, all)
	// Ten units drain in a minute. A node that forgot has 100 left.
	// A client that each node knows a third of, one that the last node to stop knows alone, and many.
	for i, d := range all {
		if !d.take("shared", 33).Allowed {
			t.Fatalf("node %d denied a third", i)
		}
		for j := range 50 {
			d.take(fmt.Sprintf("c%d-%d", i, j), 60)
		}
	}

	restart(t, all, func(d *daemon) {
		_ = d.process.cmd.Process.Signal(syscall.SIGTERM)
		_ = d.process.cmd.Wait()
	}, func() { all[2].take("last", 100) })
	for i, d := range all {
		for client, most := range map[string]int{"shared": 20, "last": 20, "c0-1": 60, "c1-7": 60, "c2-49": 60} {
			eventually(t, "it knows what "+client+" used", func() bool { return d.remaining(client) <= most })
		}
		if d.take("last", 40).Allowed {
			t.Errorf("node %d forgot after a stop in order", i)
		}
	}
	for _, d := range all {
		if bound, reasons := d.bound(); math.IsInf(bound, 1) {
			t.Errorf("after a stop in order %s does not know its bound: %v", d.args[1], reasons)
		}
	}

	// What was saved before is known after a crash. What came after the last file may not be.
	all[1].take("crash", 100)
	for _, d := range all {
		eventually(t, "the others know", func() bool { return d.remaining("crash") <= 20 })
		d.awaitSave()
	}
	restart(t, all, func(d *daemon) { d.process.kill() }, func() {})
	for i, d := range all {
		for _, client := range []string{"shared", "last", "crash"} {
			if d.take(client, 60).Allowed {
				t.Errorf("node %d forgot what %s used before the last file", i, client)
			}
		}
		if bound, reasons := d.bound(); math.IsInf(bound, 1) {
			t.Errorf("after a crash %s does not know its bound: %v", d.args[1], reasons)
		} else if bound < 100 {
			t.Errorf("after a crash the bound of %s is %v: nobody knows what was admitted since the last file", d.args[1], bound)
		}
	}
}

func together(t *testing.T, all []*daemon) {
	t.Helper()
	for _, d := range all {
		eventually(t, "it hears the others", func() bool { return d.alive() == len(all)-1 })
	}
}

// restart stops all daemons at one time and starts them at one time. The last one is stopped after
// between.
func restart(t *testing.T, all []*daemon, stop func(*daemon), between func()) {
	t.Helper()
	var stopping, starting sync.WaitGroup
	for _, d := range all[:len(all)-1] {
		stopping.Go(func() { stop(d) })
	}
	stopping.Wait()
	between()
	stop(all[len(all)-1])
	for _, d := range all {
		starting.Go(d.run)
	}
	starting.Wait()
	together(t, all)
	for _, d := range all {
		eventually(t, "it has its counts", func() bool { return strings.Contains(d.process.log(), "saved counts are back") })
	}
}

// bound is what a daemon exports of the limit "default", once it has joined and settled.
func (d *daemon) bound() (units float64, reasons []string) {
	d.t.Helper()
	var s struct {
		Reasons []string `json:"degraded_reasons"`
		Bound   map[string]struct{ Units *float64 }
	}
	eventually(d.t, "it has settled", func() bool {
		s.Reasons, s.Bound = nil, nil
		d.ask("GET", "/v1/status", &s)
		return len(s.Reasons) == 0 || slices.Equal(s.Reasons, []string{"joined_without_snapshot"})
	})
	if u := s.Bound["default"].Units; u != nil {
		return *u, s.Reasons
	}
	return math.Inf(1), s.Reasons
}

// awaitSave waits until the daemon has begun and ended another file.
func (d *daemon) awaitSave() {
	d.t.Helper()
	began := float64(time.Now().UnixNano()) / 1e9
	eventually(d.t, "it saves its counts", func() bool { return d.metric("ratelimiter_counts_last_save_timestamp_seconds") > began })
}

// metric is a metric without labels.
func (d *daemon) metric(name string) (v float64) {
	d.t.Helper()
	resp, err := http.Get("http://" + d.http + "/metrics") //nolint:noctx // on this machine
	if err != nil {
		d.t.Fatal(err)
	}
	defer resp.Body.Close()
	lines := bufio.NewScanner(resp.Body)
	for lines.Scan() {
		if text, some := strings.CutPrefix(lines.Text(), name+" "); some {
			if v, err = strconv.ParseFloat(text, 64); err != nil {
				d.t.Fatal(err)
			}
			return v
		}
	}
	d.t.Fatalf("no metric is called %s", name)
	return 0
}
