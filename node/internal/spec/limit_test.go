package spec_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/gcra"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/spec"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/limit"
)

var drawUnit = rapid.SampledFrom([]node.Calendar{gcra.Second, gcra.Minute, gcra.Hour, gcra.Day, gcra.Week, gcra.Month, gcra.Year})

// drawSelectors draws some ids, beginnings or networks, none twice.
func drawSelectors(t *rapid.T, label, format string) []string {
	all := rapid.SliceOfNDistinct(rapid.IntRange(0, 255), 0, 3, rapid.ID[int]).Draw(t, label)
	var out []string
	for _, n := range all {
		out = append(out, fmt.Sprintf(format, n))
	}
	return out
}

func drawWindow(t *rapid.T) (time.Duration, node.Calendar) {
	if rapid.Bool().Draw(t, "calendar") {
		return 0, drawUnit.Draw(t, "unit")
	}
	return time.Duration(rapid.Int64Range(int64(gcra.MinWindow), int64(gcra.MaxWindow)).Draw(t, "window")), 0
}

func drawOverride(t *rapid.T) node.Override {
	o := node.Override{
		Clients: drawSelectors(t, "clients", "id \"%d\"\n"), Prefixes: drawSelectors(t, "prefixes", "key_%d"), CIDRs: drawSelectors(t, "cidrs", "10.0.%d.0/24"),
		Access: node.Access(rapid.IntRange(0, 2).Draw(t, "access")), //nolint:gosec // 0 to 2
	}
	if len(o.Clients)+len(o.Prefixes)+len(o.CIDRs) == 0 {
		o.Clients = []string{""}
	}
	if o.Access == node.Limited {
		o.Limit = rapid.Int64Range(1, gcra.MaxUnits).Draw(t, "limit")
		if rapid.Bool().Draw(t, "more") {
			o.Window, o.Calendar = drawWindow(t)
			o.Burst = rapid.Int64Range(0, gcra.MaxUnits).Draw(t, "burst")
		}
	}
	return o
}

// drawPolicy draws one whose every field is as a document would set it, though not
// all of them make sense together.
func drawPolicy(t *rapid.T) node.Policy {
	p := node.Policy{
		Algorithm:   node.Algorithm(rapid.IntRange(0, 2).Draw(t, "algorithm")), //nolint:gosec // 0 to 2
		Limit:       rapid.Int64Range(1, gcra.MaxUnits).Draw(t, "limit"),
		TimeZone:    rapid.SampledFrom([]string{"", "Europe/Berlin", "America/New_York"}).Draw(t, "time_zone"),
		Resolution:  rapid.SampledFrom([]int{0, 2, 10, node.MaxResolution}).Draw(t, "resolution"),
		OnIsolation: node.OnIsolation(rapid.IntRange(0, 3).Draw(t, "on_isolation")), //nolint:gosec // 0 to 3
		Consistency: node.Consistency(rapid.IntRange(0, 1).Draw(t, "consistency")),  //nolint:gosec // 0 or 1
		Access:      node.Access(rapid.IntRange(0, 2).Draw(t, "access")),            //nolint:gosec // 0 to 2
		Hold:        rapid.SampledFrom([]time.Duration{0, node.NoHold, time.Millisecond, node.MaxHold}).Draw(t, "hold"),
		Shadow:      rapid.Bool().Draw(t, "shadow"),
		IPv6Prefix:  rapid.IntRange(0, 128).Draw(t, "ipv6_prefix"),
	}
	p.Window, p.Calendar = drawWindow(t)
	p.MaxOvershoot = rapid.Float64Range(0, 1).Draw(t, "max_overshoot")
	if p.Algorithm == node.GCRA {
		p.Burst = rapid.Int64Range(0, gcra.MaxUnits).Draw(t, "burst")
	}
	if p.Access != node.Limited && rapid.Bool().Draw(t, "bare") {
		p.Limit, p.Window, p.Calendar, p.Burst = 0, 0, 0, 0
	}
	p.Overrides = rapid.SliceOfN(rapid.Custom(drawOverride), 0, 4).Draw(t, "overrides")
	if len(p.Overrides) == 0 {
		p.Overrides = nil
	}
	return p
}

// noBase is where there are no other limits.
func noBase(name string) (spec.Limit, error) { return spec.Limit{}, spec.NoLimit(name, nil) }

func parse(t interface {
	Helper()
	Fatalf(format string, args ...any)
}, text string,
) spec.Value {
	t.Helper()
	v, err := spec.ParseJSON([]byte(text))
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return v
}

