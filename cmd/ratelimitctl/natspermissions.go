package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	deltasync "github.com/distributed-rate-limiter/distributed-rate-limiter/sync"
)

// natsUser is one entry of a NATS server's users.
type natsUser struct {
	User        string `json:"user,omitempty"`
	NKey        string `json:"nkey,omitempty"`
	Permissions struct {
		deltasync.Permissions
		AllowResponses bool `json:"allow_responses,omitempty"`
	} `json:"permissions"`
}

// natsPermissions prints the entries of nodes for a NATS server's configuration.
func natsPermissions(c *call) action {
	cluster, prefix := "default", "ratelimit"
	bucket, api := "", false
	c.Add(&cluster, "cluster", "`NAME` of the cluster")
	c.Add(&prefix, "subject-prefix", "`PREFIX` of all subjects")
	c.Add(&bucket, "nats-kv-bucket", "the nodes take their limits from the bucket `NAME`")
	c.Add(&api, "nats-api", "the nodes answer programs over NATS")
	return func(context.Context) error {
		var users []natsUser
		for node := range strings.SplitSeq(c.args[0], ",") {
			node, nkey, _ := strings.Cut(node, "=")
			if !deltasync.ValidName(node) || !deltasync.ValidName(cluster) {
				return usagef("%q and %q: names of nodes and clusters have 1 to 64 of A-Z, a-z, 0-9, _ and -", node, cluster)
			}
			u := natsUser{User: node}
			if nkey != "" {
				u = natsUser{NKey: nkey}
			}
			p := &u.Permissions
			p.Permissions = deltasync.PermissionsOf(prefix, cluster, node)
			if bucket != "" {
				p.Publish = append(p.Publish, "$JS.API.STREAM.INFO.KV_"+bucket,
					"$JS.API.CONSUMER.CREATE.KV_"+bucket+".*.$KV."+bucket+".limit.>", "$JS.API.CONSUMER.DELETE.KV_"+bucket+".*")
				p.Subscribe = append(p.Subscribe, "_INBOX.>")
			}
			if api {
				p.Subscribe = append(p.Subscribe, prefix+".api."+cluster+".>", "$SRV.>")
			}
			p.AllowResponses = bucket != "" || api
			users = append(users, u)
		}
		return c.format.Print(c.stdout, map[string]any{"users": users}, func(w io.Writer) error { return printUsers(w, users) })
	}
}

// printUsers writes what fits between the brackets of `users = [ ]`.
func printUsers(w io.Writer, users []natsUser) error {
	var out strings.Builder
	for _, u := range users {
		who := fmt.Sprintf("nkey: %s", u.NKey)
		if u.User != "" {
			who = fmt.Sprintf("user: %q, password: $%s", u.User, passwordVariable(u.User))
		}
		p := u.Permissions
		fmt.Fprintf(&out, "{\n  %s\n  permissions: {\n    publish: %s\n    subscribe: %s\n", who, quoted(p.Publish), quoted(p.Subscribe))
		if p.AllowResponses {
			out.WriteString("    allow_responses: { max: 64, expires: \"10s\" }\n")
		}
		out.WriteString("  }\n}\n")
	}
	_, err := io.WriteString(w, out.String())
	return err
}

// quoted is a list as the server reads it.
func quoted(subjects []string) string { return `["` + strings.Join(subjects, `", "`) + `"]` }

// passwordVariable is the variable in the server's environment that holds a node's password.
func passwordVariable(node string) string {
	return "NATS_PASSWORD_" + strings.ToUpper(strings.ReplaceAll(node, "-", "_"))
}
