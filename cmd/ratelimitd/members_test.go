package main

import (
	"os"
	"path/filepath"
	"testing"
)

func TestTheNamesOfTheOtherNodesAreSaved(t *testing.T) {
	s := newShelf(t)
	if got := s.members(); got != nil {
		t.Errorf("%q before there was a run", got)
	}
	s.saveMembers(nil) // nobody was heard yet
	path := filepath.Join(s.dir, membersFile)
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Errorf("names that nobody knows were saved: %v", err)
	}
	const names = `{"version":1,"members":["b","c"]}`
	s.saveMembers([]byte(names + "\n"))
	if got := s.members(); string(got) != names {
		t.Errorf("saved %s, read %s", names, got)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	s.saveMembers([]byte(names + "\n"))
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Errorf("the same names were saved again: %v", err)
	}
	for _, text := range []string{"", "{", `{"version":2,"sha256":"00","saved":{}}`} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		s.log.Reset()
		if got := s.members(); len(got) == 0 || s.log.Len() == 0 {
			t.Errorf("of %q, a node takes itself for new: %q, log %s", text, got, s.log)
		}
	}
	s.saveMembers([]byte(`{"version":1,"members":["b"]}`))
	if got := s.members(); string(got) != `{"version":1,"members":["b"]}` {
		t.Errorf("a damaged file stays: %s", got)
	}
}

func TestWithoutAStateDirectoryNoNamesAreSaved(t *testing.T) {
	s := &state{}
	s.saveMembers([]byte(`{}`))
	if got := s.members(); got != nil {
		t.Errorf("%s", got)
	}
}
