package main

import "slices"

// mistake is something that somebody once got wrong, or could.
type mistake struct {
	name  string
	edits []edit
	tests string // the package whose tests are to notice, if not the simulator's
}

// edit replaces old, which the file holds exactly once, by new.
type edit struct{ file, old, new string }

// mistakes lists them all. Each package has a file of its own here, which holds the
// mistakes whose first edit is in it.
var mistakes = slices.Concat(crdtMistakes, gcraMistakes, nodeMistakes, simMistakes, syncMistakes)
