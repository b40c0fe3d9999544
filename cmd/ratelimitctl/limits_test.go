package main

import (
	"encoding/json"
	"os"
	"path/filepath"
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
		{"limits set search -limit 6 -window day -algorithm fixed_window -time-zone Europe/Berlin", `{"window":"day","algorithm":"fixed_window","time_zone":"Europe/Berlin","burst":6}`},
		{"limits set search -limit 6 -window 1h -algorithm sliding_window -resolution 12 -consistency local -shadow", `{"window":3600,"resolution":12,"consistency":"local","shadow":true}`},
		{"limits set search -use search -limit 7 -shadow=false -ipv6-prefix 56", `{"limit":7,"window":3600,"algorithm":"sliding_window","shadow":false,"ipv6_prefix":56}`},
		{"limits set search -block", `{"block":true}`},
		{"limits set search -unlimited", `{"unlimited":true}`},
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
		{"limits set search -limit 5 -window 60 -algorithm leaky", "400: algorithm"},
		{"limits set search -use nope -limit 5", "nope"},
		{"limits get search", "404"},
	} {
		if code, out, errs := ctl(strings.Fields(c.args)...); code != exitError || out != "" || !strings.Contains(errs, c.shows) {
			t.Errorf("%s: %d, %q, %q", c.args, code, out, errs)
		}
	}
}

func TestALimitIsSetFromAFile(t *testing.T) {
	daemon(t, "")
	file := filepath.Join(t.TempDir(), "limit.yaml")
	write := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("limit: 5\nwindow: 1m\noverrides:\n  - {client: [alice, 7], limit: 50}\n  - {prefix: \"bot-\", block: true}\n")
	if code, _, errs := ctl("limits", "set", "search", "-f", file); code != exitOK || errs != "" {
		t.Fatalf("%d, %q", code, errs)
	}
	_, document, _ := ctl("limits", "get", "search", "-o", "json")
	for _, want := range []string{`"limit": 5`, `"alice"`, `"7"`, `"bot-"`} {
		if !strings.Contains(document, want) {
			t.Errorf("there is no %s in %s", want, document)
		}
	}
	write(document) // what is shown can be given back
	if code, out, errs := ctl("limits", "set", "search", "-f", file, "-o", "json"); code != exitOK || out != document {
		t.Errorf("%d, %q\n%s", code, errs, out)
	}
	write("limit: 6\nwindows: 1m\noverrides:\n  - {client: alice}\n")
	code, out, errs := ctl("limits", "set", "search", "-f", file)
	if code != exitError || out != "" || strings.Count(errs, "\n") != 1 ||
		!strings.Contains(errs, file+":2: windows is unknown") || !strings.Contains(errs, file+":4: overrides[0] changes nothing") {
		t.Errorf("%d, %q, %q", code, out, errs)
	}
	if code, _, errs := ctl("limits", "set", "search", "-f", file+".not"); code != exitError || !strings.Contains(errs, file+".not") {
		t.Errorf("%d, %q", code, errs)
	}
	if _, after, _ := ctl("limits", "get", "search", "-o", "json"); after != document {
		t.Errorf("it is %s", after)
	}
}

func TestTheListOfLimitsSaysWhereEachIsFrom(t *testing.T) {
	scripted(t, map[string]string{"GET /v1/status": `{"limits":{
		"login":{"limit":5,"window":90,"burst":2,"algorithm":"gcra","shadow":true,"set":true,"configured":{"limit":5}},
		"day":{"limit":7,"window":"day","burst":7,"algorithm":"fixed_window","time_zone":"Europe/Berlin","set":true,"configured":null},
		"hour":{"limit":7,"window":3600,"burst":7,"algorithm":"sliding_window","resolution":12,"time_zone":"UTC","set":false,"configured":{"limit":7}},
		"none":{"block":true,"algorithm":"gcra","override_count":2}}}`})
	code, out, errs := ctl("limits")
	want := "" +
		"NAME   LIMIT    WINDOW               BURST  ALGORITHM          FROM                 OVERRIDES  SHADOW\n" +
		"day    7        day (Europe/Berlin)  7      fixed_window       set                  0          no\n" +
		"hour   7        1h                   7      sliding_window/12  configured           0          no\n" +
		"login  5        1m30s                2      gcra               set over configured  0          yes\n" +
		"none   blocked  -                    -      gcra               -                    2          no\n"
	if code != exitOK || errs != "" || out != want {
		t.Errorf("%d, %q, got\n%swant\n%s", code, errs, out, want)
	}
}
