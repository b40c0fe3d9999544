package output

import (
	"bytes"
	"encoding/json"
	"io"
	"strings"
	"testing"
	"time"
)

func TestATableAlignsItsColumns(t *testing.T) {
	fill := func(t *Table) {
		t.Row("", "admitted", "denied")
		t.Row("3 nodes", 12, 3)
		t.Row("ünë", 12345, "+1")
	}
	for name, c := range map[string]struct {
		table Table
		want  string
	}{
		"text": {Table{}, "" +
			"         admitted  denied\n" +
			"3 nodes  12        3\n" +
			"ünë      12345     +1\n"},
		"numbers": {Table{Numbers: true}, "" +
			"         admitted  denied\n" +
			"3 nodes        12       3\n" +
			"ünë         12345      +1\n"},
	} {
		var b bytes.Buffer
		fill(&c.table)
		if err := c.table.Print(&b); err != nil {
			t.Fatal(err)
		}
		if b.String() != c.want {
			t.Errorf("%s: got\n%swant\n%s", name, b.String(), c.want)
		}
	}
}

func TestATableShowsNoControlCharacters(t *testing.T) {
	var b bytes.Buffer
	var table Table
	table.Row("a\x1b[31mb\tc\nd\u009be")
	if err := table.Print(&b); err != nil {
		t.Fatal(err)
	}
	if want := "a\ufffd[31mb\ufffdc\ufffdd\ufffde\n"; b.String() != want {
		t.Errorf("got %q, want %q", b.String(), want)
	}
}

func TestATreePrintsAnyDocumentInItsOrder(t *testing.T) {
	for name, c := range map[string]struct{ document, want string }{
		"scalars": {`{"b":true,"a":12345678901234567890,"c":null,"d":"","e":1.50}`, "" +
			"b  yes\na  12345678901234567890\nc  -\nd  -\ne  1.50\n"},
		"nested": {`{"sync":{"connected":false,"peers":["x","y"]},"empty":{},"none":[]}`, "" +
			"sync.connected  no\nsync.peers      x,y\nnone            -\n"},
		"a map of objects": {`{"limits":{"default":{"limit":100,"window":60},"login":{"limit":5,"burst":2}}}`, "" +
			"limits\nNAME     LIMIT  WINDOW  BURST\ndefault  100    60      -\nlogin    5      -       2\n"},
		"tables between scalars": {`{"node":"n1","peers":[{"name":"n2","sent":{"delta":1,"beat":2}}],"ready":true}`, "" +
			"node  n1\n\npeers\nNAME  SENT\nn2    delta=1 beat=2\n\nready  yes\n"},
		"counters": {`{"dropped":{"tag":0,"queue":3,"sender":1},"lost":{"full":0},"bound":{"default":{"units":0}},` +
			`"sync":{"connected":true,"sent":{"delta":{"messages":2,"bytes":9},"beat":{"messages":0,"bytes":0}},"received":{"delta":{"messages":0}}}}`, "" +
			"dropped  queue=3 sender=1\nlost     none\n\nbound\nNAME     UNITS\ndefault  0\n\nsync.connected  yes\n\n" +
			"sync.sent\nNAME   MESSAGES  BYTES\ndelta  2         9\n\nsync.received  none\n"},
		"no object": {`[1,2]`, "  1,2\n"},
	} {
		var b bytes.Buffer
		if err := Tree(&b, []byte(c.document)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if b.String() != c.want {
			t.Errorf("%s: got\n%swant\n%s", name, b.String(), c.want)
		}
	}
}

func TestATreeRefusesWhatIsNotJSON(t *testing.T) {
	for _, document := range []string{"", "{", `{"a":`, "<html>", `{"a":[1,}`} {
		if err := Tree(io.Discard, []byte(document)); err == nil {
			t.Errorf("%q was printed", document)
		}
	}
}

func TestATreeNestsNoDeeperThanItPrints(t *testing.T) {
	deep := strings.Repeat(`{"a":`, 100) + "1,\"b\":2" + strings.Repeat("}", 100)
	deep = strings.Replace(deep, `1,"b":2`, `{"c":1},"b":2`, 1)
	var b bytes.Buffer
	if err := Tree(&b, []byte(deep)); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(b.String(), "b=2") {
		t.Errorf("got %s", b.String())
	}
}

func TestAFormatIsTextOrJSON(t *testing.T) {
	var f Format
	if f.String() != "text" {
		t.Errorf("the zero format is %q", f.String())
	}
	if err := f.Set("xml"); err == nil || f.String() != "text" {
		t.Errorf("xml: %v, %q", err, f.String())
	}
	text := func(w io.Writer) error {
		_, err := io.WriteString(w, "text\n")
		return err
	}
	var b bytes.Buffer
	if err := f.Print(&b, 1, text); err != nil || b.String() != "text\n" {
		t.Errorf("%v, %q", err, b.String())
	}
	if err := f.Set("json"); err != nil {
		t.Fatal(err)
	}
	b.Reset()
	if err := f.Print(&b, json.RawMessage(`{"a":"<b>"}`), text); err != nil || b.String() != "{\n  \"a\": \"<b>\"\n}\n" {
		t.Errorf("%v, %q", err, b.String())
	}
}

func TestProgressIsForTerminalsOnly(t *testing.T) {
	var b bytes.Buffer
	p := NewProgress(&b)
	p.Showf("%d", 1)
	p.Done()
	if b.Len() != 0 {
		t.Errorf("wrote %q to what is no terminal", b.String())
	}
	p.Plain = time.Hour
	p.Showf("%d", 1) // too soon
	p.Plain = 1
	p.Showf("%d", 2)
	p.Done()
	if b.String() != "2\n" {
		t.Errorf("wrote %q, which is no plain line", b.String())
	}
	b.Reset()
	p = &Progress{w: &b}
	p.Showf("%d", 1)
	p.Showf("%d", 2) // too soon
	p.Done()
	if want := "\r\x1b[K1\r\x1b[K"; b.String() != want {
		t.Errorf("got %q, want %q", b.String(), want)
	}
}
