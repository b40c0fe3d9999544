package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
)

// ledger is a node whose counts are a text.
type ledger struct {
	text []byte
	err  error
	last []bool
}

func (l *ledger) SaveCounts(w io.Writer, last bool) error {
	l.last = append(l.last, last)
	if l.err != nil {
		return l.err
	}
	for b := l.text; len(b) > 0; {
		n, err := w.Write(b[:min(len(b), 50<<10)])
		if err != nil {
			return err
		}
		b = b[n:]
	}
	return nil
}

func keeper(t *testing.T, interval time.Duration) (c *counts, dir string, log *bytes.Buffer) {
	t.Helper()
	log = &bytes.Buffer{}
	dir = t.TempDir()
	l := slog.New(slog.NewTextHandler(log, nil))
	s, err := openState(dir, l)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.close)
	return openCounts(s, interval, l), dir, log
}

func TestCountsAreSavedEveryIntervalAndAtTheEnd(t *testing.T) {
	c, dir, log := keeper(t, time.Minute)
	synctest.Test(t, func(t *testing.T) {
		c.stopping = make(chan struct{}) // of the bubble
		n := &ledger{text: []byte("some")}
		c.start(n)
		time.Sleep(150 * time.Second)
		synctest.Wait()
		if len(n.last) != 2 || n.last[1] {
			t.Errorf("saved as %v", n.last)
		}
		c.stop()
		n.text = []byte("all")
		c.last(context.Background(), n)
		if len(n.last) != 3 || !n.last[2] {
			t.Errorf("saved as %v", n.last)
		}
	})
	if got, err := os.ReadFile(filepath.Join(dir, countsFile)); err != nil || string(got) != "all" {
		t.Errorf("%q, %v", got, err)
	}
	if log.Len() > 0 {
		t.Error(log)
	}
}

func TestALargeTableIsSavedAtALeisurelyRate(t *testing.T) {
	c, dir, _ := keeper(t, time.Minute)
	synctest.Test(t, func(t *testing.T) {
		c.stopping = make(chan struct{})
		n := &ledger{text: make([]byte, 2*countsRate)}
		began := time.Now()
		c.save(n, c.pace())
		if took := time.Since(began); took < 1900*time.Millisecond || took > 2100*time.Millisecond {
			t.Errorf("%d bytes took %v", len(n.text), took)
		}
		began = time.Now()
		go func() {
			time.Sleep(time.Second)
			close(c.stopping)
		}()
		n.text = n.text[:countsRate*3/2]
		c.save(n, c.pace()) // a stop does not wait for the rest
		if took := time.Since(began); took > 1100*time.Millisecond {
			t.Errorf("a stop waited for %v", took)
		}
	})
	info, err := os.Stat(filepath.Join(dir, countsFile))
	if err != nil || info.Size() != 2*countsRate {
		t.Error("half a file is in the place of a whole one", info, err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, ".*-*")); len(left) > 0 {
		t.Error("left over:", left)
	}
}

func TestALastSaveEndsInTime(t *testing.T) {
	c, dir, log := keeper(t, time.Minute)
	c.save(&ledger{text: []byte("before")}, c.pace())
	c.stop()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	c.last(ctx, &ledger{text: make([]byte, 2*countsPiece)})
	if got, err := os.ReadFile(filepath.Join(dir, countsFile)); err != nil || string(got) != "before" {
		t.Errorf("%q, %v", got, err)
	}
	if !strings.Contains(log.String(), "counts could not be saved") {
		t.Error(log)
	}
}

func TestAFullDiskIsToldOnceAndHarmsNothing(t *testing.T) {
	c, dir, log := keeper(t, time.Minute)
	c.save(&ledger{text: []byte("before")}, c.pace())
	for range 3 {
		c.save(&ledger{err: &os.PathError{Op: "write", Path: "x", Err: syscall.ENOSPC}}, c.pace())
	}
	if n := strings.Count(log.String(), "counts could not be saved"); n != 1 {
		t.Errorf("told %d times: %s", n, log)
	}
	c.save(&ledger{err: syscall.EIO}, c.pace())
	if n := strings.Count(log.String(), "counts could not be saved"); n != 2 {
		t.Errorf("another fault is told %d times: %s", n, log)
	}
	for _, err := range []error{node.ErrJoining, node.ErrRestoring, node.ErrClockAhead} {
		c.save(&ledger{err: err}, c.pace())
	}
	if n := strings.Count(log.String(), "\n"); n != 2 {
		t.Errorf("what is no fault is told: %s", log)
	}
	if got, err := os.ReadFile(filepath.Join(dir, countsFile)); err != nil || string(got) != "before" {
		t.Errorf("%q, %v", got, err)
	}
}

