package node

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// restoredNode opens a node with a file of counts, and waits until it has taken what there is of it.
func restoredNode(t *testing.T, cfg Config, file []byte) (*Node, Restored, error) {
	t.Helper()
	type told struct {
		r   Restored
		err error
	}
	done := make(chan told, 2)
	cfg.SavedCounts = bytes.NewReader(file)
	cfg.CountsRestored = func(r Restored, err error) { done <- told{r, err} }
	n := openNode(t, cfg)
	select {
	case x := <-done:
		return n, x.r, x.err
	case <-time.After(time.Minute):
		t.Fatal("nobody tells what came back")
	}
	return n, Restored{}, nil
}

func openNode(t *testing.T, cfg Config) *Node {
	t.Helper()
	n, err := Open(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = n.Close() })
	return n
}

func savedBy(t *testing.T, n *Node) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := n.SaveCounts(&b, true); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func someLimits() Config {
	return Config{Name: "n1", Limit: 10, Window: time.Hour, Limits: map[string]Policy{
		"fixed": {Limit: 10, Window: 24 * time.Hour, Algorithm: FixedWindow}, "local": {Limit: 10, Window: time.Hour, Consistency: Local},
	}}
}

func TestCountsOutliveANode(t *testing.T) {
	cfg := someLimits()
	n := openNode(t, cfg)
	for i := range 5000 {
		n.Take(fmt.Sprint("c", i), 1+int64(i%10))
	}
	for _, name := range []string{"fixed", "local"} {
		if d := n.Limiter(name).Take("c", 10); !d.Allowed {
			t.Fatal(name, d)
		}
	}
	file := savedBy(t, n)
	again, r, err := restoredNode(t, cfg, file)
	if err != nil || r.Clients != 5002 || r.Lost != 0 {
		t.Fatalf("%+v, %v", r, err)
	}
	for i := range 5000 {
		if got, want := again.def.Peek(fmt.Sprint("c", i), 1).Remaining, 10-1-int64(i%10); got < want || got > want+1 {
			t.Fatalf("%d left of client %d, want %d", got, i, want)
		}
	}
	for _, name := range []string{"fixed", "local"} {
		if again.Limiter(name).Allow("c") {
			t.Error(name, "forgot")
		}
	}
	if b := again.Stats().Limits[0].OvershootBound; b != 0 {
		t.Errorf("a node that lost nothing exports %v", b)
	}
}

