package spec

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
)

// Overrides are the overrides of a limit, written as a list of mappings. Their order has no meaning for
// clients: exact ids go before networks, and networks before prefixes. But messages and statistics
// name an override by its place.
type Overrides []node.Override

// override is the written form of a node.Override. It leaves out fields that are not given, so that
// they do not read as zeros.
type override struct {
	Name      string `json:"name,omitempty"`
	Client    names  `json:"client,omitempty"`
	Prefix    names  `json:"prefix,omitempty"`
	CIDR      names  `json:"cidr,omitempty"`
	Block     bool   `json:"block,omitempty"`
	Unlimited bool   `json:"unlimited,omitempty"`
	Limit     int64  `json:"limit,omitempty"`
	Window    Window `json:"window,omitzero"`
	Burst     int64  `json:"burst,omitempty"`
}

// names are one string or a list of strings, since most overrides are for one client.
type names []string

// MarshalJSON implements json.Marshaler.
func (n names) MarshalJSON() ([]byte, error) {
	if len(n) == 1 {
		return json.Marshal(n[0])
	}
	return json.Marshal([]string(n))
}

// MarshalJSON implements json.Marshaler.
func (o Overrides) MarshalJSON() ([]byte, error) {
	out := make([]override, len(o))
	for i, v := range o {
		out[i] = override{
			Name:   v.Name,
			Client: v.Clients, Prefix: v.Prefixes, CIDR: v.CIDRs, Block: v.Access == node.Blocked, Unlimited: v.Access == node.Unlimited,
			Limit: v.Limit, Window: windowOf(v.Window, v.Calendar), Burst: v.Burst,
		}
	}
	return json.Marshal(out)
}

// windowOf is the written form of a policy's window. In a policy, a window of the calendar has both a
// unit and the greatest length that the unit can have. The written form has only the unit.
func windowOf(d time.Duration, unit node.Calendar) Window {
	if unit != 0 {
		return Window{Calendar: unit}
	}
	return Window{Duration: d}
}

// overrides reads the overrides of a limit that counts by algorithm. It returns nil for an empty list,
// so that no overrides have one form.
func (r *Reader) overrides(path string, v Value, algorithm node.Algorithm, base Base) Overrides {
	switch {
	case v.Kind != List:
		r.Refuse(v.Line, path, v.shown(), `must be a list of mappings, such as [`+overrideExample+`]`)
		return nil
	case len(v.Items) > node.MaxOverrides:
		r.Refuse(v.Line, path, fmt.Sprintf("has %d entries", len(v.Items)), fmt.Sprintf("must be at most %d; one entry may list many clients", node.MaxOverrides))
		return nil
	}
	out := make(Overrides, len(v.Items))
	for i, item := range v.Items {
		out[i] = r.override(Index(path, i), item, algorithm, base)
	}
	if len(out) == 0 {
		return nil
	}
	return out
}

const overrideExample = `{"client": "alice", "limit": 1000}`

// override reads one override. Its "use" comes first, wherever it stands, because the other fields lie
// over it. A used limit must have the algorithm of the limit itself: all clients of a limit count in
// windows of one kind, so that a node can carry their use from one override to another.
func (r *Reader) override(path string, v Value, algorithm node.Algorithm, base Base) node.Override {
	var o override
	used := false
	if m, found := v.member("use"); found {
		at := Join(path, "use")
		l, ok := r.use(at, m.Value, base)
		used = true
		switch limits := !l.Block && !l.Unlimited; {
		case !ok:
		case limits && l.Algorithm != algorithm:
			r.Refuse(m.Value.Line, at, Quote(m.Value.Text), fmt.Sprintf("must be a limit with the algorithm %v, as this one has; it has %v", algorithm, l.Algorithm))
		case limits:
			o.Limit, o.Window, o.Burst = l.Limit, l.Window, l.Burst
		default:
			o.Block, o.Unlimited = l.Block, l.Unlimited
		}
	}
	fields := []Field{
		{"client", (*[]string)(&o.Client)},
		{"prefix", (*[]string)(&o.Prefix)},
		{"cidr", (*[]string)(&o.CIDR)},
		{"block", &o.Block},
		{"unlimited", &o.Unlimited},
		{"limit", &o.Limit},
		{"window", &o.Window},
		{"burst", &o.Burst},
		{"use", ignore},
		{"name", &o.Name},
	}
	var given access
	before := r.count()
	r.Mapping(path, v, overrideExample, func(at string, m Member) {
		if r.Member(at, m, fields) {
			given.note(m)
		}
	})
	o.Block, o.Unlimited = r.access(path, given, o.Block, o.Unlimited)
	limits := !o.Block && !o.Unlimited
	switch {
	case !limits && given.rate != "":
		r.Refuse(v.LineOf(given.rate), Join(path, given.rate), "is given", "must be left out beside block: true or unlimited: true, which leave nothing to count")
	case given.zero != nil:
		r.refuseZero(path, given)
	case !limits:
		o.Limit, o.Window, o.Burst = 0, Window{}, 0 // those of the limit that it uses
	case given.rate == "" && !used && r.count() == before:
		r.Refuse(v.Line, path, "changes nothing", "must have block, unlimited, limit, window, burst or use")
	}
	if len(o.Client)+len(o.Prefix)+len(o.CIDR) == 0 && r.count() == before {
		r.Refuse(v.Line, path, "is for nobody", "must have client, prefix or cidr")
	}
	if v.Has("name") && o.Name == "" && r.count() == before {
		r.Refuse(v.LineOf("name"), Join(path, "name"), `""`, "must not be empty; leave it out to count these clients with the limit itself")
	}
	return node.Override{
		Name:    o.Name,
		Clients: o.Client, Prefixes: o.Prefix, CIDRs: o.CIDR, Access: accessOf(o.Block, o.Unlimited),
		Limit: o.Limit, Window: o.Window.Duration, Calendar: o.Window.Calendar, Burst: o.Burst,
	}
}
