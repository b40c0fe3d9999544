package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"math"
	"strconv"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/cmd/internal/output"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
)

func explain(c *call) action {
	c.daemon()
	limit := c.limitFlag()
	return func(ctx context.Context) error {
		var x explanation
		return c.report(ctx, "/v1/explain?"+query(c.args[0], *limit).Encode(), &x, func(w io.Writer) error { return x.print(w, time.Now()) })
	}
}

// explanation is a client's standing, in the daemon's words.
type explanation struct {
	Client   string `json:"client"`
	Limit    string `json:"limit"`
	CountsAs string `json:"counts_as"`
	Override *struct {
		Index    int    `json:"index"`
		Name     string `json:"name"`
		Selector string `json:"selector"`
		Value    string `json:"value"`
	} `json:"override"`
	Policy   limit      `json:"policy"`
	Since    *time.Time `json:"since"`
	Decision struct {
		Allowed    bool   `json:"allowed"`
		Remaining  int64  `json:"remaining"`
		RetryAfter int64  `json:"retry_after_ms"`
		ResetAfter int64  `json:"reset_after_ms"`
		Reason     string `json:"reason"`
		Note       string `json:"note"`
		Degraded   bool   `json:"degraded"`
	} `json:"decision"`
	Held    bool              `json:"held"`
	Shared  bool              `json:"shared"`
	Reset   *time.Time        `json:"reset"`
	Windows []explainedWindow `json:"windows"`
	Account *account          `json:"account"`
}

// account is what the node may admit by itself under a bounded limit, in units.
type account struct {
	Own      float64 `json:"own_units"`
	Borrowed float64 `json:"borrowed_units"`
	Room     float64 `json:"room_units"`
	Credit   float64 `json:"credit_units"`
	Lent     float64 `json:"lent_units"`
}

// String reads "33.2 of a room of 33.3, 4 borrowed, 10 lent, credit 1.7".
func (a *account) String() string {
	number := func(units float64) string { return strconv.FormatFloat(math.Round(units*10)/10, 'f', -1, 64) }
	text := number(a.Own) + " of a room of " + number(a.Room)
	if a.Room == 0 {
		text = "no share of this client"
	}
	text += ", " + number(a.Borrowed) + " borrowed, " + number(a.Lent) + " lent"
	if a.Credit > 0 {
		text += ", credit " + number(a.Credit)
	}
	return text
}

type explainedWindow struct {
	Start  time.Time `json:"start"`
	End    time.Time `json:"end"`
	Before uint64    `json:"before_units"`
	Nodes  []struct {
		Node        string `json:"node"`
		Incarnation string `json:"incarnation"`
		Admitted    uint64 `json:"admitted_units"`
		GivenBack   uint64 `json:"given_back_units"`
	} `json:"nodes"`
}

// reasonWords puts a reason into words for somebody who asks why.
var reasonWords = map[string]string{
	"":                "within the limit",
	"over_limit":      "the limit is used up",
	"table_full":      "the client table is full, and unknown clients pass",
	"short":           "the limit is not used up, but other nodes hold what is left, and this one has asked them",
	"isolated_share":  "nodes cannot hear each other, and this side's share of the limit is used up",
	"isolated_open":   "the limit is used up, but it is open while nodes cannot hear each other",
	"isolated_closed": "the limit is closed while nodes cannot hear each other",
	"unlimited":       "nothing limits this client",
	"blocked":         "this client is blocked",
	"shadow":          "the limit is used up, but it is a shadow and denies nobody",
}

// never is a wait in milliseconds. A daemon answers with this or more if no wait helps.
const never = int64(365 * 24 * time.Hour / time.Millisecond)

