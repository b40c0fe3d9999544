package config

import (
	"bytes"
	"context"
	"crypto/sha256"
	"os"
	"time"
)

// DefaultPoll is how often a Watch looks if it is not told otherwise.
const DefaultPoll = 2 * time.Second

// Watch calls changed whenever the file's content has become another one than it was
// given, until ctx is done; then it returns. text is the content as the caller has it,
// nil if it has none. It reads the file every so often (0: DefaultPoll) and so needs
// nothing of the file system: it sees files that are written in place or renamed over,
// links that are turned to another directory, as Kubernetes does with ConfigMaps, and
// files on network shares.
//
// A content is taken for whole once two looks in a row find it the same, and the file
// with the same time of change; one that is half written, missing, empty or larger than
// MaxFile is no change. changed is called from Watch's own goroutine, with a text that
// it may keep and the time at which the file was changed; looking goes on when it
// returns.
func Watch(ctx context.Context, path string, text []byte, every time.Duration, changed func(text []byte, modified time.Time)) {
	if every <= 0 {
		every = DefaultPoll
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	w := newWatcher(path, text)
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			w.look(changed)
		}
	}
}

// look is what was seen of a file.
type look struct {
	sum      [sha256.Size]byte
	modified time.Time
	size     int64
}

// watcher compares looks.
type watcher struct {
	path string
	told [sha256.Size]byte // what changed was last called with
	last look              // zero after one that found no file
}

func newWatcher(path string, text []byte) *watcher {
	return &watcher{path: path, told: sha256.Sum256(text)}
}

// look calls changed if the file is new and stable. The content is read each time:
// within the resolution of a file's time stamp it can change twice, and a copy may
// keep the time of what it is copied from.
func (w *watcher) look(changed func(text []byte, modified time.Time)) {
	text, modified, ok := w.read()
	if !ok {
		w.last = look{}
		return
	}
	now := look{sum: sha256.Sum256(text), modified: modified, size: int64(len(text))}
	stable := now == w.last
	w.last = now
	if !stable || now.sum == w.told {
		return
	}
	w.told = now.sum
	changed(text, modified)
}

// read reads the whole file; false if it is not fit to be one.
func (w *watcher) read() (text []byte, modified time.Time, ok bool) {
	before, err := os.Stat(w.path)
	if err != nil || !before.Mode().IsRegular() {
		return nil, time.Time{}, false
	}
	text, err = Content(w.path)
	if err != nil || len(bytes.TrimSpace(text)) == 0 {
		return nil, time.Time{}, false
	}
	after, err := os.Stat(w.path)
	if err != nil || !after.ModTime().Equal(before.ModTime()) || after.Size() != int64(len(text)) {
		return nil, time.Time{}, false
	}
	return text, after.ModTime(), true
}
