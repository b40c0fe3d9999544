package replay

import (
	"fmt"
	"io"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/cmd/internal/output"
)

// Print writes the result for people.
func (r *Result) Print(w io.Writer) error {
	window := time.Duration(r.WindowMS * float64(time.Millisecond))
	var head output.Table
	head.Row("log", fmt.Sprintf("%d requests of %d clients in %v from %s, read as %s, %d unreadable lines",
		r.Requests, r.Clients, r.To.Sub(r.From).Round(time.Second), r.From.Format(time.RFC3339), r.Format, r.BadLines))
	for _, bad := range r.BadSamples {
		head.Row("unreadable", bad)
	}
	head.Row("limit", fmt.Sprintf("%d per %v, burst %d, for each client address", r.Limit, window, r.Burst))
	spread := "at random"
	if r.Spread == RoundRobin {
		spread = "in turn"
	}
	head.Row("nodes", fmt.Sprintf("%d, requests spread %s, messages take %s, seed %d", r.Nodes, spread, r.Delay, r.Seed))
	head.Row("sync", fmt.Sprintf("%d messages, %d bytes", r.Messages, r.Bytes))
	if err := head.Print(w); err != nil {
		return err
	}
	if _, err := fmt.Fprintln(w); err != nil {
		return err
	}
	table := output.Table{Numbers: true}
	table.Row("", "requests", "admitted", "denied", "clients limited")
	name := fmt.Sprintf("%d nodes", r.Nodes)
	if r.Nodes == 1 {
		name = "1 node"
	}
	table.Row(name, r.Requests, r.Cluster.Admitted, r.Cluster.Denied, r.Cluster.ClientsLimited)
	table.Row("one central limiter", r.Requests, r.Central.Admitted, r.Central.Denied, r.Central.ClientsLimited)
	table.Row("difference", "",
		fmt.Sprintf("%+d", r.Cluster.Admitted-r.Central.Admitted),
		fmt.Sprintf("%+d", r.Cluster.Denied-r.Central.Denied),
		fmt.Sprintf("%+d", r.Cluster.ClientsLimited-r.Central.ClientsLimited))
	if err := table.Print(w); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "\nE = %.2f units: the most that a client was ever admitted beyond what one central limiter could have\n"+
		"bound %.2f units: (nodes-1) x (burst + rate x delta), delta = flush + delay = %vms\n", r.Excess, r.Bound, r.DeltaMS)
	return err
}
