package main

import (
	"strings"
	"testing"
)

func TestAReservationIsMadeAndSettled(t *testing.T) {
	s := scripted(t, map[string]string{
		"POST /v1/reserve": `{"allowed":true,"cost":5,"reservation":"1a.2b","expires_in_ms":90000}`,
		"POST /v1/commit":  `{"settled":true,"returned":2,"charged":0}`,
		"POST /v1/cancel":  `{"settled":true,"returned":5,"charged":0}`,
	})
	if code, out, errs := ctl("reserve", "alice", "-cost", "5", "-for", "1m30s"); code != exitOK || out != "1a.2b\n" || errs != "" {
		t.Errorf("reserve: %d, %q, %q", code, out, errs)
	}
	s.wants(t, "POST /v1/reserve", `{"client":"alice","cost":5,"timeout":90}`)
	if code, out, errs := ctl("reserve", "alice", "-o", "json"); code != exitOK || !strings.Contains(out, `"expires_in_ms": 90000`) {
		t.Errorf("reserve -o json: %d, %q, %q", code, out, errs)
	}
	if code, out, errs := ctl("commit", "1a.2b", "3"); code != exitOK || !strings.Contains(out, "returned  2\n") || errs != "" {
		t.Errorf("commit: %d, %q, %q", code, out, errs)
	}
	s.wants(t, "POST /v1/commit", `{"reservation":"1a.2b","actual":3}`)
	if code, out, errs := ctl("cancel", "1a.2b", "-o", "json"); code != exitOK || !strings.Contains(out, `"returned": 5`) || errs != "" {
		t.Errorf("cancel: %d, %q, %q", code, out, errs)
	}
	s.wants(t, "POST /v1/cancel", `{"reservation":"1a.2b"}`)
}

func TestAReservationThatIsDeniedIsExitCode3(t *testing.T) {
	scripted(t, map[string]string{"POST /v1/reserve": `429 {"allowed":false,"reason":"over_limit"}`})
	if code, out, errs := ctl("reserve", "alice"); code != exitDenied || !strings.Contains(out, "over_limit") || errs != "" {
		t.Errorf("%d, %q, %q", code, out, errs)
	}
}

func TestWhereNothingWasTakenThereIsNothingToSettle(t *testing.T) {
	scripted(t, map[string]string{"POST /v1/reserve": `{"allowed":true,"cost":0,"reason":"unlimited"}`})
	if code, out, errs := ctl("reserve", "alice"); code != exitOK || out != nothingHeld+"\n" || errs != "" {
		t.Errorf("reserve: %d, %q, %q", code, out, errs)
	}
	for _, args := range [][]string{{"commit", nothingHeld, "3"}, {"cancel", nothingHeld}} {
		if code, out, errs := ctl(args...); code != exitOK || out != "settled  yes\n" || errs != "" {
			t.Errorf("%q: %d, %q, %q", args, code, out, errs)
		}
	}
}

func TestASettlementIsConfirmedOrAnError(t *testing.T) {
	scripted(t, map[string]string{"POST /v1/commit": `202 {"settled":false,"detail":"it is asked on"}`, "POST /v1/cancel": `404 {"detail":"unknown reservation"}`})
	if code, out, errs := ctl("commit", "1a.2b", "3"); code != exitError || !strings.Contains(out, "settled  no\n") || !strings.Contains(errs, "not confirmed") || strings.Count(errs, "\n") != 1 {
		t.Errorf("commit: %d, %q, %q", code, out, errs)
	}
	if code, out, errs := ctl("cancel", "1a.2b"); code != exitError || out != "" || !strings.Contains(errs, "404: unknown reservation") {
		t.Errorf("cancel: %d, %q, %q", code, out, errs)
	}
}
