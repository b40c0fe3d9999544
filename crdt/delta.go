package crdt

// Part is one replica's data of one window: its own totals, and the window's origin as that
// replica knows it (Never if it knows none).
type Part struct {
	Origin int64
	Count  Count
}

// Empty reports whether p has neither an origin nor counts.
func (p Part) Empty() bool { return p.Origin == Never && p.Count == Count{} }

// Row is one client's line in a Delta, for the window at the delta's Start and the one
// before it. Every row carries both windows. With the current one alone, the loss of a
// window's last message would be a leak that no later delta repairs.
type Row struct {
	Key       Key
	Cur, Prev Part
}

// Delta carries one replica's totals for many clients of one limit. Totals are absolute. So
// a delta may get lost, come twice, or overtake another.
type Delta struct {
	Limit    string
	Revision Stamp // of the limit's policy, under which costs were counted
	Reset    Stamp // of the last reset of the rows' clients; zero if never
	// Rule is the number of the revision's rule that counted the rows. Slot is the number
	// of the client's state that they belong to.
	Rule    uint16
	Slot    uint8
	Replica Replica
	Width   int64 // of a window, nanoseconds
	Start   int64 // of the current window, unix nanoseconds, a multiple of Width
	Rows    []Row
}

// Life names the life that the rows belong to.
func (d *Delta) Life() Life { return Life{Revision: d.Revision, Reset: d.Reset} }
