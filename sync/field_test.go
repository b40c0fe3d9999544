package sync

import (
	"fmt"
	"os"
	"reflect"
	"regexp"
	"testing"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
)

// keyOf is the key on the wire of a field of Message.
func keyOf(name string) int {
	for key := range fields {
		if fields[key].name == name {
			return key
		}
	}
	panic("no field " + name)
}

func TestTheTableHasEachFieldOfAMessageOnce(t *testing.T) {
	message := reflect.TypeFor[Message]()
	seen := map[string]int{"": 0, "Kind": 0, "To": 0} // key 0 is none, the kind stands before the map, and the tag covers who the receiver is
	for key := 1; key < len(fields); key++ {
		name := fields[key].name
		if _, ok := message.FieldByName(name); !ok {
			t.Errorf("key %d: Message has no field %q", key, name)
		}
		if first, twice := seen[name]; twice {
			t.Errorf("keys %d and %d are both %s", first, key, name)
		}
		seen[name] = key
	}
	if len(seen) != message.NumField()+1 {
		t.Errorf("%d of %d fields are on the wire", len(seen)-1, message.NumField())
	}
}

// The document is what another implementation is written from.
func TestTheDocumentListsTheSameFields(t *testing.T) {
	text, err := os.ReadFile("../docs/sync.md")
	if err != nil {
		t.Fatal(err)
	}
	for key := 1; key < len(fields); key++ {
		row := regexp.MustCompile(fmt.Sprintf(`(?m)^\| %d \| %s\b`, key, fields[key].name))
		if !row.Match(text) {
			t.Errorf("docs/sync.md has no row for field %d, %s", key, fields[key].name)
		}
	}
	if regexp.MustCompile(fmt.Sprintf(`(?m)^\| %d \| [A-Z]`, len(fields))).Match(text) {
		t.Errorf("docs/sync.md has a field %d that the table has not", len(fields))
	}
}

// The numbers that the bounds on allocation rest on: a change of one is a change of
// the wire.
func TestSizesOfRecords(t *testing.T) {
	for name, sizes := range map[string][2]int{
		"heard":      {recordSize(heardRecord), 3 * 8},
		"root":       {recordSize(rootRecord), 4 * 8},
		"partitions": {recordSize(partitionedRecord), (2 + crdt.Partitions) * 8},
		"origins":    {recordSize(originRecord), 4 * 8},
		"settlement": {recordSize(settlementRecord), 2 * 8},
		"settled":    {recordSize(settledRecord), 3 * 8},
		"beyond":     {recordSize(beyondRecord), 2 * 8},
		"register":   {measure(registerValues).least, 4},
		"reset":      {measure(resetValues).least, 1 + 2 + 4*8},
	} {
		if sizes[0] != sizes[1] {
			t.Errorf("%s: %d bytes, want %d", name, sizes[0], sizes[1])
		}
	}
}

// A sender never publishes a number that receivers refuse.
func TestNumbersOutOfRangeAreClampedBySenders(t *testing.T) {
	m := fullMessage()
	m.Sent, m.Heard[0].Lag = crdt.End+1, -maxOffset-1
	m.Settlements[0].Actual, m.Settled[0].Back = -1, crdt.MaxTotal+1
	got, err := newReader(testSecret, testSelf).decode(newWriter(testSecret).encode(m, nil))
	if err != nil {
		t.Fatal(err)
	}
	if got.Sent != crdt.End || got.Heard[0].Lag != -maxOffset || got.Settlements[0].Actual != 0 || got.Settled[0].Back != crdt.MaxTotal {
		t.Errorf("got %d, %+v, %+v, %+v", got.Sent, got.Heard, got.Settlements, got.Settled)
	}
}