func TestAPolicySurvivesBeingWrittenDown(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := drawPolicy(t)
		text, err := json.Marshal(spec.LimitOf(p))
		if err != nil {
			t.Fatal(err)
		}
		var r spec.Reader
		l := r.Limit("", parse(t, string(text)), noBase)
		if err := r.Err(); err != nil {
			t.Fatalf("%s\n%v", text, err)
		}
		if got := l.Policy(); !reflect.DeepEqual(got, p) {
			t.Fatalf("%s\ngot  %+v\nwant %+v", text, got, p)
		}
		again, err := json.Marshal(spec.LimitOf(l.Policy()))
		if err != nil || !bytes.Equal(again, text) {
			t.Fatalf("got %s, %v\nwant %s", again, err, text)
		}
	})
}

func TestALimitIsWrittenWithItsDefaultsAndNoMore(t *testing.T) {
	const defaults = `"on_isolation":"keep","consistency":"eventual","shadow":false`
	for want, p := range map[string]node.Policy{
		`{"limit":5,"window":60,"burst":7,"algorithm":"gcra","resolution":1,"time_zone":"UTC","max_overshoot":0.1,` + defaults + `}`: {
			Limit: 5, Window: time.Minute, Burst: 7, MaxOvershoot: 0.1,
		},
		// A calendar window has a length as well once it is in force, and no burst.
		`{"limit":5,"window":"month","burst":5,"algorithm":"fixed_window","resolution":1,"time_zone":"UTC","max_overshoot":0.1,` + defaults + `}`: {
			Algorithm: node.FixedWindow, Limit: 5, Window: 31 * 24 * time.Hour, Calendar: gcra.Month, MaxOvershoot: 0.1,
		},
		`{"limit":0,"window":0,"burst":0,"algorithm":"gcra","resolution":1,"time_zone":"UTC","max_overshoot":0,` + defaults + `,"block":true,"ipv6_prefix":48,` +
			`"overrides":[{"client":"a","prefix":["b","c"],"unlimited":true},{"cidr":"::/0","limit":1,"window":"day","burst":2}]}`: {
			Access: node.Blocked, IPv6Prefix: 48, Overrides: []node.Override{
				{Clients: []string{"a"}, Prefixes: []string{"b", "c"}, Access: node.Unlimited},
				{CIDRs: []string{"::/0"}, Limit: 1, Calendar: gcra.Day, Burst: 2},
			},
		},
	} {
		if got, err := json.Marshal(spec.LimitOf(p)); err != nil || string(got) != want {
			t.Errorf("got %s, %v\nwant %s", got, err, want)
		}
	}
}

// others are limits to build on.
var others = map[string]node.Policy{
	"login":  {Limit: 5, Window: time.Minute, Burst: 5, MaxOvershoot: 0.2, Shadow: true},
	"bursty": {Limit: 5, Window: time.Minute, Burst: 50},
	"daily":  {Algorithm: node.FixedWindow, Limit: 7, Calendar: gcra.Day, TimeZone: "Europe/Berlin"},
	"closed": {Access: node.Blocked},
	"listed": {Limit: 5, Window: time.Minute, Overrides: []node.Override{{Clients: []string{"a"}, Access: node.Blocked}}},
}

