package sync

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/vmihailenco/msgpack/v5"
)

// record writes testdata/recorded anew, from what this code writes: go test ./sync -run Recorded -args -update.
// Once a version is released, its bytes never change: a change that asks for other bytes is another
// version, and needs a folder of its own.
var record = flag.Bool("update", false, "write testdata/recorded")

// recorded is where a kind's message of this version is, with the given ending.
func recorded(k Kind, ending string) string {
	return filepath.Join("testdata", "recorded", fmt.Sprintf("v%d", Version), k.String()+ending)
}

// recordedMessage is a message of a kind that says something in every field.
func recordedMessage(k Kind) *Message {
	m := fullMessage()
	if m.Kind = k; k.addressed() {
		m.To = testSelf
	}
	return m
}

// described is what a message says, a field a line, without those that say nothing: so fields that
// are to come change no line.
func described(m *Message) string {
	var b strings.Builder
	v := reflect.ValueOf(*m)
	for i := range v.NumField() {
		if !v.Field(i).IsZero() {
			_, _ = fmt.Fprintf(&b, "%s: %+v\n", v.Type().Field(i).Name, v.Field(i).Interface())
		}
	}
	return b.String()
}

// TestRecordedMessagesAreRead reads bytes that were recorded, of every kind and with every field, and
// writes the same bytes for what they say. So a node of this code and one of the recording understand
// each other both ways.
func TestRecordedMessagesAreRead(t *testing.T) {
	w, r := newWriter(testSecret), newReader(testSecret, testSelf)
	for k := Kind(1); k < kindEnd; k++ {
		if *record {
			m := recordedMessage(k)
			writeRecorded(t, recorded(k, ".bin"), w.encode(m, nil))
			writeRecorded(t, recorded(k, ".txt"), []byte(described(m)))
		}
		data, err := os.ReadFile(recorded(k, ".bin"))
		if err != nil {
			t.Fatal(err)
		}
		want, err := os.ReadFile(recorded(k, ".txt"))
		if err != nil {
			t.Fatal(err)
		}
		m, err := r.decode(data)
		if err != nil {
			t.Errorf("%v: %v", k, err)
			continue
		}
		if got := described(m); got != string(want) {
			t.Errorf("%v says\n%s\nand was recorded as\n%s", k, got, want)
		}
		if again := w.encode(m, nil); !bytes.Equal(again, data) {
			t.Errorf("%v: this code writes other bytes for what was recorded: a node of the recording would not read them", k)
		}
	}
}

// TestRecordedSignaturesAreRead does the same for messages of every kind that their node signed: who
// has a list finds the recorded signature good, for the recorded node and receiver alone, and signs in
// the same way. A node without a list reads the same message.
func TestRecordedSignaturesAreRead(t *testing.T) {
	const cluster = "default"
	w, r := newWriter(testSecret), newReader(testSecret, testSelf)
	for k := Kind(1); k < kindEnd; k++ {
		m := recordedMessage(k)
		w.signer = signer{keyOfNode(m.Node), signing(cluster)}
		if *record {
			writeRecorded(t, recorded(k, ".signed.bin"), w.encode(m, nil))
		}
		data, err := os.ReadFile(recorded(k, ".signed.bin"))
		if err != nil {
			t.Fatal(err)
		}
		listed := verifier{keysOf(m.Node, "xx"), signing(cluster)}
		if err := listed.verify(m.Node, m.To, data); err != nil {
			t.Errorf("%v: what was signed is refused: %v", k, err)
		}
		elsewhere := verifier{keysOf(m.Node, "xx"), signing("other")}
		if listed.verify("xx", m.To, data) == nil || listed.verify(m.Node, m.To+1, data) == nil || elsewhere.verify(m.Node, m.To, data) == nil {
			t.Errorf("%v: a recorded signature is good for another node, receiver or cluster", k)
		}
		want, err := os.ReadFile(recorded(k, ".txt"))
		if err != nil {
			t.Fatal(err)
		}
		read, err := r.decode(data)
		if err != nil {
			t.Errorf("%v: %v", k, err)
			continue
		}
		if got := described(read); got != string(want) {
			t.Errorf("%v says\n%s\nand was recorded as\n%s", k, got, want)
		}
		if again := w.encode(read, nil); !bytes.Equal(again, data) {
			t.Errorf("%v: this code signs what was recorded otherwise: a node of the recording would refuse it", k)
		}
	}
}

// TestRecordedKeysOfNodesAreRead holds the forms of a node's own key and of a line in the list.
func TestRecordedKeysOfNodesAreRead(t *testing.T) {
	const private, line = "YmJiYmJiYmJiYmJiYmJiYmJiYmJiYmJiYmJiYmJiYmI=\n", "b LfBBJfABWvtHzoU674dyCU/5SYwUyxueEpc8KSfaD6Y=\n"
	key, err := ParseNodeKey([]byte(private))
	if err != nil || !key.Equal(keyOfNode("b")) {
		t.Fatalf("the recorded key is read as %x, %v", key, err)
	}
	list, err := ParseNodeKeys([]byte(line))
	if err != nil || !list.Names("b", publicOf(key)) {
		t.Fatalf("the recorded line is read as %v, %v", list, err)
	}
	if p, l := FormatNodeKey("b", key); p != private || l != line {
		t.Errorf("written as %q and %q", p, l)
	}
}

func writeRecorded(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestARecordedNodeSkipsWhatIsToCome adds a field of a later minor version to what was recorded: who
// does not know it reads the rest.
func TestARecordedNodeSkipsWhatIsToCome(t *testing.T) {
	r := newReader(testSecret, testSelf)
	for k := Kind(1); k < kindEnd; k++ {
		data, err := os.ReadFile(recorded(k, ".bin"))
		if err != nil {
			t.Fatal(err)
		}
		want, err := os.ReadFile(recorded(k, ".txt"))
		if err != nil {
			t.Fatal(err)
		}
		// The body is two numbers of a byte each, a map's header with two bytes of length, and its pairs.
		body := bytes.Clone(data[:len(data)-tagSize])
		if body[2] != 0xde {
			t.Fatalf("%v begins with % x: it has too few fields", k, body[:4])
		}
		body[4]++
		var more bytes.Buffer
		e := msgpack.NewEncoder(&more)
		if err := errors.Join(e.EncodeUint(uint64(len(fields))+3), e.EncodeArrayLen(2), e.EncodeString("what"), e.EncodeInt(-7)); err != nil {
			t.Fatal(err)
		}
		m, err := r.decode(sealed(append(body, more.Bytes()...)))
		if err != nil {
			t.Errorf("%v: %v", k, err)
		} else if got := described(m); got != string(want) {
			t.Errorf("%v with one more field says\n%s", k, got)
		}
	}
}

// TestAnotherMajorVersionIsNamed changes the version of what was recorded: a node refuses all but its
// own, and says why.
func TestAnotherMajorVersionIsNamed(t *testing.T) {
	r := newReader(testSecret, testSelf)
	data, err := os.ReadFile(recorded(KindBeat, ".bin"))
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range []byte{Version - 1, Version + 1} {
		body := bytes.Clone(data[:len(data)-tagSize])
		body[0] = v
		if _, err := r.decode(sealed(body)); !errors.Is(err, ErrVersion) || !strings.Contains(err.Error(), fmt.Sprint(v)) {
			t.Errorf("version %d: %v", v, err)
		}
	}
}
