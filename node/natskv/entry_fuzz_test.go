package natskv

import (
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
)

// written is what somebody wrote into a bucket.
type written struct {
	jetstream.KeyValueEntry

	value []byte
}

func (w written) Revision() uint64                { return 1 }
func (w written) Created() time.Time              { return time.Unix(1_900_000_000, 0) }
func (w written) Operation() jetstream.KeyValueOp { return jetstream.KeyValuePut }
func (w written) Value() []byte                   { return w.value }

// FuzzValues reads two values that anybody with access to the bucket may have written, and that may
// use each other: each is a limit that a node takes, or has a fault with a text.
func FuzzValues(f *testing.F) {
	for _, value := range []string{
		`{"limit":5,"window":60}`, `{"limit":5,"window":"1m","overrides":[{"client":"alice","limit":1}]}`,
		`{"limit":5,"window":60,"overrides":[{"cidr":"10.0.0.0/8","access":"blocked"}]}`,
		`{"use":"b"}`, `{"use":"a"}`, `{"use":"default","burst":2}`, `{"use":"nowhere"}`,
		`{"limit":1e400}`, `{"limit":5,"limit":6,"window":60}`, `[]`, ``, "\xff", `{"overrides":[` + "{},{}" + `]}`,
	} {
		f.Add(value, `{"use":"a"}`)
		f.Add(value, value)
	}
	inForce := map[string]node.Policy{"default": {Limit: 10, Window: time.Minute}}
	f.Fuzz(func(t *testing.T, a, b string) {
		var c contents
		c.begin(time.Time{})
		for name, value := range map[string]string{"a": a, "b": b} {
			e, err := c.hear(name, written{value: []byte(value)})
			if e == nil || err != nil && err.Error() == "" || err == nil && e.limit == nil && e.value == nil {
				t.Fatalf("%q is read as %+v, %v", value, e, err)
			}
		}
		r := c.resolver(inForce)
		for _, name := range []string{"a", "b"} {
			l := r.limit(name)
			if l == nil {
				continue
			}
			if err := l.Policy().Validate(); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}
