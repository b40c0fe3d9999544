package main

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestNATSPermissionsAreForTheNodesThatAreNamed(t *testing.T) {
	code, out, _ := ctl("nats-permissions", "a,b=UNKEY", "-cluster", "c", "-subject-prefix", "p", "-nats-kv-bucket", "l", "-nats-api", "-o", "json")
	var got struct {
		Users []struct {
			User, NKey  string
			Permissions struct {
				Publish, Subscribe []string
				AllowResponses     bool `json:"allow_responses"`
			}
		}
	}
	if err := json.Unmarshal([]byte(out), &got); code != exitOK || err != nil || len(got.Users) != 2 {
		t.Fatalf("%d, %v: %s", code, err, out)
	}
	a, b := got.Users[0], got.Users[1]
	if a.User != "a" || a.NKey != "" || b.User != "" || b.NKey != "UNKEY" || !a.Permissions.AllowResponses {
		t.Errorf("%+v", got)
	}
	if got := a.Permissions.Publish[0]; got != "p.v1.c.*.a.>" {
		t.Errorf("publishes on %s", got)
	}
	if got := strings.Join(b.Permissions.Subscribe, " "); got != "p.v1.c.*.*.* p.v1.c.*.*.*.b.> _INBOX.> p.api.c.> $SRV.>" {
		t.Errorf("subscribes to %s", got)
	}
	for _, bad := range []string{"a.b", "", "a,", "*", "a,>"} {
		if code, _, _ := ctl("nats-permissions", bad); code != exitUsage {
			t.Errorf("%q: exit code %d", bad, code)
		}
	}
}
