package main

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
)

func TestTheLastRunIsNoted(t *testing.T) {
	s := newShelf(t)
	if r := s.lastRun(); r != (node.Run{}) {
		t.Errorf("%+v was noted before there was a run", r)
	}
	began := time.Now().Add(-time.Hour).Round(0)
	run := node.Run{Incarnation: 7, Began: began, Until: began.Add(time.Minute)}
	s.note(run)
	if r := s.lastRun(); r.Incarnation != 7 || !r.Began.Equal(began) || !r.Until.Equal(run.Until.Add(runEvery)) || r.Left {
		t.Errorf("%+v after a crash: it can have run until the next note", r)
	}
	soon := run
	soon.Until = run.Until.Add(runEvery / 2)
	s.note(soon)
	if r := s.lastRun(); !r.Until.Equal(run.Until.Add(runEvery)) {
		t.Errorf("noted again at once: %+v", r)
	}
	soon.Left = true
	s.note(soon)
	if r := s.lastRun(); !r.Until.Equal(soon.Until) || !r.Left {
		t.Errorf("%+v after it left: that is the end", r)
	}
	run.Until = time.Now().Add(-time.Second)
	s.note(run)
	if r := s.lastRun(); r.Until.After(time.Now()) {
		t.Errorf("it ran until %v, which is to come", r.Until)
	}
	if err := os.WriteFile(filepath.Join(s.dir, runFile), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.log.Reset()
	if r := s.lastRun(); r != (node.Run{}) || s.log.Len() == 0 {
		t.Errorf("a damaged file gives %+v, and the log has %q", r, s.log)
	}
}

func TestWithoutAStateDirectoryNoRunIsNoted(t *testing.T) {
	s := &state{}
	s.note(node.Run{Incarnation: 7})
	if r := s.lastRun(); r != (node.Run{}) {
		t.Errorf("%+v", r)
	}
}