// print writes the standing for people. It shows times in now's zone, and those of a calendar's
// windows in the calendar's zone.
func (x *explanation) print(w io.Writer, now time.Time) error {
	if zone, err := time.LoadLocation(x.Policy.TimeZone); err == nil && x.Policy.Algorithm == node.FixedWindow.String() {
		now = now.In(zone)
	}
	d := &x.Decision
	verdict := "denied"
	if d.Allowed {
		verdict = "allowed"
	}
	var t output.Table
	t.Row(fmt.Sprintf("%s at limit %s: %s now, %s", x.Client, x.Limit, verdict, cmp.Or(reasonWords[d.Reason], d.Reason)))
	if err := t.Print(w); err != nil {
		return err
	}
	in := func(ms int64) string {
		wait := time.Duration(ms) * time.Millisecond
		return "in " + span(wait) + ", at " + clock(now.Add(wait), now)
	}
	switch {
	case d.Reason == "isolated_closed":
		t.Row("passes again", "when nodes hear each other")
	case d.RetryAfter >= never:
		t.Row("passes again", "never, as things are")
	case d.RetryAfter > 0:
		t.Row("passes again", in(d.RetryAfter))
	case !d.Allowed:
		t.Row("passes again", "nobody knows when")
	}
	if d.Note != "" {
		t.Row("the wait is", d.Note)
	}
	if x.Policy.limits() {
		t.Row("left", fmt.Sprintf("%d of %d", d.Remaining, x.Policy.Burst))
		if d.ResetAfter > 0 {
			t.Row("all there again", in(d.ResetAfter))
		}
	}
	if x.Account != nil {
		t.Row("this node's units", x.Account)
	}
	t.Row("policy", x.Policy.rate())
	t.Row("whose", x.whose())
	if x.Since == nil {
		t.Row("in force", "as configured")
	} else {
		t.Row("in force", "since "+clock(*x.Since, now))
	}
	if x.CountsAs != "" && x.CountsAs != x.Client {
		t.Row("counts as", x.CountsAs)
	}
	if x.Shared {
		t.Row("shares", "its count with other clients, because the client table is full")
	}
	if x.Reset != nil {
		t.Row("last reset", clock(*x.Reset, now))
	}
	if d.Degraded {
		t.Row("degraded", "this node cannot hear all its peers, and may not know of all that they admitted")
	}
	if err := t.Print(w); err != nil {
		return err
	}
	return x.printWindows(w, now)
}

func (x *explanation) whose() string {
	o := x.Override
	switch {
	case o == nil:
		return "the limit's own"
	case o.Selector == "":
		return fmt.Sprintf("of overrides[%d]", o.Index) + tier(o.Name)
	default:
		return fmt.Sprintf("of %s, %s", o.Selector, o.Value) + tier(o.Name)
	}
}

// tier is an override's name, if it has one.
func tier(name string) string {
	if name == "" {
		return ""
	}
	return ", named " + name
}

func (x *explanation) printWindows(w io.Writer, now time.Time) error {
	if _, err := fmt.Fprintln(w); err != nil {
		return err
	}
	if len(x.Windows) == 0 {
		text := "nothing is counted"
		if x.Decision.ResetAfter > 0 {
			text = "what counts is older than the windows that are kept, or than the limit's last change: which node admitted it is not known any more"
		}
		_, err := fmt.Fprintln(w, text)
		return err
	}
	var t output.Table
	t.Row("WINDOW", "NODE", "ADMITTED", "GIVEN BACK")
	for _, win := range x.Windows {
		name := clock(win.Start, now) + " to " + clock(win.End, now)
		if win.Before > 0 {
			t.Row(name, "(before the limit was changed)", win.Before, 0)
			name = ""
		}
		for _, n := range win.Nodes {
			t.Row(name, cmp.Or(n.Node, "gone, "+n.Incarnation), n.Admitted, n.GivenBack)
			name = ""
		}
	}
	return t.Print(w)
}

// rate puts a policy on one line.
func (l *limit) rate() string {
	if !l.limits() {
		return l.quota()
	}
	text := fmt.Sprintf("%d per %s, %s", l.Limit, l.window(), l.algorithm())
	if l.Burst != l.Limit {
		text += fmt.Sprintf(", burst %d", l.Burst)
	}
	if l.Shadow {
		text += ", shadow"
	}
	return text
}

// clock writes a time of day in now's zone, with its date if that is not now's.
func clock(t, now time.Time) string {
	t = t.In(now.Location())
	layout := "15:04:05"
	if t.Nanosecond() != 0 && t.Sub(now).Abs() < time.Minute {
		layout += ".000"
	}
	if t.Format(time.DateOnly) != now.Format(time.DateOnly) {
		layout = time.DateOnly + " " + layout
	}
	return t.Format(layout + " MST")
}
