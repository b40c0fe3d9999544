package main

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
)

// TestASmallFileThatWasChangedIsNotBelieved changes each byte of the small state files, and cuts them
// off at each: what is read is what was written, or the log says that it is damaged. It is never
// something else, such as a shorter last run, which the error bound would leave out.
func TestASmallFileThatWasChangedIsNotBelieved(t *testing.T) {
	s, err := openState(t.TempDir(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.close)
	for name, read := range map[string]func() any{
		runFile:     func() any { return s.lastRun() },
		membersFile: func() any { return string(s.members()) },
		rosterFile: func() any {
			saved, _ := s.rosters()
			return string(saved)
		},
	} {
		whole, err := os.ReadFile(filepath.Join(recordedDir, name))
		if err != nil {
			t.Fatal(err)
		}
		var log bytes.Buffer
		s.log = slog.New(slog.NewTextHandler(&log, nil))
		try := func(text []byte) any {
			if err := os.WriteFile(filepath.Join(s.dir, name), text, 0o600); err != nil {
				t.Fatal(err)
			}
			log.Reset()
			return read()
		}
		want := try(whole)
		if log.Len() > 0 {
			t.Fatalf("%s as it was written: %s", name, log.String())
		}
		for i := range whole {
			if got := try(whole[:i]); got != want && log.Len() == 0 {
				t.Errorf("%s, cut off at %d, is read as %+v", name, i, got)
			}
			for _, bit := range []byte{1, 2, 4, 0x10, 0x20, 0x80} {
				changed := bytes.Clone(whole)
				changed[i] ^= bit
				if got := try(changed); got != want && log.Len() == 0 {
					t.Errorf("%s, with byte %d %q in place of %q, is read as %+v", name, i, changed[i], whole[i], got)
				}
			}
		}
	}
}