func TestCountsBeyondTheLargestFileAreNotSaved(t *testing.T) {
	size := int64(mostCounts)
	p := &paced{to: io.Discard, pace: func(int) error { return nil }, size: &size}
	if _, err := p.Write([]byte{1}); !errors.Is(err, errCountsSize) {
		t.Error(err)
	}
}

func TestWhatAKilledWriterLeftIsRemoved(t *testing.T) {
	dir := t.TempDir()
	half := filepath.Join(dir, "."+countsFile+"-123")
	if err := os.WriteFile(half, make([]byte, 100), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := openState(dir, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	openCounts(s, time.Minute, slog.New(slog.DiscardHandler))
	if _, err := os.Stat(half); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}

func TestWithoutAStateDirectoryOrAnIntervalNoCountsAreSaved(t *testing.T) {
	nowhere, err := openState("", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	off, _, _ := keeper(t, 0)
	for _, c := range []*counts{openCounts(nowhere, time.Minute, slog.New(slog.DiscardHandler)), off} {
		var cfg node.Config
		n := &ledger{text: []byte("some")}
		c.bring(&cfg)
		c.start(n)
		c.stop()
		c.last(context.Background(), n)
		if cfg.SavedCounts != nil || len(n.last) > 0 {
			t.Errorf("%+v, %v", cfg.SavedCounts, n.last)
		}
	}
}

// take asks a daemon for a decision, and returns the code.
func (p *process) take(client string) int {
	p.t.Helper()
	resp, err := http.Post(p.url+"/v1/take", "application/json", strings.NewReader(`{"client":"`+client+`"}`)) //nolint:noctx // a test's
	if err != nil {
		p.t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	return resp.StatusCode
}

func (p *process) end(s os.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatal(err)
	}
	select {
	case <-p.done:
	case <-time.After(deadline):
		p.t.Fatal("it does not end")
	}
}

func TestADaemonsCountsOutliveIt(t *testing.T) {
	args := []string{"-state-dir", t.TempDir(), "-limit", "3", "-window", "1h", "-snapshot-interval", "1s"}
	p := runDaemon(t, nil, args...)
	for range 3 {
		if code := p.take("early"); code != http.StatusOK {
			t.Fatal(code)
		}
	}
	p.awaitFile(args[1])
	for range 3 {
		p.take("late")
	}
	p.end(syscall.SIGTERM)
	p = runDaemon(t, nil, args...)
	p.await("saved counts are back")
	for _, client := range []string{"early", "late"} {
		if code := p.take(client); code != http.StatusTooManyRequests {
			t.Errorf("%s gets %d after a stop in order", client, code)
		}
	}
	p.end(syscall.SIGKILL)
	p = runDaemon(t, nil, args...)
	p.await("saved counts are back")
	if code := p.take("early"); code != http.StatusTooManyRequests {
		t.Errorf("it gets %d after a crash", code)
	}
}

// awaitFile waits until counts are in a directory.
func (p *process) awaitFile(dir string) {
	p.t.Helper()
	for end := time.Now().Add(deadline); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if _, err := os.Stat(filepath.Join(dir, countsFile)); err == nil {
			return
		}
	}
	p.t.Fatal("no counts are saved")
}

func TestADaemonPutsAFileOfCountsAsideThatItCannotUse(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, countsFile)
	if err := os.WriteFile(path, []byte("nothing of the kind"), 0o600); err != nil {
		t.Fatal(err)
	}
	p := runDaemon(t, nil, "-state-dir", dir)
	told := p.await("saved counts cannot be used")
	if told["file"] != path || told["error"] != "it is no file of counts" || !strings.HasPrefix(fmt.Sprint(told["put_aside"]), path+".bad-") {
		t.Error(told)
	}
	if code := p.take("c"); code != http.StatusOK {
		t.Error(code)
	}
}
