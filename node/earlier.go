package node

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
	deltasync "github.com/distributed-rate-limiter/distributed-rate-limiter/sync"
)

// savedMembers is the form in which SaveMembers writes names.
type savedMembers struct {
	Version int      `json:"version"`
	Members []string `json:"members"`
}

// savedMembersVersion is that of the form. A version that reads differently needs another
// number.
const savedMembersVersion = 1

// SaveMembers returns the names of the other nodes of the cluster, in a form for
// Config.SavedMembers. It is nil as long as nobody knows whether there are others.
func (n *Node) SaveMembers() []byte {
	status := n.protocol.Status()
	if !status.Heard && !n.members.known {
		return nil
	}
	text, err := json.Marshal(savedMembers{savedMembersVersion, append([]string{}, status.Roster...)})
	if err != nil {
		return nil // JSON can write names
	}
	return append(text, '\n')
}

// restored is what a node knows of its cluster from an earlier run.
type restored struct {
	names []string
	known bool // names are all other members there were
	lost  bool // there may have been members, and nobody can tell
}

// restoreMembers reads what SaveMembers wrote.
func restoreMembers(text []byte) (r restored, err error) {
	if len(text) == 0 {
		return r, nil
	}
	var in savedMembers
	if err := json.Unmarshal(text, &in); err != nil {
		return restored{lost: true}, err
	}
	if in.Version != savedMembersVersion || len(in.Members) > deltasync.MaxPeers {
		return restored{lost: true}, fmt.Errorf("%d members, version %d: want at most %d, and version %d", len(in.Members), in.Version, deltasync.MaxPeers, savedMembersVersion)
	}
	for _, name := range in.Members {
		if !deltasync.ValidName(name) {
			return restored{lost: true}, fmt.Errorf("no node is called %.80q", name)
		}
	}
	return restored{names: in.Members, known: true}, nil
}

// Run is one run of a node, from its start to its end. Who starts the node again gives it as
// Config.LastRun: then the node knows that it was there before, and that what it admitted may
// be missing. The zero value is no run.
type Run struct {
	Incarnation uint64    `json:"incarnation"` // random, never 0
	Began       time.Time `json:"began"`
	// Until is the last moment of the run that is known of.
	Until time.Time `json:"until"`
	// Left says that the node said bye, with all that it had counted.
	Left bool `json:"left"`
}

// Run describes this run up to now.
func (n *Node) Run() Run {
	return Run{Incarnation: uint64(n.replica), Began: time.Unix(0, n.began), Until: time.Unix(0, n.now()), Left: n.left.Load()}
}

// last is the run as the protocol takes it.
func (r Run) last() deltasync.Run {
	if r.Incarnation == 0 {
		return deltasync.Run{}
	}
	return deltasync.Run{Replica: crdt.Replica(r.Incarnation), Began: r.Began.UnixNano(), Until: r.Until.UnixNano(), Left: r.Left}
}
