package sync

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"pgregory.net/rapid"
)

// The corpus of FuzzDecode is what hostile_test.go builds, good messages, and what
// fuzzing found; the latter is in files.
const fuzzCorpus = "testdata/fuzz"

func TestFuzzCorpusIsThere(t *testing.T) {
	for _, target := range []string{"FuzzDecode", "FuzzSubject"} {
		files, err := filepath.Glob(filepath.Join(fuzzCorpus, target, "*"))
		if err != nil || len(files) == 0 {
			t.Errorf("no seeds for %s in %s: %v", target, fuzzCorpus, err)
		}
		for _, f := range files {
			if info, err := os.Stat(f); err != nil || info.Size() == 0 {
				t.Errorf("seed %s: empty, or %v", f, err)
			}
		}
	}
}

// checkDecode is what holds for any bytes: they are refused whole, or they are a
// message that comes back from its own encoding; cheaply in either case.
func checkDecode(t *testing.T, b []byte) {
	t.Helper()
	r, w := newReader(testSecret, testSelf), newWriter(testSecret)
	m, err := r.parse(b)
	if n := allocated(func() { _, _ = r.parse(b) }); n > most(len(b)) {
		t.Errorf("%d bytes made the reader allocate %d, at most %d are promised", len(b), n, most(len(b)))
	}
	if whole := sealed(b); len(whole) <= MaxMessage {
		opened, errOpened := r.decode(whole)
		if !reflect.DeepEqual(opened, m) || (errOpened == nil) != (err == nil) {
			t.Errorf("under a good tag: %+v, %v; parsed alone: %+v, %v", opened, errOpened, m, err)
		}
	}
	if m2, errTag := r.decode(b); m2 != nil || errTag == nil {
		// An accidental tag has a chance of 2^-64.
		t.Errorf("without a good tag: %+v, %v", m2, errTag)
	}
	if err != nil {
		if m != nil {
			t.Errorf("a partial result %+v beside %v", m, err)
		}
		if !errors.Is(err, ErrMalformed) && !errors.Is(err, ErrVersion) {
			t.Errorf("an unnamed refusal: %v", err)
		}
		return
	}
	if len(b) > batchBudget {
		return // what is within a message's cap, but not within a sender's
	}
	second, err := r.decode(w.encode(m, nil))
	if err != nil {
		t.Fatalf("its own encoding is refused: %v\n%+v", err, m)
	}
	third, err := r.decode(w.encode(second, nil))
	if err != nil {
		t.Fatalf("the second encoding is refused: %v\n%+v", err, second)
	}
	if !reflect.DeepEqual(second, third) {
		t.Errorf("not stable:\n%+v\n%+v", second, third)
	}
	if second.rowsOf() != m.rowsOf() {
		t.Errorf("%d rows of %d came back", second.rowsOf(), m.rowsOf())
	}
	// Groups of one head come back as one group; all else as it was.
	second.Deltas, m.Deltas = nil, nil
	if !reflect.DeepEqual(second, m) {
		t.Errorf("came back as\n%+v\nwas\n%+v", second, m)
	}
}

func FuzzDecode(f *testing.F) {
	for _, b := range nasty() {
		f.Add(b)
	}
	f.Add(body(fullMessage()))
	for seed := range 30 {
		f.Add(body(rapid.Custom(genMessage).Example(seed)))
	}
	f.Fuzz(checkDecode)
}
