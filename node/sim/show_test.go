package sim_test

import (
	"encoding/json"
	"flag"
	"os"
	"testing"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/sim"
)

var show = flag.Uint64("sim.show", 0, "show one seed")

func TestShow(t *testing.T) {
	if *show == 0 {
		return
	}
	sc := sim.Random(*show)
	b, _ := json.Marshal(sc)
	t.Logf("%s", b)
	f, _ := os.Create("/tmp/trace.txt")
	r, _ := sim.Run(sc, f)
	t.Logf("%+v", r.Violations)
}
