package config_test

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/config"
)

// watched is a file in a directory of its own that is being watched.
type watched struct {
	t    *testing.T
	dir  string
	path string

	mu  sync.Mutex // a bubble's clock orders the test and the looks, but not for the race detector
	got []string
	at  []time.Time
}

// watching runs a test on virtual time: a look happens when the test asks for it.
func watching(t *testing.T, prepare func(w *watched), known string, test func(w *watched)) {
	w := &watched{t: t, dir: t.TempDir()}
	w.path = filepath.Join(w.dir, "f.yaml")
	prepare(w)
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		go config.Watch(ctx, w.path, []byte(known), 0, func(text []byte, modified time.Time) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.got, w.at = append(w.got, string(text)), append(w.at, modified)
		})
		synctest.Wait()
		test(w)
	})
}

// look lets time pass for so many looks.
func (w *watched) look(times int) {
	for range times {
		<-time.After(config.DefaultPoll)
		synctest.Wait()
	}
}

func (w *watched) want(texts ...string) {
	w.t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	if !slices.Equal(w.got, texts) {
		w.t.Errorf("got %q, want %q", w.got, texts)
	}
	w.got, w.at = nil, nil
}

func (w *watched) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *watched) write(name, text string) {
	w.t.Helper()
	w.must(os.WriteFile(filepath.Join(w.dir, name), []byte(text), 0o600))
}

func (w *watched) link(to, name string) {
	w.t.Helper()
	w.must(os.Symlink(to, filepath.Join(w.dir, name)))
}

func (w *watched) rename(from, to string) {
	w.t.Helper()
	w.must(os.Rename(filepath.Join(w.dir, from), filepath.Join(w.dir, to)))
}

func plainFile(w *watched) { w.write("f.yaml", "limit: 1\n") }

func TestAFileThatIsRewrittenIsToldOnce(t *testing.T) {
	watching(t, plainFile, "limit: 1\n", func(w *watched) {
		w.look(3)
		w.want()
		w.write("f.yaml", "limit: 2\n") // as long, and perhaps with the same time
		w.look(1)
		w.want()
		w.look(1)
		info, err := os.Stat(w.path)
		w.must(err)
		if len(w.at) != 1 || !w.at[0].Equal(info.ModTime()) {
			t.Errorf("got the times %v, want %v", w.at, info.ModTime())
		}
		w.want("limit: 2\n")
		w.look(3)
		w.want()
		w.write("f.yaml", "limit: 1\n") // back again is a change, too
		w.look(2)
		w.want("limit: 1\n")
	})
}

func TestAChangeBeforeTheFirstLookIsTold(t *testing.T) {
	watching(t, plainFile, "limit: 0\n", func(w *watched) {
		w.look(2)
		w.want("limit: 1\n")
	})
}

func TestTheSameContentAnewIsNoChange(t *testing.T) {
	watching(t, plainFile, "limit: 1\n", func(w *watched) {
		w.must(os.Chtimes(w.path, time.Time{}, time.Unix(1e9, 0)))
		w.look(3)
		w.write("new", "limit: 1\n")
		w.rename("new", "f.yaml")
		w.look(3)
		w.want()
	})
}

func TestAFileThatIsRenamedOverIsTold(t *testing.T) {
	watching(t, plainFile, "limit: 1\n", func(w *watched) {
		w.write("f.yaml.swp", "limit: 2\n")
		w.rename("f.yaml.swp", "f.yaml")
		w.look(2)
		w.want("limit: 2\n")
	})
}

// A ConfigMap is mounted as links through ..data, which is turned at once to a new
// directory.
func TestALinkThatIsTurnedIsTold(t *testing.T) {
	watching(t, func(w *watched) {
		for name, text := range map[string]string{"..1": "limit: 1\n", "..2": "limit: 2\n"} {
			w.must(os.Mkdir(filepath.Join(w.dir, name), 0o700))
			w.write(filepath.Join(name, "f.yaml"), text)
		}
		w.link("..1", "..data")
		w.link(filepath.Join("..data", "f.yaml"), "f.yaml")
	}, "limit: 1\n", func(w *watched) {
		w.look(2)
		w.want()
		w.link("..2", "..data_tmp")
		w.rename("..data_tmp", "..data")
		w.must(os.RemoveAll(filepath.Join(w.dir, "..1")))
		w.look(2)
		w.want("limit: 2\n")
	})
}

func TestAFileThatIsAwayIsNoChange(t *testing.T) {
	watching(t, plainFile, "limit: 1\n", func(w *watched) {
		w.must(os.Remove(w.path))
		w.look(3)
		w.write("f.yaml", "limit: 1\n")
		w.look(3)
		w.want()
		w.must(os.Remove(w.path))
		w.must(os.Mkdir(w.path, 0o700))
		w.look(3)
		w.want()
		w.must(os.Remove(w.path))
		w.write("f.yaml", "limit: 2\n")
		w.look(2)
		w.want("limit: 2\n")
	})
}

func TestAFileThatIsHalfWrittenIsNoChange(t *testing.T) {
	watching(t, plainFile, "limit: 1\n", func(w *watched) {
		w.write("f.yaml", "")
		w.look(3)
		w.write("f.yaml", "limit: 2")
		w.look(1)
		w.write("f.yaml", "limit: 20\nwin")
		w.look(1)
		w.want()
		w.write("f.yaml", "limit: 20\nwindow: 1\n")
		w.look(1)
		w.want()
		w.look(1)
		w.want("limit: 20\nwindow: 1\n")
	})
}

func TestAFileAboveItsCapIsNoChange(t *testing.T) {
	watching(t, plainFile, "limit: 1\n", func(w *watched) {
		w.must(os.Truncate(w.path, config.MaxFile+1))
		w.look(3)
		w.want()
	})
}
