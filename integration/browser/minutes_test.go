//go:build minutes

// The dashboard open for as long as somebody looks at it, which make browser-memory tries.

package browser

import (
	"os"
	"testing"
	"time"
)

// TestMemoryStaysFlatForMinutes opens the dashboard of a node under load for MEMORY_FOR, at the pace of
// real events. TestMemoryStaysFlat tries an hour of events, but as fast as the page reads them.
func TestMemoryStaysFlatForMinutes(t *testing.T) {
	whole, err := time.ParseDuration(os.Getenv("MEMORY_FOR"))
	if err != nil || whole < time.Minute {
		t.Fatalf("MEMORY_FOR is %q: it must be a duration of at least a minute, such as 10m", os.Getenv("MEMORY_FOR"))
	}
	c := start(t)
	p := show(t, c.members[0])
	const looks = 10
	var first usage
	for i := range looks {
		time.Sleep(whole / looks) // which is what the test is about
		now := p.usage()
		t.Logf("after %v: %v", whole/looks*time.Duration(i+1), now)
		if i == 0 {
			first = now
		}
		now.noMoreThan(t, first)
	}
	p.wait("the page is not live any more", `document.querySelector('#link').dataset.state === 'live' && document.querySelector('#health').dataset.state === 'healthy'`)
}
