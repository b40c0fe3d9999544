package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/cmd/internal/flags"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/cmd/internal/output"
)

// command is one subcommand.
type command struct {
	name     string
	args     string // names of the arguments beside flags, [optional] ones in brackets
	help     string // one line
	examples [2]string
	// prepare adds the command's own flags. It returns the action to run once they are read.
	prepare func(c *call) action
}

// action does the work of a command. Its error decides the exit code.
type action func(ctx context.Context) error

// group is the first word of the commands that have two.
const group = "limits"

func commands() []command {
	return []command{
		{"take", "CLIENT", "ask for a decision, and take what it allows", [2]string{"alice", "alice -limit login -cost 3"}, take},
		{"peek", "CLIENT", "show a client's standing, and take nothing", [2]string{"alice", "alice -limit login -o json"}, peek},
		{"charge", "CLIENT", "charge what was used already, also beyond the limit", [2]string{"alice -cost 1200", "alice -limit tokens -cost 1200 -also day"}, charge},
		{
			"reserve", "CLIENT", "take for work whose cost is known only after it, and print a token",
			[2]string{"alice -cost 500", "alice -limit tokens -cost 500 -for 5m"},
			reserve,
		},
		{"commit", "TOKEN N", "settle a reservation for N units: the client gets the rest back", [2]string{`"$token" 120`, `"$token" 0 -o json`}, commit},
		{"cancel", "TOKEN", "settle a reservation: the client gets all of it back", [2]string{`"$token"`, `"$token" -o json`}, cancel},
		{"refund", "CLIENT", "give units back, whichever nodes charged them", [2]string{"alice -cost 1200", "alice -limit tokens -cost 1200"}, refund},
		{"reset", "CLIENT", "forget what a client has used, on every node", [2]string{"alice", "alice -limit login"}, reset},
		{"explain", "CLIENT", "tell why a client stands where it stands, and which node admitted what", [2]string{"alice", "2001:db8::7 -limit api"}, explain},
		{"limits list", "", "list the limits in force", [2]string{"", "-o json"}, limitsList},
		{"limits get", "NAME", "show one limit, overrides included", [2]string{"login", "login -o json > login.json"}, limitsGet},
		{"limits set", "NAME", "set a limit on every node", [2]string{"login -limit 5 -window 1m -burst 2", "login -f login.json"}, limitsSet},
		{"limits delete", "NAME", "take back what was set: the limit is as configured again, or gone", [2]string{"login", "login -o json"}, limitsDelete},
		{"limits watch", "[NAME]", "print each change of the limits, or of one", [2]string{"", "login -n 1"}, limitsWatch},
		{"status", "", "show nodes, synchronisation and the error bound", [2]string{"", "-addr 127.0.0.1:8081 -o json"}, status},
		{"top", "", "list a limit's heaviest and most denied clients, on one node or on several", [2]string{"-limit login", "-and 10.0.0.2:8080,10.0.0.3:8080"}, top},
		{"shadow", "", "tell what shadow limits would have denied, and to whom", [2]string{"", "-o json"}, shadow},
		{"health", "", "tell by the exit code whether the daemon is ready", [2]string{"", "-live"}, health},
		{
			"bench", "", "put load on nodes, and measure how fast and how right they decide",
			[2]string{"-nodes 3 -policy 1000/60s -clients 1 -rate 2000", "-target http://127.0.0.1:8080,http://127.0.0.1:8081 -fail p99<5ms -html bench.html"},
			benchmark,
		},
		{"load", "", "the same as bench, by its former name", [2]string{"-rate 5000 -duration 30s", "-dist zipf -clients 100000"}, benchmark},
		{
			"replay", "[LOG]", "tell what a limit would have done to the traffic of an access log, and propose limits",
			[2]string{"access.log -limit 60 -html replay.html", "-nodes 5 -o json"},
			replayLog,
		},
		{
			"sim", "", "simulate a cluster with faults, and check the error bound",
			[2]string{"-duration 60s -partition 5s+10s:1", "-sweep flush=1ms,20ms,200ms -html sweep.html"},
			simulation,
		},
		{
			"nats-permissions", "NODE[=NKEY],...", "print the users that a NATS server needs for these nodes, for its configuration",
			[2]string{"api-1,api-2,api-3", "api-1=UDXU4RCSJNZOIQHZNWXHXORDPRTGNJAHAHFRGZNEEJCPQTT2M7NLCNF4 -o json"},
			natsPermissions,
		},
		{
			"node-key", "NODE FILE", "make a node's key in a new file, or read the one that is there, and print its line for -node-keys",
			[2]string{"api-1 /etc/ratelimitd/node-key", "api-1 node-key >> node-keys"},
			nodeKey,
		},
		{"version", "", "print the version", [2]string{"", "-o json"}, version},
	}
}

