package replay

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"strings"
	"testing"
	"time"
)

// entry is a log line of a client at a second of one minute.
func entry(client string, second int) string {
	return fmt.Sprintf(`%s - - [17/May/2026:10:05:%02d +0000] "GET / HTTP/1.1" 200 1 "-" "-"`+"\n", client, second)
}

func gzipped(t *testing.T, s string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write([]byte(s)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestALogIsPutInOrderAndSpreadOverItsSeconds(t *testing.T) {
	text := entry("b", 7) + entry("a", 3) + "not a line\n" + entry("c", 7) + strings.Repeat("x", longestLine+10) + "\n" +
		entry("a", 7) + entry("b", 7) + "\n" + entry("a", 9)
	for name, in := range map[string][]byte{"plain": []byte(text), "gzipped": gzipped(t, text), "without a last line end": []byte(strings.TrimSuffix(text, "\n"))} {
		t.Run(name, func(t *testing.T) {
			log, err := Read(bytes.NewReader(in), Auto, 0)
			if err != nil {
				t.Fatal(err)
			}
			if log.Bad != 3 {
				t.Errorf("%d bad lines, want 3", log.Bad)
			}
			minute := time.Date(2026, time.May, 17, 10, 5, 0, 0, time.UTC)
			var got []string
			for _, r := range log.Requests {
				got = append(got, fmt.Sprintf("%s %v", log.Clients[r.Client], time.Unix(0, r.At).Sub(minute)))
			}
			want := "a 3s, b 7s, c 7.25s, a 7.5s, b 7.75s, a 9s"
			if s := strings.Join(got, ", "); s != want {
				t.Errorf("got  %s\nwant %s", s, want)
			}
			if log.Span() != 6*time.Second {
				t.Errorf("span %v", log.Span())
			}
		})
	}
}

func TestALogThatCannotBeReadWholeIsRefused(t *testing.T) {
	text := strings.Repeat(entry("a", 1), 5)
	if _, err := Read(strings.NewReader(text), Auto, 5); err != nil {
		t.Errorf("five lines of five: %v", err)
	}
	if _, err := Read(strings.NewReader(text), Auto, 4); err == nil || !strings.Contains(err.Error(), "-max-lines") {
		t.Errorf("five lines of four: %v", err)
	}
	cut := gzipped(t, text)
	if _, err := Read(bytes.NewReader(cut[:len(cut)-9]), Auto, 0); err == nil {
		t.Error("a gzip file without its end was taken for whole")
	}
	if _, err := Read(strings.NewReader("\x1f\x8bno gzip"), Auto, 0); err == nil {
		t.Error("a broken gzip header was accepted")
	}
	if log, err := Read(strings.NewReader(""), Auto, 0); err != nil || len(log.Requests) != 0 || log.Span() != 0 {
		t.Errorf("an empty log: %v, %v", log, err)
	}
}

func TestAGeneratedLogIsReadableAndRepeatable(t *testing.T) {
	const lines = 2000
	generate := func(seed uint64) string {
		var b strings.Builder
		if err := Generate(&b, seed, lines); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	one := generate(7)
	if one != generate(7) {
		t.Error("equal seeds gave different logs")
	}
	if one == generate(8) {
		t.Error("different seeds gave equal logs")
	}
	log, err := Read(strings.NewReader(one), Auto, 0)
	if err != nil {
		t.Fatal(err)
	}
	if log.Bad != 0 || len(log.Requests) != lines {
		t.Errorf("%d lines read, %d bad, want %d and 0", len(log.Requests), log.Bad, lines)
	}
	if len(log.Clients) < 50 || log.Span() < 24*time.Hour {
		t.Errorf("%d clients in %v: not two days of a site", len(log.Clients), log.Span())
	}
}
