package main

import (
	"bytes"
	"errors"
	"io/fs"
	"path/filepath"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/config"
)

const (
	membersFile = "members.json"
	// mostMembers is the largest file of names, in bytes: 999 of 64 bytes, and room to spare.
	// Raising it reads larger files that are there by mistake; lowering it forgets the members of a
	// large cluster.
	mostMembers = 256 << 10
)

// members is what was saved of the other nodes' names, nil if nothing was. A file that
// cannot be used is returned as it is: the node learns from it that there were others.
func (s *state) members() []byte {
	if s.dir == "" {
		return nil
	}
	path := filepath.Join(s.dir, membersFile)
	text, err := config.ReadRegular(path, mostMembers)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	var saved []byte
	if err == nil {
		saved, err = unseal(text)
	}
	if err != nil {
		s.log.Error("the saved names of the other nodes cannot be used", "file", path, "error", oneLine(err))
		return []byte("damaged")
	}
	s.roster = saved
	return saved
}

// saveMembers writes the names of the other nodes, if they are others than those in the file.
// No names leave the file as it is.
func (s *state) saveMembers(names []byte) {
	if s.dir == "" || len(names) == 0 || bytes.Equal(bytes.TrimSpace(names), bytes.TrimSpace(s.roster)) {
		return
	}
	text, err := seal(names)
	if err == nil {
		err = s.write(membersFile, text)
	}
	if err != nil { // the limits' own file tells operators of such a disk
		s.log.Warn("the names of the other nodes could not be saved", "error", err)
		return
	}
	s.roster = names
}
