package httplimit_test

import (
	"net/http"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/httplimit"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/doortest"
)

func TestWhatIsDecidedIsTold(t *testing.T) {
	var told doortest.Told
	n := doortest.Open(t, map[string]node.Policy{"day": {Limit: 3, Window: 24 * time.Hour}})
	h := limited(t, httplimit.Config{
		Limiter: n, Key: httplimit.ByRemoteAddr(), Limits: []httplimit.Limit{{}, {Name: "day"}}, Decided: told.Decided,
		Cost: func(r *http.Request) int64 { return int64(len(r.Header.Get("X-Size"))) },
		Skip: func(r *http.Request) bool { return r.Header.Get("X-Skip") != "" },
	}, nil)
	get(t, h, from, "X-Size", "xx")
	get(t, h, from, "X-Size", "xx")
	get(t, h, from, "X-Size", "xxxxxx") // above the burst: nobody can ever pass
	get(t, h, from, "X-Skip", "yes")
	get(t, h, "no address")
	if got, want := told.Lines(), []string{"day allowed 2 of 2, 1 left", "day denied 0 of 2, 1 left", "default denied 0 of 6, 0 left"}; !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestTheTrueCostIsToldOnceItIsKnown(t *testing.T) {
	var told doortest.Told
	h := limited(t, httplimit.Config{
		Limiter: budget(t), Key: httplimit.ByRemoteAddr(), Limits: []httplimit.Limit{{Name: "tokens"}}, Decided: told.Decided,
		Cost: func(*http.Request) int64 { return 400 }, After: httplimit.AfterHeader("X-Tokens", 1),
	}, func(w http.ResponseWriter, r *http.Request) { w.Header().Set("X-Tokens", r.Header.Get("X-Use")) })
	for _, use := range []int{600, 0, 5} {
		get(t, h, from, "X-Use", strconv.Itoa(use))
	}
	if got, want := told.Lines(), []string{
		"tokens allowed 400 of 400, 600 left", "tokens allowed 600 of 400, 600 left",
		"tokens allowed 400 of 400, 0 left", "tokens allowed 0 of 400, 0 left",
		"tokens allowed 400 of 400, 0 left", "tokens allowed 5 of 400, 0 left",
	}; !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}
