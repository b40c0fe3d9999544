package spec

import "github.com/distributed-rate-limiter/distributed-rate-limiter/node"

// access is what a document says about whom the limit limits at all.
type access struct {
	block, unlimited *Value // where the document gives them
	zero             *Value // a limit of 0
	rate             string // the name of a given limit, window or burst
}

func (a *access) note(m Member) {
	switch m.Name {
	case "block":
		a.block = &m.Value
	case "unlimited":
		a.unlimited = &m.Value
	case "limit":
		a.rate = m.Name
		if n := int64(0); (Field{Into: &n}).set(m.Value) == "" && n == 0 {
			a.zero = &m.Value
		}
	case "window", "burst":
		a.rate = m.Name
	}
}

// access lays the given fields over those of the limit that the document uses.
func (r *Reader) access(path string, given access, block, unlimited bool) (nobody, everybody bool) {
	isTrue := func(v *Value) bool { return v != nil && v.Text == "true" }
	switch {
	case isTrue(given.block) && isTrue(given.unlimited):
		r.Refuse(given.unlimited.Line, Join(path, "unlimited"), true, "cannot be together with block: true")
	case isTrue(given.block):
		unlimited = false
	case isTrue(given.unlimited):
		block = false
	}
	return block, unlimited
}

func (r *Reader) refuseZero(path string, given access) {
	r.Refuse(given.zero.Line, Join(path, "limit"), 0, "must be at least 1; to let nobody pass write block: true")
}

func accessOf(block, unlimited bool) node.Access {
	switch {
	case block:
		return node.Blocked
	case unlimited:
		return node.Unlimited
	default:
		return node.Limited
	}
}
