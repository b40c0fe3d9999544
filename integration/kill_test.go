package integration_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

// daemon is one ratelimitd process, which can be killed and run again with the same
// settings.
type daemon struct {
	t       *testing.T
	args    []string
	http    string
	process *process
}

func newDaemon(t *testing.T, name string, args ...string) *daemon {
	d := &daemon{t: t, http: freeAddress(t)}
	// A slow limit, so that what drains while processes start does not matter.
	d.args = append([]string{"-name", name, "-http", d.http, "-limit", "100", "-window", "600"}, args...)
	d.run()
	return d
}

func (d *daemon) run() {
	d.t.Helper()
	d.process = spawn(d.t, "ratelimitd", d.args...)
	took := eventually(d.t, d.http+" ready", func() bool {
		status, _ := d.try("GET", "/readyz")
		return status == http.StatusOK
	})
	d.t.Logf("%s ready after %v", d.args[1], took.Round(time.Millisecond))
}

func (d *daemon) try(method, path string) (status int, body []byte) {
	req, err := http.NewRequestWithContext(d.t.Context(), method, "http://"+d.http+path, http.NoBody)
	if err != nil {
		d.t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, nil
	}
	defer resp.Body.Close()
	var raw json.RawMessage
	_ = json.NewDecoder(resp.Body).Decode(&raw)
	return resp.StatusCode, raw
}

// ask gets the JSON answer to a request that must be answered.
func (d *daemon) ask(method, path string, into any) {
	d.t.Helper()
	status, body := d.try(method, path)
	if status == 0 {
		d.t.Fatalf("%s does not answer", d.http)
	}
	if err := json.Unmarshal(body, into); err != nil {
		d.t.Fatalf("%s %s: %d %s: %v", method, path, status, body, err)
	}
}

type answer struct {
	Allowed   bool `json:"allowed"`
	Remaining int  `json:"remaining"`
}

func (d *daemon) take(client string, cost int) (a answer) {
	d.t.Helper()
	d.ask("POST", fmt.Sprintf("/v1/take?client=%s&cost=%d", client, cost), &a)
	return a
}

func (d *daemon) remaining(client string) int {
	d.t.Helper()
	var a answer
	d.ask("GET", "/v1/peek?client="+client, &a)
	return a.Remaining
}

// alive is the number of other nodes that it hears.
func (d *daemon) alive() (n int) {
	d.t.Helper()
	var s struct{ Peers []struct{ State string } }
	d.ask("GET", "/v1/status", &s)
	for _, p := range s.Peers {
		if p.State == "alive" {
			n++
		}
	}
	return n
}

// TestClusterRemembersForANodeThatIsKilled kills a node with all that it knows, of
// which it alone had admitted the greater part.
func TestClusterRemembersForANodeThatIsKilled(t *testing.T) {
	if testing.Short() {
		t.Skip("real processes")
	}
	t.Parallel()
	for name, network := range map[string]func(t *testing.T) func(i int) []string{
		"mesh": func(t *testing.T) func(int) []string {
			at := []string{freeAddress(t), freeAddress(t), freeAddress(t)}
			return func(i int) []string {
				return []string{"-nats-cluster", at[i], "-nats-routes", strings.Join(at, ",")}
			}
		},
		"server": func(t *testing.T) func(int) []string {
			h := newHub(t, "-a", "127.0.0.1")
			return func(int) []string { return []string{"-nats", "nats://" + h.address} }
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			args := network(t)
			var all []*daemon
			for i := range 3 {
				all = append(all, newDaemon(t, fmt.Sprintf("d%d", i), args(i)...))
			}
			for _, d := range all {
				eventually(t, "it hears the others", func() bool { return d.alive() == 2 })
			}
			victim, others := all[1], []*daemon{all[0], all[2]}
			for range 10 {
				if !victim.take("alice", 8).Allowed {
					t.Fatal("the victim denied what is within the limit")
				}
			}
			for _, d := range others {
				eventually(t, "the others know", func() bool { return d.remaining("alice") <= 25 })
			}
			if !others[0].take("alice", 10).Allowed {
				t.Fatal("10 of the last 20 are denied")
			}

			victim.process.kill()
			for _, d := range others {
				eventually(t, "both know of the last 10", func() bool { return d.remaining("alice") < 20 })
				if d.take("alice", 50).Allowed {
					t.Error("the others forgot what the dead node admitted")
				}
			}
			victim.run() // ready when it has asked the others
			if d := victim.take("alice", 50); d.Allowed {
				t.Errorf("the node forgot what it admitted before it was killed: %+v", d)
			}
			want := others[0].remaining("alice")
			if got := victim.remaining("alice"); got-want > 1 || want-got > 1 {
				t.Errorf("the node says that %d are left, another %d", got, want)
			}
			// It is a new incarnation: what it admits now adds to what it did before.
			if !victim.take("alice", 5).Allowed {
				t.Error("5 of the last 10 are denied")
			}
			for _, d := range others {
				eventually(t, "the others count on", func() bool { return d.remaining("alice") <= want-3 })
			}
		})
	}
}