func TestALimitMayUseAnother(t *testing.T) {
	for text, want := range map[string]node.Policy{
		`{"use":"login"}`:           {Limit: 5, Window: time.Minute, MaxOvershoot: 0.2, Shadow: true},
		`{"limit":9,"use":"login"}`: {Limit: 9, Window: time.Minute, MaxOvershoot: 0.2, Shadow: true},
		// A burst of its own stays.
		`{"use":"bursty","limit":9,"window":"90s"}`:       {Limit: 9, Window: 90 * time.Second, Burst: 50},
		`{"use":"bursty","burst":9}`:                      {Limit: 5, Window: time.Minute, Burst: 9},
		`{"use":"daily","window":"month"}`:                {Algorithm: node.FixedWindow, Limit: 7, Calendar: gcra.Month, TimeZone: "Europe/Berlin"},
		`{"use":"daily","time_zone":"UTC","window":60}`:   {Algorithm: node.FixedWindow, Limit: 7, Window: time.Minute},
		`{"use":"login","shadow":false,"unlimited":true}`: {Limit: 5, Window: time.Minute, MaxOvershoot: 0.2, Access: node.Unlimited},
		`{"use":"closed","unlimited":true}`:               {Access: node.Unlimited},
		`{"use":"closed"}`:                                {Access: node.Blocked},
		`{"use":"listed","limit":6}`:                      {Limit: 6, Window: time.Minute, Overrides: []node.Override{{Clients: []string{"a"}, Access: node.Blocked}}},
		`{"use":"listed","overrides":[]}`:                 {Limit: 5, Window: time.Minute},
		`{"overrides":[{"client":"a","use":"login"},{"client":"b","use":"bursty","limit":6},{"client":"c","use":"closed"},` +
			`{"client":"d","use":"login","block":true},{"client":"e","use":"closed","block":false,"limit":8}],"limit":1,"window":1}`: {
			Limit: 1, Window: time.Second, Overrides: []node.Override{
				{Clients: []string{"a"}, Limit: 5, Window: time.Minute},
				{Clients: []string{"b"}, Limit: 6, Window: time.Minute, Burst: 50},
				{Clients: []string{"c"}, Access: node.Blocked},
				{Clients: []string{"d"}, Access: node.Blocked},
				{Clients: []string{"e"}, Limit: 8},
			},
		},
		`{"overrides":[{"client":"a","use":"daily","window":"week"}],"use":"daily"}`: {
			Algorithm: node.FixedWindow, Limit: 7, Calendar: gcra.Day, TimeZone: "Europe/Berlin",
			Overrides: []node.Override{{Clients: []string{"a"}, Limit: 7, Calendar: gcra.Week}},
		},
	} {
		var r spec.Reader
		l := r.Limit("", parse(t, text), spec.BaseOf(others))
		if got := l.Policy(); r.Err() != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s\ngot  %+v, %v\nwant %+v", text, got, r.Err(), want)
		}
	}
}

func TestWhatIsWrongWithALimitIsToldByPath(t *testing.T) {
	with := func(member string) string { return `{"limit":5,"window":60,` + member + `}` }
	over := func(member string) string { return with(`"overrides":[{"client":"a","limit":1},{` + member + `}]`) }
	for text, want := range map[string]string{
		`{"limit":0,"window":60}`:                          "limit 0: must be at least 1; to let nobody pass write block: true",
		`{"limit":0,"use":"login"}`:                        "limit 0: must be at least 1; to let nobody pass write block: true",
		`{"limit":[0]}`:                                    "limit is a list: must be a whole number, below 2^63",
		`{"limit":"5"}`:                                    `limit "5": must be a whole number, below 2^63, without quotes`,
		`{"limit":5.5}`:                                    `limit "5.5": must be a whole number, below 2^63`,
		`{"window":{}}`:                                    "window is a mapping: must be a number of seconds, ",
		`{"window":"1d"}`:                                  `window "1d": has a unit that is none of a duration: write 24h`,
		with(`"window":60`):                                "window is given more than once: give it once",
		with(`"burst":null`):                               "burst null: must have a value, or be left out for its default",
		with(`"shadow":1`):                                 `shadow "1": must be true or false`,
		with(`"time_zone":[]`):                             "time_zone is a list: must be a string",
		with(`"algorithm":[]`):                             "algorithm is a list: must be gcra, fixed_window or sliding_window",
		with(`"algorithm":"leaky_bucket"`):                 `algorithm "leaky_bucket": must be gcra, fixed_window or sliding_window`,
		with(`"consistency":"strong"`):                     `consistency "strong": must be eventual, local or bounded`,
		with(`"ipv6_prefix":64.5`):                         `ipv6_prefix "64.5": must be a whole number`,
		with(`"hold":"2s"`):                                `hold "2s": must be a number of seconds or a duration such as 10ms, from 0, which is never, to 1s`,
		with(`"hold":-0.001`):                              `hold "-0.001": must be a number of seconds or a duration such as 10ms`,
		with(`"hold":"second"`):                            `hold "second": must be a number of seconds or a duration such as 10ms`,
		with(`"algorythm":"gcra"`):                         "algorythm is unknown: known are limit, window, burst, algorithm, ",
		with(`"lmit":1`):                                   "use, overrides; did you mean limit?",
		with(`"x\ny":1`):                                   `"x\ny" is unknown: known are`,
		with(`"block":true,"unlimited":true`):              "unlimited true: cannot be together with block: true",
		with(`"use":"nope"`):                               `use "nope": is no limit: there are bursty, closed, daily, listed, login`,
		with(`"use":"logn"`):                               "login; did you mean login?",
		with(`"use":["login"]`):                            "use is a list: must be the name of a limit",
		with(`"use":null`):                                 "use null: must have a value",
		with(`"overrides":"a"`):                            `overrides "a": must be a list of mappings, such as [{"client": "alice", `,
		with(`"overrides":{"a":1}`):                        "overrides is a mapping: must be a list of mappings",
		with(`"overrides":["a"]`):                          `overrides[0] "a": must be a mapping, such as {"client": "alice", `,
		with(`"overrides":[null]`):                         "overrides[0] null: must be a mapping",
		over(`"block":true`):                               "overrides[1] is for nobody: must have client, prefix or cidr",
		over(`"client":"b"`):                               "overrides[1] changes nothing: must have block, unlimited, limit, window, burst or use",
		over(`"client":"b","block":false`):                 "overrides[1] changes nothing",
		over(`"client":"b","limit":0`):                     "overrides[1].limit 0: must be at least 1; to let nobody pass write block: true",
		over(`"client":"b","limit":"x"`):                   `overrides[1].limit "x": must be a whole number`,
		over(`"client":"b","block":"true"`):                `overrides[1].block "true": must be true or false`,
		over(`"client":"b","block":true,"burst":1`):        "overrides[1].burst is given: must be left out beside block: true",
		over(`"client":"b","block":true,"limit":0`):        "overrides[1].limit is given: must be left out beside block: true",
		over(`"client":"b","use":"closed","limit":1`):      "overrides[1].limit is given: must be left out beside block: true",
		over(`"client":"b","block":true,"unlimited":true`): "overrides[1].unlimited true: cannot be together",
		over(`"client":7,"block":true`):                    `overrides[1].client "7": must be a string, or a list`,
		over(`"client":[],"block":true`):                   "overrides[1].client is a list: must be a string, or a list of at least one",
		over(`"client":["a",["b"]],"block":true`):          "overrides[1].client[1] is a list: must be a string",
		over(`"cidr":["a",1],"block":true`):                `overrides[1].cidr[1] "1": must be a string`,
		over(`"prefix":{},"block":true`):                   "overrides[1].prefix is a mapping: must be a string",
		over(`"cidrs":"::/0","block":true`):                "overrides[1].cidrs is unknown: known are client, prefix, cidr, block, unlimited, limit, window, burst, use, name; did you mean cidr?",
		over(`"client":"b","shadow":true`):                 "overrides[1].shadow is unknown",
		over(`"client":"b","client":"c","limit":1`):        "overrides[1].client is given more than once",
		over(`"client":"b","use":"daily"`):                 `overrides[1].use "daily": must be a limit with the algorithm gcra, as this one has; it has fixed_window`,
		over(`"client":"b","use":"nope"`):                  `overrides[1].use "nope": is no limit`,
		over(`"client":"b","window":"1w"`):                 `overrides[1].window "1w": has a unit`,
	} {
		var r spec.Reader
		r.Limit("", parse(t, text), spec.BaseOf(others))
		if err := r.Err(); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s\ngot  %v\nwant %s", text, err, want)
		}
	}
}

