package main

import "testing"

// TestEveryMistakeApplies keeps the list of mistakes up with the code, without the time
// that it takes to try them.
func TestEveryMistakeApplies(t *testing.T) {
	l, err := newLab()
	if err != nil {
		t.Fatal(err)
	}
	defer l.close()
	for i := range mistakes {
		m := &mistakes[i]
		for _, e := range m.edits {
			if e.old == "" {
				t.Errorf("%s replaces nothing in %s", m.name, e.file)
			}
		}
		if _, err := l.plant(m, t.TempDir()); err != nil {
			t.Errorf("%s: %v", m.name, err)
		}
	}
	if len(mistakes) == 0 {
		t.Fatal("there is no mistake to plant")
	}
}
