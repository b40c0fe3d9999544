package main

import (
	"encoding/json"
	"errors"
	"io/fs"
	"path/filepath"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/config"
)

const (
	runFile = "run.json"
	// runEvery is how often it is noted that the node still runs. Raising it counts a node that
	// crashed for as much longer. Lowering it syncs the disk more often.
	runEvery = 10 * time.Second
	// mostRun is the largest file about a run, in bytes; one has some 250. Raising it reads more of what
	// is there by mistake; lowering it leaves less room for later versions.
	mostRun = 4 << 10
)

// lastRun is the last run of this node, as far as it was noted: it can have gone on until the
// next note was due. A file that cannot be read is told of, and counts as none.
func (s *state) lastRun() (r node.Run) {
	if s.dir == "" {
		return r
	}
	path := filepath.Join(s.dir, runFile)
	text, err := config.ReadRegular(path, mostRun)
	if errors.Is(err, fs.ErrNotExist) {
		return r
	}
	if err == nil {
		text, err = unseal(text)
	}
	if err == nil {
		err = json.Unmarshal(text, &r)
	}
	if err != nil {
		s.log.Error("what is noted of the last run cannot be used: the error bound will leave out what the node admitted then", "file", path, "error", oneLine(err))
		return node.Run{}
	}
	if !r.Left {
		r.Until = r.Until.Add(runEvery)
	}
	if now := time.Now(); r.Until.After(now) {
		r.Until = now
	}
	return r
}

// note writes down that the node runs, if that is due, or that it left.
func (s *state) note(r node.Run) {
	if s.dir == "" || !r.Left && r.Until.Before(s.noted.Add(runEvery)) {
		return
	}
	text, err := json.Marshal(r)
	if err == nil {
		text, err = seal(text)
	}
	if err == nil {
		err = s.write(runFile, text)
	}
	if err != nil { // the limits' own file tells operators of such a disk
		s.log.Warn("it could not be noted that the node runs", "error", err)
	}
	s.noted = r.Until
}
