package tally

import "sync/atomic"

// MaxDoors is how many ways in a limit's decisions are counted by. Raising it makes the counts of each
// limit larger; below the number of doors, two would share one count.
const MaxDoors = 8

// Doors counts a limit's decisions by the way that requests came in. The zero value is ready. Safe
// for concurrent use, and wait-free. Two cores that come by one door write one cache line: a door
// takes far longer for a request than that.
type Doors struct {
	decisions [MaxDoors]struct{ allowed, denied atomic.Uint64 }
}

// Count counts a decision. door is below MaxDoors.
func (d *Doors) Count(door uint8, allowed bool) {
	if allowed {
		d.decisions[door].allowed.Add(1)
	} else {
		d.decisions[door].denied.Add(1)
	}
}

// Of is what was counted of a door.
func (d *Doors) Of(door uint8) (allowed, denied uint64) {
	return d.decisions[door].allowed.Load(), d.decisions[door].denied.Load()
}
