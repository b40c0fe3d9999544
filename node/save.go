package node

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
	deltasync "github.com/distributed-rate-limiter/distributed-rate-limiter/sync"
)

// savedLimits is the form of SaveLimits.
type savedLimits struct {
	Version int          `json:"version"`
	Limits  []savedLimit `json:"limits"`
}

type savedLimit struct {
	Name      string          `json:"name"`
	At        int64           `json:"at"`
	By        crdt.Replica    `json:"by"`
	Revisions json.RawMessage `json:"revisions"`
}

const savedVersion = 1

// SaveLimits writes down the limits that were set or changed while nodes ran, for a node
// that starts when no other is there to tell it: see Config.SavedLimits. LimitsVersion
// tells when there is something new to save.
func (n *Node) SaveLimits() []byte {
	out := savedLimits{Version: savedVersion, Limits: []savedLimit{}}
	for _, r := range (store{n}).Registers() {
		out.Limits = append(out.Limits, savedLimit{Name: r.Name, At: r.Stamp.At, By: r.Stamp.By, Revisions: r.Value})
	}
	text, err := json.MarshalIndent(out, "", "\t")
	if err != nil {
		return nil // what is held was read from JSON
	}
	return append(text, '\n')
}

// LimitsVersion is another number whenever SaveLimits has something new, the same on nodes
// that agree.
func (n *Node) LimitsVersion() uint64 { return uint64(store{n}.RegistersDigest()) }

// restoreLimits takes over what SaveLimits wrote.
func (n *Node) restoreLimits(text []byte) error {
	if len(text) == 0 {
		return nil
	}
	refuse := func(reason string) error {
		return &FieldError{Field: "saved_limits", Value: fmt.Sprintf("of %d bytes", len(text)), Reason: reason}
	}
	var in savedLimits
	if err := json.Unmarshal(text, &in); err != nil {
		return refuse("must be what SaveLimits wrote: " + err.Error())
	}
	if in.Version != savedVersion {
		return refuse(fmt.Sprintf("must be of version %d, not %d", savedVersion, in.Version))
	}
	var faults []error
	for _, l := range in.Limits {
		r := deltasync.Register{Name: l.Name, Stamp: crdt.Stamp{At: l.At, By: l.By}, Value: compact(l.Revisions)}
		var err error
		if now := n.now(); r.Stamp.At > n.latestStamp(now) {
			n.log.Warn("limit was saved by a clock that was ahead, and is set anew", "limit", l.Name, "at", time.Unix(0, l.At))
			err = n.limits.resay(now, r)
		} else {
			_, err = n.limits.merge(now, r)
		}
		faults = append(faults, err)
	}
	return errors.Join(faults...)
}

// resay notes that what an entry of later than now says is to be said with a stamp of now:
// as it is, it would come into force only then, and after it whatever is set.
func (g *registry) resay(now int64, r deltasync.Register) error {
	list, err := readRegister(r)
	if err := errors.Join(validLimitName(r.Name), err); err != nil {
		return err
	}
	s := list[0]
	s.BaseAt = min(s.BaseAt, now)
	g.mu.Lock()
	defer g.mu.Unlock()
	g.unsaid[r.Name] = s
	return nil
}

// compact is JSON without the white space of a file.
func compact(text json.RawMessage) []byte {
	var b bytes.Buffer
	if json.Compact(&b, text) != nil {
		return text
	}
	return b.Bytes()
}