// call is one call of a command, with its flags, arguments and outputs.
type call struct {
	*flags.Set
	api            *api // nil for a command that asks no daemon
	args           []string
	format         output.Format
	stdout, stderr io.Writer
}

// call reads the arguments and acts.
func (cmd *command) call(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	c := &call{Set: flags.New(), stdout: stdout, stderr: stderr}
	act := cmd.prepare(c)
	c.Add(&c.format, "o", "output `FORMAT`, text or json")
	var err error
	switch c.args, err = c.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return errors.Join(cmd.printHelp(c), err)
	case err != nil:
		return usageError{err}
	}
	words := strings.Fields(cmd.args)
	needed := len(words) - strings.Count(cmd.args, "[")
	switch {
	case len(c.args) < needed:
		return usagef("an argument is missing: %s %s", cmd.name, cmd.args)
	case len(c.args) > len(words):
		return usagef("unexpected argument %q", c.args[len(words)])
	}
	for i, arg := range c.args {
		if !utf8.ValidString(arg) { // JSON would put U+FFFD in its place, which is another client
			return usagef("argument %d, %q, must be valid UTF-8", i+1, arg)
		}
	}
	if c.api != nil {
		if err := c.api.open(); err != nil {
			return err
		}
	}
	return act(ctx)
}

func (cmd *command) printHelp(c *call) error {
	line := func(rest string) string { return strings.TrimRight("ratelimitctl "+cmd.name+" "+rest, " ") }
	say(c.stdout, "usage: %s [flags]\n\n%s.\n\nFlags:\n", line(cmd.args), strings.ToUpper(cmd.help[:1])+cmd.help[1:])
	if err := c.Help(c.stdout); err != nil {
		return err
	}
	say(c.stdout, "\nExamples:\n  %s\n  %s\n\n%s", line(cmd.examples[0]), line(cmd.examples[1]), exitCodes)
	return nil
}

// ask prints what the daemon answers. body may be nil.
func (c *call) ask(ctx context.Context, method, path string, body any) error {
	got, err := c.api.call(ctx, method, path, body)
	if err != nil {
		return err
	}
	return c.print(got)
}

// print prints a JSON answer as the daemon gave it, whatever its fields are.
func (c *call) print(a answer) error {
	if !json.Valid(a.body) {
		return fmt.Errorf("the answer is not JSON: %s", problem(a.body, "empty"))
	}
	return c.format.Print(c.stdout, json.RawMessage(a.body), func(w io.Writer) error {
		return output.Tree(w, a.body)
	})
}

// decide makes a request that can be denied, and prints the decision. A denial is an
// error, for the exit code.
func (c *call) decide(ctx context.Context, path string, body any) (answer, error) {
	got, err := c.api.call(ctx, http.MethodPost, path, body, http.StatusTooManyRequests)
	if err == nil && got.status == http.StatusTooManyRequests {
		return got, errors.Join(c.print(got), errDenied)
	}
	return got, err
}

// report asks a path. It prints the answer as JSON, or reads it into v and lets text print that.
func (c *call) report(ctx context.Context, path string, v any, text func(w io.Writer) error) error {
	got, err := c.api.call(ctx, http.MethodGet, path, nil)
	if err != nil {
		return err
	}
	if c.format == output.JSON {
		return c.print(got)
	}
	if err := understand(got.body, v); err != nil {
		return err
	}
	return text(c.stdout)
}

// understand reads an answer into v.
func understand(body []byte, v any) error {
	if err := json.Unmarshal(body, v); err != nil {
		return fmt.Errorf("the answer is not understood: %w", err)
	}
	return nil
}
