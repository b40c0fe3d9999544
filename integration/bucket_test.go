package integration_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// bucketPermissions are what docs/nats-permissions.md permits for limits in a bucket: what a
// node may publish besides the rest, and the user entry of an operator.
func bucketPermissions(t *testing.T) (publish, operator string) {
	t.Helper()
	_, section, _ := strings.Cut(document(t, "nats-permissions.md"), "\n## Limits in a bucket\n")
	section, _, _ = strings.Cut(section, "\n## ")
	blocks := strings.Split(section, "```\n")
	if len(blocks) != 5 {
		t.Fatalf("found %d pieces of the section, want 5", len(blocks))
	}
	_, publish, some := strings.Cut(blocks[1], "publish: [\n")
	publish, _, closed := strings.Cut(publish, "]")
	if !some || !closed {
		t.Fatalf("no permissions in %s", blocks[1])
	}
	return publish, blocks[3]
}

// permitted finds the subjects in a piece of configuration.
var permitted = regexp.MustCompile(`"(\$[^" ]+)"`)

// newBucketHub is a server with JetStream, the permissions that ratelimitctl prints for nodes,
// the documented ones for an operator, and an administrator who may do everything. It logs
// each message.
func newBucketHub(t *testing.T) *hub {
	t.Helper()
	publish, operator := bucketPermissions(t)
	nodes := users(t, "-nats-kv-bucket", "limits")
	for _, subject := range permitted.FindAllString(publish, -1) {
		if !strings.Contains(nodes, subject) {
			t.Errorf("ratelimitctl prints no permission for %s, which the document has", subject)
		}
	}
	users := []string{nodes, operator, `{user: "admin", password: "the-secret-of-admin"}`}
	dir := t.TempDir()
	conf := filepath.Join(dir, "nats.conf")
	text := fmt.Sprintf("jetstream { store_dir: %q }\nauthorization { users = [\n%s] }\n", dir, strings.Join(users, ""))
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return newHub(t, "-a", "127.0.0.1", "-V", "-c", conf)
}

// as is the server's JetStream for a user.
func (h *hub) as(user string) jetstream.JetStream {
	h.t.Helper()
	conn, err := nats.Connect("nats://"+h.address, nats.UserInfo(user, "the-secret-of-"+user), nats.MaxReconnects(-1), nats.ReconnectWait(50*time.Millisecond))
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(conn.Close)
	js, err := jetstream.New(conn)
	if err != nil {
		h.t.Fatal(err)
	}
	return js
}

// TestABucketChangesTheLimitsOfAllDaemons runs three of them under the documented
// permissions: the server must refuse nothing, and each line must be of use.
func TestABucketChangesTheLimitsOfAllDaemons(t *testing.T) {
	if testing.Short() {
		t.Skip("real processes and real seconds")
	}
	t.Parallel()
	h := newBucketHub(t)
	var daemons []*daemon
	for i := range 3 {
		name := fmt.Sprintf("n%d", i)
		password := filepath.Join(t.TempDir(), "password")
		if err := os.WriteFile(password, []byte("the-secret-of-"+name), 0o600); err != nil {
			t.Fatal(err)
		}
		daemons = append(daemons, newDaemon(t, name, "-nats", "nats://"+h.address, "-nats-user", name, "-nats-password-file", password, "-nats-kv-bucket", "limits"))
	}
	everywhere := func(what, name string, limit int64) time.Duration {
		t.Helper()
		return eventually(t, what, func() bool {
			for _, d := range daemons {
				var l struct{ Limit int64 }
				if d.ask("GET", "/v1/limits/"+name, &l); l.Limit != limit {
					return false
				}
			}
			return true
		})
	}
	if _, err := h.as("admin").CreateKeyValue(t.Context(), jetstream.KeyValueConfig{Bucket: "limits", History: 5}); err != nil {
		t.Fatal(err)
	}
	kv, err := h.as("operator").KeyValue(t.Context(), "limits")
	if err != nil {
		t.Fatal(err)
	}
	put := func(name, value string) {
		t.Helper()
		if _, err := kv.PutString(t.Context(), "limit."+name, value); err != nil {
			t.Fatal(err)
		}
	}
	put("default", `{"limit":200,"window":600}`)
	found := everywhere("a bucket that was made later", "default", 200)
	if _, err := kv.Get(t.Context(), "limit.default"); err != nil {
		t.Error(err)
	}
	var longest time.Duration
	for i := range int64(5) {
		put("default", fmt.Sprintf(`{"limit":%d,"window":600}`, 201+i))
		longest = max(longest, everywhere("a put", "default", 201+i))
	}
	t.Logf("found after %v, then in force on all three %v after a put at most", found.Round(time.Millisecond), longest.Round(time.Millisecond))
	if longest > 2*time.Second {
		t.Errorf("a put was in force after %v", longest)
	}

	// Enough at once for the server to ask how fast it may send.
	big := `{"limit":7,"window":600,"overrides":[{"client":["` + strings.Repeat(`a`, 200) + `"],"limit":8}]}`
	for i := range 200 {
		put(fmt.Sprintf("big.%d", i), strings.ReplaceAll(big, "aaaa", fmt.Sprintf("%04d", i)))
	}
	everywhere("the last of many", "big.199", 7)

	log := h.process.log()
	h.cut()
	h.heal()
	if err := kv.Delete(t.Context(), "limit.default"); err != nil {
		t.Fatal(err)
	}
	everywhere("a delete after a restart", "default", 100)
	everywhere("the others stay", "big.199", 7)
	for _, d := range daemons {
		if err := d.process.cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		if err := d.process.cmd.Wait(); err != nil {
			t.Error(err)
		}
	}

	log += h.process.log()
	for line := range strings.Lines(log) {
		if strings.Contains(line, "Violation") {
			t.Errorf("refused: %s", line)
		}
	}
	publish, operator := bucketPermissions(t)
	lines := permitted.FindAllStringSubmatch(publish+operator, -1)
	if len(lines) != 6 {
		t.Errorf("found %d permissions, want 6", len(lines))
	}
	wildcards := strings.NewReplacer(`\*`, `[^. ]+`, `>`, `[^ ]+`)
	for _, l := range lines {
		if !regexp.MustCompile(`PUB ` + wildcards.Replace(regexp.QuoteMeta(l[1])) + ` `).MatchString(log) {
			t.Errorf("the permission %s is of no use", l[1])
		}
	}
}
