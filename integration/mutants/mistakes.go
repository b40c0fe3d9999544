package main

import (
	"path"
	"slices"
)

// mistake is something that somebody once got wrong, or could.
type mistake struct {
	name  string
	edits []edit
	slow  bool // it takes long to catch, so that CI leaves it to `make mutants`
	// also is one more package whose tests look at what the mistake does; "" for none.
	also string
}

// edit replaces old, which the file holds exactly once, by new.
type edit struct{ file, old, new string }

// mistakes lists them all. Each package has a file of its own here, which holds the
// mistakes whose first edit is in it.
var mistakes = slices.Concat(boundMistakes, boundedMistakes, clockMistakes, countsMistakes, crdtMistakes, doorMistakes, envoyrlsMistakes, gcraMistakes, nodeMistakes, simMistakes, syncMistakes, cellMistakes)

// folders are the packages that the mistake is in, but for the simulator.
func (m *mistake) folders() []string {
	var all []string
	for _, e := range m.edits {
		if folder := "./" + path.Dir(e.file); folder != simulator && !slices.Contains(all, folder) {
			all = append(all, folder)
		}
	}
	if m.also != "" {
		all = append(all, m.also)
	}
	return all
}
