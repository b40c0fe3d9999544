package main

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/cmd/internal/bench"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/cmd/internal/bench/benchtest"
)

// benched runs bench with two clients, and reads its JSON.
func benched(t *testing.T, args ...string) *bench.Result {
	t.Helper()
	code, out, errs := ctl(append([]string{"bench", "-n", "40", "-rate", "400", "-clients", "2", "-timeout", "30s", "-o", "json"}, args...)...)
	r := &bench.Result{}
	if err := json.Unmarshal([]byte(out), r); err != nil || code != exitOK {
		t.Fatalf("%d, %v, %q", code, err, errs)
	}
	return r
}

func TestBenchAsksEnvoysService(t *testing.T) {
	target := "grpc://" + benchtest.Envoy(t)
	r := benched(t, "-target", target, "-descriptor", "edge/remote_address", "-policy", "6/1h")
	if a := r.Accuracy; r.Allowed != 2*benchtest.Units || a == nil || a.Central != r.Allowed || a.Admitted != r.Allowed || a.Bound != nil {
		t.Errorf("%d allowed, %+v", r.Allowed, a)
	}
	code, _, errs := ctl("bench", "-target", target, "-descriptor", "edge/other")
	if code != exitError || !strings.Contains(errs, `no rule of domain "edge" is for the key "other"`) {
		t.Errorf("%d, %q", code, errs)
	}
}

// Over NATS the command finds out the limit and the bound by itself, and changes the limit with the
// admin token.
func TestBenchAsksOverNATS(t *testing.T) {
	target := benchtest.NATS(t, "secret")
	t.Setenv(envToken, "")
	of := []string{"-target", target, "-subject-prefix", benchtest.Prefix, "-limit", "login"}
	r := benched(t, append(of, "-set", "0s=20/1h")...)
	a := r.Accuracy
	if a == nil || r.Allowed != 2*benchtest.Units || a.Central != r.Allowed || a.Admitted != r.Allowed || a.Bound == nil || *a.Bound != 0 || a.Limits[0] != "6 per 1h" {
		t.Errorf("%d allowed, %+v", r.Allowed, a)
	}
	if len(r.Happened) != 1 || !strings.Contains(r.Happened[0].Error, "403") {
		t.Errorf("without the token: %+v", r.Happened)
	}
	t.Setenv(envToken, "secret")
	r = benched(t, append(of, "-set", "0s=20/1h", "-n", "100", "-rate", "100")...)
	if len(r.Happened) != 1 || r.Happened[0].Error != "" || r.Accuracy == nil || len(r.Accuracy.Limits) != 2 {
		t.Errorf("with the token: %+v, %+v", r.Happened, r.Accuracy)
	}
	for _, c := range []struct {
		args []string
		says string
	}{
		{append(slices.Clone(of), "-limit", "nope"), `"nope"`},
		{append(slices.Clone(of), "-cluster", "elsewhere"), "bench.api.elsewhere"},
		{[]string{"-target", target, "-limit", "login"}, "ratelimit.api.default"},
		{[]string{"-target", strings.Replace(target, "nats://", "nats://user:hidden@", 1) + "0", "-limit", "login"}, "-target nats://"},
	} {
		code, _, errs := ctl(append([]string{"bench", "-timeout", "5s"}, c.args...)...)
		if code != exitError || !strings.Contains(errs, c.says) || strings.Contains(errs, "hidden") {
			t.Errorf("%q: %d, %q", c.args, code, errs)
		}
	}
}
