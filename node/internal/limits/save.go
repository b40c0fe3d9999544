package limits

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/limit"
	deltasync "github.com/distributed-rate-limiter/distributed-rate-limiter/sync"
)

// savedLimits is the form in which Save writes the register.
type savedLimits struct {
	Version int          `json:"version"`
	Limits  []savedLimit `json:"limits"`
}

// savedLimit is one entry of the register.
type savedLimit struct {
	Name      string          `json:"name"`
	At        int64           `json:"at"`
	By        crdt.Replica    `json:"by"`
	Revisions json.RawMessage `json:"revisions"`
}

// savedVersion is that of the form. A version that reads differently needs another number.
const savedVersion = 1

// Save writes the register as text that Restore reads.
func (g *Registry) Save() []byte {
	out := savedLimits{Version: savedVersion, Limits: []savedLimit{}}
	for _, r := range g.Registers() {
		out.Limits = append(out.Limits, savedLimit{Name: r.Name, At: r.Stamp.At, By: r.Stamp.By, Revisions: r.Value})
	}
	text, err := json.MarshalIndent(out, "", "\t")
	if err != nil {
		return nil // it was read from JSON, so JSON can write it
	}
	return append(text, '\n')
}

// Restore merges what Save wrote; no text is nothing. ahead are the entries that a clock
// made that was too far ahead: it proposes them anew with ProposePending. The error is a
// *FieldError about the text, or joins those of the entries that it refuses.
func (g *Registry) Restore(now int64, text []byte) (ahead []deltasync.Register, err error) {
	if len(text) == 0 {
		return nil, nil
	}
	refuse := func(reason string) error {
		return &limit.FieldError{Field: "saved_limits", Value: fmt.Sprintf("of %d bytes", len(text)), Reason: reason}
	}
	var in savedLimits
	if err := json.Unmarshal(text, &in); err != nil {
		return nil, refuse("must be what SaveLimits wrote: " + err.Error())
	}
	if in.Version != savedVersion {
		return nil, refuse(fmt.Sprintf("must be of version %d, not %d", savedVersion, in.Version))
	}
	var faults []error
	for _, l := range in.Limits {
		r := deltasync.Register{Name: l.Name, Stamp: crdt.Stamp{At: l.At, By: l.By}, Value: compact(l.Revisions)}
		var err error
		if r.Stamp.At > g.latest(now) {
			ahead = append(ahead, r)
			err = g.restate(now, r)
		} else {
			_, err = g.merge(now, r)
		}
		faults = append(faults, err)
	}
	return ahead, errors.Join(faults...)
}

// restate makes the word of an entry pending, to be proposed with a stamp of now. With its
// own stamp it would come into force only when this clock gets there, and would then win over
// whatever was set in between.
func (g *Registry) restate(now int64, r deltasync.Register) error {
	list, err := readEntry(r)
	if err := errors.Join(ValidName(r.Name), err); err != nil {
		return err
	}
	s := list[0]
	s.BaseAt = min(s.BaseAt, now)
	g.mu.Lock()
	defer g.mu.Unlock()
	g.pending[r.Name] = s
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
