package main

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestALimitIsSetChangedAndDeleted(t *testing.T) {
	daemon(t, "secret")
	t.Setenv(envToken, "secret")
	for _, c := range []struct {
		args string
		want string // fields of the answer, as JSON
	}{
		{"limits set search -limit 5 -window 1m30s", `{"limit":5,"window":90,"burst":5,"max_overshoot":0.1,"on_isolation":"keep"}`},
		{"limits set search -limit 6 -window 60 -burst 3 -max-overshoot 0.5 -on-isolation share", `{"limit":6,"window":60,"burst":3,"max_overshoot":0.5,"on_isolation":"share"}`},
		{"limits get search", `{"limit":6}`},
		{"take alice -limit search -cost 3", `{"allowed":true,"burst":3}`},
		{"limits delete search", `{"deleted":true,"name":"search"}`},
		// What is configured is as configured again.
		{"limits set login -limit 50 -window 0.5", `{"limit":50,"window":0.5}`},
		{"limits delete login", `{"limit":2,"window":3600,"burst":2}`},
	} {
		code, out, errs := ctl(append(strings.Fields(c.args), "-o", "json")...)
		if code != exitOK || errs != "" {
			t.Fatalf("%s: %d, %q", c.args, code, errs)
		}
		var got, want map[string]any
		if err := json.Unmarshal([]byte(out), &got); err != nil {
			t.Fatalf("%s: %v in %s", c.args, err, out)
		}
		if err := json.Unmarshal([]byte(c.want), &want); err != nil {
			t.Fatal(err)
		}
		for field, value := range want {
			if got[field] != value {
				t.Errorf("%s: %s is %v, want %v", c.args, field, got[field], value)
			}
		}
	}
	for _, c := range []struct{ args, shows string }{
		{"limits get search", "404"},
		{"limits delete search", "404"},
		{"take alice -limit search", "404"},
		// The daemon judges values, and nothing changes.
		{"limits set search -limit 0 -window 60", "400: limit 0:"},
		{"limits set search -limit 5 -window 60 -max-overshoot 2", "400: max_overshoot 2:"},
		{"limits set search -limit 5 -window 60 -on-isolation panic", "on_isolation"},
		{"limits get search", "404"},
	} {
		if code, out, errs := ctl(strings.Fields(c.args)...); code != exitError || out != "" || !strings.Contains(errs, c.shows) {
			t.Errorf("%s: %d, %q, %q", c.args, code, out, errs)
		}
	}
}
