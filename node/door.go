package node

import "github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/tally"

// Door is the way by which a request came in. It changes no decision: statistics count by it. The
// zero value is DoorGo. A door that does not exist counts as DoorGo.
type Door uint8

// The doors.
const (
	DoorGo      Door = iota // a program that calls the node itself
	DoorHTTP                // the HTTP interface, or middleware for net/http
	DoorGRPC                // interceptors for gRPC, or Envoy's rate limit service
	DoorNATS                // the service over NATS
	DoorForward             // a proxy that asks whether a request may pass

	doorEnd
)

var doorNames = [doorEnd]string{"go", "http", "grpc", "nats", "forward"}

// String is the door as statistics name it, such as "http".
func (d Door) String() string { return doorNames[d.known()] }

func (d Door) known() Door {
	if d >= doorEnd {
		return DoorGo
	}
	return d
}

// DoorStats are a limit's decisions that came in by one door.
type DoorStats struct {
	Door            string
	Allowed, Denied uint64
}

// enter counts a decision of a limit by its door. Who calls the node itself counts as the rest.
func enter(door Door, a *tally.Account, allowed bool) {
	if door = door.known(); door != DoorGo {
		a.Doors.Count(uint8(door), allowed)
	}
}

// doorStats are all doors of a limit, of whose decisions so many were allowed and denied.
func doorStats(a *tally.Account, allowed, denied uint64) []DoorStats {
	out := make([]DoorStats, doorEnd)
	for d := DoorGo + 1; d < doorEnd; d++ {
		in, refused := a.Doors.Of(uint8(d))
		out[d] = DoorStats{Door: d.String(), Allowed: in, Denied: refused}
		// A decision is counted once by its limit and then by its door, so the rest is not negative
		// for long.
		allowed, denied = allowed-min(allowed, in), denied-min(denied, refused)
	}
	out[DoorGo] = DoorStats{Door: DoorGo.String(), Allowed: allowed, Denied: denied}
	return out
}
