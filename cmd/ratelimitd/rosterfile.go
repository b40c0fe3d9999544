package main

import (
	"errors"
	"io/fs"
	"path/filepath"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/config"
)

const (
	rosterFile = "roster.json"
	// mostRoster is the largest file of a roster, in bytes: 192 names of 64 bytes, and room to spare.
	// Raising it reads larger files that are there by mistake; lowering it refuses a full roster.
	mostRoster = 64 << 10
)

// rosters is what was saved of the roster of bounded limits, nil if nothing was, and what keeps it; nil
// without a directory. A file that cannot be used is returned as it is: the node then waits until all
// others agree.
func (s *state) rosters() (saved []byte, keep func(text []byte) error) {
	if s.dir == "" {
		return nil, nil
	}
	keep = func(text []byte) error {
		sealed, err := seal(text)
		if err != nil {
			return err
		}
		return s.write(rosterFile, sealed)
	}
	path := filepath.Join(s.dir, rosterFile)
	text, err := config.ReadRegular(path, mostRoster)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, keep
	}
	if err == nil {
		saved, err = unseal(text)
	}
	if err != nil {
		s.log.Error("the saved roster of bounded limits cannot be used", "file", path, "error", oneLine(err))
		return []byte("damaged"), keep
	}
	return saved, keep
}