func TestFaultsAreToldTogetherAndUpToACap(t *testing.T) {
	var r spec.Reader
	r.Limit("limits.a", parse(t, `{"limit":"x","widnow":1,"overrides":[{"client":1,"limit":0},7]}`), noBase)
	var fields []string
	for _, f := range limit.FieldErrors(r.Err()) {
		fields = append(fields, f.Field)
	}
	if got, want := strings.Join(fields, " "), "limits.a.limit limits.a.widnow limits.a.overrides[0].client limits.a.overrides[0].limit limits.a.overrides[1]"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	var many spec.Reader
	many.Limit("", parse(t, `{"overrides":[`+strings.Repeat("7,", 1000)+`7]}`), noBase)
	if got := many.Err().Error(); strings.Count(got, "\n") != 20 || !strings.HasSuffix(got, "\nand 981 more") {
		t.Errorf("got %s", got)
	}
}

func TestOverridesAreCapped(t *testing.T) {
	text := func(n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, `,{"client":"c%d","limit":%d}`, i, i+1)
		}
		return `{"limit":1,"window":1,"overrides":[` + b.String()[1:] + `]}`
	}
	var r spec.Reader
	l := r.Limit("", parse(t, text(node.MaxOverrides)), noBase)
	if r.Err() != nil || len(l.Overrides) != node.MaxOverrides || l.Overrides[9999].Limit != 10000 {
		t.Errorf("got %d overrides, %v", len(l.Overrides), r.Err())
	}
	r.Limit("", parse(t, text(node.MaxOverrides+1)), noBase)
	if err := r.Err(); err == nil || err.Error() != "overrides has 10001 entries: must be at most 10000; one entry may list many clients" {
		t.Errorf("got %v", err)
	}
}
