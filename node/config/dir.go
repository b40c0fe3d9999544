package config

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// File is a file of a directory: its path, and what is in it.
type File struct {
	Path string
	Text []byte
}

// MaxFiles is the most files that ReadDir reads. Higher costs memory for a directory that is
// given by mistake; lower refuses honest ones.
const MaxFiles = 1000

// ReadDir reads all regular files of a directory, and of those in it, in the order of their
// paths. It follows links to files, and to the directory itself. Names that begin with a dot
// it skips: editors and Kubernetes keep things there.
func ReadDir(dir string) ([]File, error) {
	root, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return nil, err
	}
	var all []File
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err // there may be no d
		}
		hidden := strings.HasPrefix(d.Name(), ".") && path != root
		switch {
		case hidden && d.IsDir():
			return filepath.SkipDir
		case hidden || d.IsDir():
			return nil
		}
		if info, err := os.Stat(path); err == nil && info.IsDir() {
			return nil // a link to a directory may go in a circle
		}
		if len(all) == MaxFiles {
			return fmt.Errorf("%s has more than %d files", dir, MaxFiles)
		}
		text, err := ReadRegular(path, MaxFile)
		if err != nil {
			return err
		}
		below, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		all = append(all, File{Path: filepath.Join(dir, below), Text: text})
		return nil
	})
	switch {
	case err != nil:
		return nil, err
	case len(all) == 0:
		return nil, fmt.Errorf("%s has no files", dir)
	}
	return all, nil
}

// WatchDir calls changed whenever the files of a directory have new content, until ctx is
// done. files are those that the caller has. every is how often WatchDir reads them; 0 means
// DefaultPoll. Like Watch, it takes a content as whole once two looks in a row find the same.
// A directory that cannot be read, is empty or has an empty file is no change.
func WatchDir(ctx context.Context, dir string, files []File, every time.Duration, changed func(files []File)) {
	if every <= 0 {
		every = DefaultPoll
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	told, last := sumOf(files), sumOf(files)
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		now, err := ReadDir(dir)
		if err != nil || slices.ContainsFunc(now, func(f File) bool { return len(f.Text) == 0 }) {
			last = [sha256.Size]byte{}
			continue
		}
		sum := sumOf(now)
		stable := sum == last
		if last = sum; !stable || sum == told {
			continue
		}
		told = sum
		changed(now)
	}
}

// sumOf is one hash over the paths and the contents.
func sumOf(files []File) (sum [sha256.Size]byte) {
	h := sha256.New()
	for _, f := range files {
		_, _ = fmt.Fprintf(h, "%q %x\n", f.Path, sha256.Sum256(f.Text)) // never fails
	}
	copy(sum[:], h.Sum(nil))
	return sum
}

// errNoList is what is wrong with a text that is no list of pairs.
var errNoList = errors.New("must be pairs such as name=value, separated by commas")

// Pairs reads name=value,name=value.
func Pairs(text string) (map[string]string, error) {
	all := map[string]string{}
	for pair := range strings.SplitSeq(text, ",") {
		if pair = strings.TrimSpace(pair); pair == "" {
			continue
		}
		name, value, ok := strings.Cut(pair, "=")
		if !ok || name == "" {
			return nil, errNoList
		}
		all[name] = value
	}
	return all, nil
}
