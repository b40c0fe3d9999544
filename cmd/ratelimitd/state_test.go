package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// held is what a node has to save.
type held struct {
	version uint64
	text    string
}

func (h held) LimitsVersion() uint64 { return h.version }
func (h held) SaveLimits() []byte    { return []byte(h.text) }

const someLimits = `{"version":1,"limits":[{"name":"a<b","at":1790000000000000000,"by":7,"revisions":[{"at":1790000000000000000,"policy":{"Limit":50,"Window":60000000000}}]}]}`

// shelf is a state directory whose log is kept.
type shelf struct {
	*state
	path string
	log  *bytes.Buffer
}

func newShelf(t *testing.T) shelf {
	t.Helper()
	var log bytes.Buffer
	dir := t.TempDir()
	s, err := openState(dir, slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.close)
	return shelf{s, filepath.Join(dir, limitsFile), &log}
}

func (s shelf) put(t *testing.T, text string) {
	t.Helper()
	if err := os.RemoveAll(s.path); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(s.path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// read loads, and says what was told of a file that was put aside.
func (s shelf) read(t *testing.T) (text, told string) {
	t.Helper()
	s.log.Reset()
	text = string(s.load(func([]byte) error { return nil }))
	aside, err := filepath.Glob(s.path + ".bad-*")
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range aside {
		if err := os.RemoveAll(a); err != nil {
			t.Fatal(err)
		}
	}
	if (text == "") != (len(aside) > 0) || (text == "") != (s.log.Len() > 0) {
		t.Errorf("got %q, put aside %v, told %s", text, aside, s.log)
	}
	return text, s.log.String()
}

// saved is the file's text after a save.
func (s shelf) saved(t *testing.T) string {
	t.Helper()
	s.save(held{1, someLimits})
	text, err := os.ReadFile(s.path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestAChangedDigitIsNeverANewLimit(t *testing.T) {
	s := newShelf(t)
	whole := s.saved(t)
	want, told := s.read(t)
	if told != "" || !strings.Contains(want, `"Limit":50`) {
		t.Fatalf("got %q, %s", want, told)
	}
	var indented bytes.Buffer
	if err := json.Indent(&indented, []byte(whole), "", "  "); err != nil {
		t.Fatal(err)
	}
	s.put(t, indented.String())
	if got, told := s.read(t); told != "" || !strings.Contains(got, `"Limit": 50`) {
		t.Errorf("formatted anew: got %q, %s", got, told)
	}
	changes := 0
	for i := range len(whole) {
		for _, c := range []byte{whole[i] ^ 1, whole[i] ^ 0x40, '9', ' '} {
			if c == whole[i] {
				continue
			}
			changes++
			s.put(t, whole[:i]+string(c)+whole[i+1:])
			if got, _ := s.read(t); got != "" && strings.TrimSpace(got) != want {
				t.Errorf("%q in place of %q at %d: %s", c, whole[i], i, got)
			}
		}
		s.put(t, whole[:i])
		if got, _ := s.read(t); got != "" && got != want {
			t.Errorf("cut off at %d: %s", i, got)
		}
	}
	if changes < 1000 {
		t.Errorf("only %d changes were tried", changes)
	}
}

func TestADamagedOlderOrFutureFileIsPutAside(t *testing.T) {
	s := newShelf(t)
	whole := s.saved(t)
	for name, c := range map[string]struct{ text, want string }{
		"empty":              {"", "is empty"},
		"blank":              {" \n", "is empty"},
		"zeroes":             {strings.Repeat("\x00", 4096), "is no JSON"},
		"no JSON":            {"{ broken", "is no JSON"},
		"a list":             {"[]", "is no JSON"},
		"nothing in it":      {"{}", "has no version"},
		"null":               {"null", "has no version"},
		"older":              {someLimits, "an older ratelimitd wrote it: it is of version 1, and this one reads version 2"},
		"future":             {strings.Replace(whole, `"version":2`, `"version":3`, 1), "a newer ratelimitd wrote it: it is of version 3, and this one reads version 2"},
		"negative":           {strings.Replace(whole, `"version":2`, `"version":-2`, 1), "has no version"},
		"edited":             {strings.Replace(whole, `"Limit":50`, `"Limit":51`, 1), "was changed or damaged since it was saved"},
		"another checksum":   {strings.Replace(whole, `"sha256":"`, `"sha256":"0`, 1), "was changed or damaged since it was saved"},
		"without a checksum": {`{"version":2,"saved":` + someLimits + `}`, "was changed or damaged since it was saved"},
		"two documents":      {whole + whole, "is no JSON"},
	} {
		s.put(t, c.text)
		if text, told := s.read(t); text != "" || !strings.Contains(told, c.want) || !strings.Contains(told, "level=ERROR") || strings.Count(told, "\n") != 1 {
			t.Errorf("%s: got %q, told %s", name, text, told)
		}
	}
}

// What is there is looked at before it is read: a large file takes no memory, and a FIFO
// does not block.
func TestWhatIsNoStateFileIsNotRead(t *testing.T) {
	s := newShelf(t)
	for name, place := range map[string]func() error{
		"FIFO":      func() error { return syscall.Mkfifo(s.path, 0o600) },
		"directory": func() error { return os.Mkdir(s.path, 0o700) },
		"device":    func() error { return os.Symlink("/dev/zero", s.path) },
		"large": func() error {
			if err := os.WriteFile(s.path, nil, 0o600); err != nil {
				return err
			}
			return os.Truncate(s.path, 1<<40)
		},
	} {
		if err := os.RemoveAll(s.path); err != nil {
			t.Fatal(err)
		}
		if err := place(); err != nil {
			t.Fatal(err)
		}
		if text, told := s.read(t); text != "" || !strings.Contains(told, "is not a regular file") && !strings.Contains(told, "is larger than") {
			t.Errorf("%s: got %q, told %s", name, text, told)
		}
	}
}

func TestWhatTheNodeCannotUseIsPutAside(t *testing.T) {
	s := newShelf(t)
	s.saved(t)
	if text := s.load(func([]byte) error { return errors.New("no such thing") }); text != nil || !strings.Contains(s.log.String(), "no such thing") {
		t.Errorf("got %q, told %s", text, s.log)
	}
}

// A file that the next start would refuse is not written over one that it would read.
func TestMoreThanCanBeReadIsNotSaved(t *testing.T) {
	s := newShelf(t)
	before := s.saved(t)
	s.save(held{2, `{"limits":"` + strings.Repeat("x", mostState) + `"}`})
	after, err := os.ReadFile(s.path)
	if err != nil || string(after) != before || !strings.Contains(s.log.String(), "could not be saved") {
		t.Errorf("%v, %d bytes, told %s", err, len(after), s.log)
	}
	for i := range mostBad + 2 {
		if err := os.WriteFile(fmt.Sprintf("%s.bad-%d", s.path, i), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s.prune(s.path)
	if kept, err := filepath.Glob(s.path + ".bad-*"); err != nil || len(kept) != mostBad || kept[0] != s.path+".bad-2" {
		t.Errorf("%v, %v", kept, err)
	}
}

// Files that are put aside within one second do not replace each other.
func TestEachBadFileIsKept(t *testing.T) {
	s := newShelf(t)
	if err := os.Mkdir(s.path, 0o700); err != nil {
		t.Fatal(err)
	}
	for range mostBad {
		s.load(func([]byte) error { return nil })
		if _, err := os.Stat(s.path); err == nil {
			t.Error("a bad file stayed")
		}
		s.put(t, "{ broken")
	}
	if kept, err := filepath.Glob(s.path + ".bad-*"); err != nil || len(kept) != mostBad {
		t.Errorf("%v, %v", kept, err)
	}
}
