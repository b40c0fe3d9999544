package main

import (
	"crypto/ed25519"
	"strings"
	"testing"

	deltasync "github.com/distributed-rate-limiter/distributed-rate-limiter/sync"
)

// nodeKeyOf makes the key file of a node, and its line of the list.
func nodeKeyOf(t *testing.T, name string) (file, line string) {
	t.Helper()
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	private, line := deltasync.FormatNodeKey(name, key)
	return write(t, name+"-key", private), line
}

// Whoever has the cluster key, and an embedded server in the mesh, is heard only if its own key is
// listed.
func TestNodesHearOnlyWhoIsListed(t *testing.T) {
	key := write(t, "key", goodSecret)
	args := []string{"-limit", "10", "-nats-cluster", "127.0.0.1:0", "-cluster-key-file", key}
	keyA, lineA := nodeKeyOf(t, "a")
	keyB, lineB := nodeKeyOf(t, "b")
	keyC, lineC := nodeKeyOf(t, "c")
	listA, listB := write(t, "list-a", lineA+lineB), write(t, "list-b", lineA+lineB)
	a := runDaemon(t, nil, append(args, "-name", "a", "-node-key-file", keyA, "-node-keys", listA)...)
	network, _ := a.logged("ratelimitd serves")["network"].(string)
	_, route, _ := strings.Cut(network, "mesh of embedded NATS at ")
	join := func(more ...string) *process {
		return runDaemon(t, nil, append(append(args, "-nats-routes", "nats://"+route), more...)...)
	}
	b := join("-name", "b", "-node-key-file", keyB, "-node-keys", listB)
	together(t, 1, a, b)
	c := join("-name", "c", "-node-key-file", keyC) // it has no list, so it hears all
	refused := func(p *process) func() bool {
		return func() bool {
			v := p.metric(`ratelimiter_sync_dropped_messages_total{reason="signature"}`)
			return v != "0" && v != ""
		}
	}
	eventually(t, "a refuses c", refused(a))
	eventually(t, "b refuses c", refused(b))
	if detail, _ := a.await("message refused")["detail"].(string); !strings.Contains(detail, "signed") || !strings.Contains(detail, ".c.") {
		t.Errorf("a says %q", detail)
	}
	together(t, 1, a, b)
	// A list that cannot be read, or is somebody else's, changes nothing.
	for _, bad := range []string{lineA + "b not-a-key\n", lineB + lineC} {
		seen := len(a.lines())
		replace(t, listA, bad)
		eventually(t, "the log says that the list is bad", func() bool {
			for _, line := range a.lines()[seen:] {
				if line["msg"] == "changed keys of nodes cannot be used: the last good ones go on" {
					return true
				}
			}
			return false
		})
		together(t, 1, a, b)
	}
	replace(t, listA, lineA+lineB+lineC)
	replace(t, listB, lineA+lineB+lineC)
	together(t, 2, a, b, c)
}

func TestKeysOfNodesAreJudgedAtTheStart(t *testing.T) {
	keyA, lineA := nodeKeyOf(t, "a")
	_, lineB := nodeKeyOf(t, "b")
	list := func(text string) string { return write(t, "list", text) }
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"a key that is none":  {[]string{"-node-key-file", write(t, "key", goodSecret)}, "flag -node-key-file: "},
		"no such key":         {[]string{"-node-key-file", "/nowhere"}, "flag -node-key-file: "},
		"a list without key":  {[]string{"-node-keys", list(lineA)}, "flag -node-keys: is of no use without -node-key-file"},
		"no such list":        {[]string{"-node-key-file", keyA, "-node-keys", "/nowhere"}, "flag -node-keys: "},
		"an empty list":       {[]string{"-node-key-file", keyA, "-node-keys", list("# nobody\n")}, "lists no node"},
		"a list that is torn": {[]string{"-node-key-file", keyA, "-node-keys", list(lineA + lineB[:20])}, "line 2"},
		"another's key":       {[]string{"-node-key-file", keyA, "-node-keys", list(lineB)}, "does not list this node"},
		"another's name":      {[]string{"-node-key-file", keyA, "-node-keys", list("c" + lineA[1:])}, "does not list this node"},
	} {
		_, _, err := runIn(t, nil, append(c.args, "-http", "127.0.0.1:0", "-name", "a", "-check")...)
		if err == nil || exitCode(err) != exitUsage || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), goodSecret) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	if _, _, err := runIn(t, nil, "-http", "127.0.0.1:0", "-name", "a", "-check", "-node-key-file", keyA, "-node-keys", list(lineB+lineA)); err != nil {
		t.Error(err)
	}
}
