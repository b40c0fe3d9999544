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
//
// A directory that cannot be read, is empty or has an empty file is no change, since somebody may
// be writing it. If two looks in a row find the same fault, WatchDir calls changed once with the
// fault, and without files.
func WatchDir(ctx context.Context, dir string, files []File, every time.Duration, changed func(files []File, err error)) {
	if every <= 0 {
		every = DefaultPoll
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	told := dirLook{sum: sumOf(files)}
	last := told
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		now, err := readWhole(dir)
		look := dirLook{sum: sumOf(now)}
		if err != nil {
			look = dirLook{fault: err.Error()}
		}
		stable := look == last
		if last = look; !stable || look == told {
			continue
		}
		told = look
		changed(now, err)
	}
}

// dirLook is one observation of a directory: what is in it, or why that is not known.
type dirLook struct {
	sum   [sha256.Size]byte
	fault string
}

// readWhole is ReadDir, and refuses empty files.
func readWhole(dir string) ([]File, error) {
	files, err := ReadDir(dir)
	if err != nil {
		return nil, err
	}
	if i := slices.IndexFunc(files, func(f File) bool { return len(f.Text) == 0 }); i >= 0 {
		return nil, fmt.Errorf("%s is empty", files[i].Path)
	}
	return files, nil
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
