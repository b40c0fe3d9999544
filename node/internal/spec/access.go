package spec

import "github.com/distributed-rate-limiter/distributed-rate-limiter/node"

// access holds the members of a mapping that decide whether the limit limits anybody. Its three
// fields block, unlimited and limit can contradict each other, and a document may give them in any
// order. So the reader notes them first, and judges them together at the end.
type access struct {
	block, unlimited *Value // nil if the document does not give them
	zero             *Value // a limit of 0, which may mean block: true
	rate             string // the name of the last limit, window or burst; "" for none
}

// note notes a member without a fault.
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

// access lays the given fields over block and unlimited of the limit that the document uses. A true
// one replaces the other, so that a limit can use a blocked one and unblock it.
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

// refuseZero refuses a limit of 0. Somebody who writes it could mean that nobody passes, or that
// there is no limit. Only the writer knows.
func (r *Reader) refuseZero(path string, given access) {
	r.Refuse(given.zero.Line, Join(path, "limit"), 0, "must be at least 1; to let nobody pass write block: true")
}

// accessOf is the access of two fields of which at most one is true.
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
