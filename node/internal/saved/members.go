// Package saved is what a node keeps for its next run: the names of the other nodes, and what it
// counted. It neither opens files nor reads a clock.
package saved

import (
	"encoding/json"
	"fmt"

	deltasync "github.com/distributed-rate-limiter/distributed-rate-limiter/sync"
)

// Members is what a node knows of its cluster from an earlier run. The zero value is nothing.
type Members struct {
	Names []string // of the other nodes
	Known bool     // Names are all of them
	Lost  bool     // there may have been others, and nobody can tell
}

// membersForm is the form in which WriteMembers writes names.
type membersForm struct {
	Version int      `json:"version"`
	Members []string `json:"members"`
}

// membersVersion is that of the form. A version that reads differently needs another number.
const membersVersion = 1

// WriteMembers writes the names of the other nodes.
func WriteMembers(names []string) []byte {
	text, err := json.Marshal(membersForm{membersVersion, append([]string{}, names...)})
	if err != nil {
		return nil // JSON can write names
	}
	return append(text, '\n')
}

// ReadMembers reads what WriteMembers wrote. No text is no member that is known.
func ReadMembers(text []byte) (Members, error) {
	if len(text) == 0 {
		return Members{}, nil
	}
	var in membersForm
	if err := json.Unmarshal(text, &in); err != nil {
		return Members{Lost: true}, err
	}
	if in.Version != membersVersion || len(in.Members) > deltasync.MaxPeers {
		return Members{Lost: true}, fmt.Errorf("%d members, version %d: want at most %d, and version %d", len(in.Members), in.Version, deltasync.MaxPeers, membersVersion)
	}
	for _, name := range in.Members {
		if !deltasync.ValidName(name) {
			return Members{Lost: true}, fmt.Errorf("no node is called %.80q", name)
		}
	}
	return Members{Names: in.Members, Known: true}, nil
}
