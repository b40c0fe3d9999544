package config

import (
	"bytes"
	"context"
	"crypto/sha256"
	"os"
	"time"
)

// DefaultPoll is how often Watch looks by default. Lower costs CPU; higher delays a change
// by up to twice as much.
const DefaultPoll = 2 * time.Second

// Watch calls changed whenever the file has new content, until ctx is done. text is the
// content that the caller has, nil for none. every is how often Watch reads the file; 0
// means DefaultPoll.
//
// Watch only reads the file, and asks nothing of the file system. So it works with files
// written in place or renamed over, with links that point to another directory, as
// Kubernetes does with ConfigMaps, and with files on network shares.
//
// Watch takes a content as whole once two looks in a row find the same content and the same
// modification time. A half-written, missing or empty file, or one larger than MaxFile, is
// no change. Watch calls changed from its own goroutine, with the text and the file's
// modification time. changed may keep the text. Watch looks on when it returns.
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

// look is one observation of a file.
type look struct {
	sum      [sha256.Size]byte
	modified time.Time
	size     int64
}

// watcher compares looks.
type watcher struct {
	path string
	told [sha256.Size]byte // hash of the content of the last call of changed
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

// read reads the whole file. ok is false if it is no regular file with a content, or
// changes meanwhile.
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