func TestAFileThatIsNotThisNodesChangesNothing(t *testing.T) {
	now := time.Now()
	clock := func() time.Time { return now }
	cfg := someLimits()
	cfg.ClusterKey, cfg.Now = []byte("0123456789abcdef"), clock
	n := openNode(t, cfg)
	n.Take("c", 10)
	file := savedBy(t, n)
	damaged := bytes.Clone(file)
	damaged[len(damaged)-1] ^= 1
	newer := bytes.Clone(file)
	newer[8]++
	older := bytes.Clone(file)
	older[8]--
	for name, c := range map[string]struct {
		change func(*Config)
		file   []byte
		want   string
	}{
		"cluster": {func(c *Config) { c.Cluster = "other" }, file, `of the cluster "default"`},
		"node":    {func(c *Config) { c.Name = "n2" }, file, `of the node "n1"`},
		"key":     {func(c *Config) { c.ClusterKey = []byte("fedcba9876543210") }, file, "another cluster key"},
		"ahead":   {func(c *Config) { c.Now = func() time.Time { return now.Add(-time.Hour) } }, file, "a clock saved it that was ahead"},
		"damaged": {func(*Config) {}, damaged, "damaged"},
		"cut off": {func(*Config) {}, file[:len(file)-3], "damaged"},
		"newer":   {func(*Config) {}, newer, "a newer ratelimitd wrote it"},
		"older":   {func(*Config) {}, older, "an older ratelimitd wrote it"},
		"empty":   {func(*Config) {}, nil, "empty"},
		"text":    {func(*Config) {}, []byte("nothing of the kind"), "no file of counts"},
	} {
		changed := cfg
		c.change(&changed)
		again, _, err := restoredNode(t, changed, c.file)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
		if got := again.def.Peek("c", 1).Remaining; got != 10 || again.Stats().Clients != 0 {
			t.Errorf("%s: %d left, %d clients", name, got, again.Stats().Clients)
		}
		if err := again.Ready(); err != nil && !errors.Is(err, ErrClockAhead) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// slow is a file that reads no further until somebody lets it.
type slow struct {
	*bytes.Reader
	open atomic.Bool
}

func (s *slow) Read(b []byte) (int, error) {
	if s.Len() < int(s.Size())/2 {
		for !s.open.Load() {
			time.Sleep(time.Millisecond)
		}
	}
	return s.Reader.Read(b)
}

func TestNobodyWaitsForAFile(t *testing.T) {
	n := openNode(t, someLimits())
	for i := range 5000 {
		n.Take(fmt.Sprint("c", i), 10)
	}
	cfg := someLimits()
	from := &slow{Reader: bytes.NewReader(savedBy(t, n))}
	done := make(chan error, 1)
	cfg.SavedCounts, cfg.CountsRestored = from, func(_ Restored, err error) { done <- err }
	again := openNode(t, cfg)
	if !again.Allow("c1") { // the file is not here yet
		t.Error("a decision is denied that nothing tells of")
	}
	if err := again.SaveCounts(io.Discard, false); !errors.Is(err, ErrRestoring) {
		t.Errorf("half of the counts are saved over all of them: %v", err)
	}
	if err := again.Ready(); !errors.Is(err, ErrJoining) {
		t.Errorf("ready before the counts are here: %v", err)
	}
	for again.Ready() != nil { // but it waits for 5 s at most
		time.Sleep(10 * time.Millisecond)
	}
	from.open.Store(true)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if again.Allow("c1") || again.Allow("c2") {
		t.Error("what came late does not count")
	}
	if err := again.SaveCounts(io.Discard, false); err != nil {
		t.Error(err)
	}
}

func TestCloseDoesNotWaitForAFile(t *testing.T) {
	n := openNode(t, someLimits())
	for i := range 100_000 {
		n.Take(fmt.Sprint("c", i), 10)
	}
	cfg := someLimits()
	cfg.SavedCounts = bytes.NewReader(savedBy(t, n))
	again := openNode(t, cfg)
	if err := again.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestADiskThatIsFullIsTheSaversError(t *testing.T) {
	n := openNode(t, someLimits())
	n.Take("c", 1)
	full := errors.New("no space left on device")
	if err := n.SaveCounts(fullDisk{full}, false); !errors.Is(err, full) {
		t.Error(err)
	}
}

// fullDisk fails.
type fullDisk struct{ err error }

func (w fullDisk) Write([]byte) (int, error) { return 0, w.err }

// A node that starts has no right of a bounded limit, whatever a file says.
func TestRightsAreInNoFile(t *testing.T) {
	var now atomic.Int64 // the node's goroutines read it too
	now.Store(1_800_000_000e9)
	cfg := Config{Name: "n1", Limit: 100, Window: time.Hour, Now: func() time.Time { return time.Unix(0, now.Load()) }}
	cfg.Limits = map[string]Policy{"bounded": {Limit: 100, Window: time.Hour, Consistency: Bounded}}
	admits := func(n *Node) (admitted int) {
		for n.Limiter("bounded").Allow("c") {
			admitted++
		}
		return admitted
	}
	n := openNode(t, cfg)
	now.Add(int64(2 * time.Hour))
	if n.Limiter("bounded").Take("c", 1); admits(n) < 90 {
		t.Fatal("an account that is full lets little pass")
	}
	file := savedBy(t, n)
	fresh := openNode(t, cfg)
	again, r, err := restoredNode(t, cfg, file)
	if err != nil || r.Lost > 0 {
		t.Fatal(r, err)
	}
	if got, want := admits(again), admits(fresh); got > want {
		t.Errorf("with a file it admits %d at its start, and without one %d", got, want)
	}
}
