package sim

import (
	"fmt"
	"slices"
)

// busyClients is how many clients share most of a busy scenario's requests. More of them get a
// smaller share of the requests each, and so are judged closer to an idle bucket.
const busyClients = 10

// Busy adds requests to a scenario, about that many: a fifth of them of the client that its first
// stream is of, the rest of ten clients more, at all nodes. The faults and the rest of the load stay as
// they are. A scenario without streams, or requests that are not positive, change nothing.
func Busy(sc Scenario, requests int) Scenario {
	if requests <= 0 || len(sc.Streams) == 0 {
		return sc
	}
	rate := float64(requests) / sc.Duration.Seconds()
	sc.Streams = append(slices.Clip(sc.Streams), Stream{Client: sc.Streams[0].Client, Cost: 1, Rate: rate / 5})
	for i := range busyClients {
		sc.Streams = append(sc.Streams, Stream{Client: fmt.Sprintf("busy-%d", i), Cost: 1, Rate: rate * 4 / 5 / busyClients})
	}
	return sc
}
