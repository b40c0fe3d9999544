package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/config"
)

// saver is the node, as the state needs it.
type saver interface {
	LimitsVersion() uint64
	SaveLimits() []byte
}

// state is the directory that keeps set limits over a restart of the whole cluster. It belongs to
// one process at a time. It is for one goroutine.
type state struct {
	dir     string
	lock    *os.File
	log     *slog.Logger
	version uint64    // version of the limits in the file
	roster  []byte    // members in their file
	failed  string    // last error of a save, so that the log has it once
	noted   time.Time // until when it is noted that the node ran
	saved   prometheus.Gauge
}

const (
	limitsFile = "limits.json"
	lockFile   = "lock"
	// mostBad is how many bad files prune keeps. Raising it fills the disk of a node that starts
	// again and again; lowering it loses evidence.
	mostBad = 3
	// mostState is the largest file of saved limits, in bytes. A lower one would not hold all
	// limits that a node can have; a higher one takes memory at the start.
	mostState = 64 << 20
)

// openState makes the directory if it is missing, and locks it for this process. An empty name means
// no directory: the methods then do nothing.
func openState(dir string, log *slog.Logger) (*state, error) {
	s := &state{dir: dir, log: log, saved: prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "ratelimiter_state_last_save_successful", Help: "1 if the node could last save the limits that somebody set. 1 also without a state directory.",
	})}
	s.saved.Set(1)
	if dir == "" {
		return s, nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	lock, err := os.OpenFile(filepath.Join(dir, lockFile), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := lockExclusively(lock); err != nil {
		_ = lock.Close()
		return nil, fmt.Errorf("%s is in use by another ratelimitd: give each a directory of its own", dir)
	}
	s.lock = lock
	if err := s.write(".probe", nil); err != nil {
		s.close()
		return nil, err
	}
	_ = os.Remove(filepath.Join(dir, ".probe")) // it shows that the directory can be written
	return s, nil
}

// load returns the saved limits, nil if there are none. If judge finds a fault in them, load puts the
// file aside, and the node starts without it.
func (s *state) load(judge func(text []byte) error) []byte {
	if s.dir == "" {
		return nil
	}
	path := filepath.Join(s.dir, limitsFile)
	text, err := config.ReadRegular(path, mostState)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	var saved []byte
	if err == nil {
		saved, err = unseal(text)
	}
	if err == nil {
		err = judge(saved)
	}
	if err == nil {
		return saved
	}
	s.putAside(limitsFile, "saved limits cannot be used: starting without them, on what is configured; other nodes may still know them", err)
	return nil
}

// putAside renames a file that cannot be used, and logs what happens now, and why.
func (s *state) putAside(name, now string, why error) {
	path := filepath.Join(s.dir, name)
	aside := fmt.Sprintf("%s.bad-%d", path, time.Now().UnixNano())
	if moved := os.Rename(path, aside); moved != nil {
		aside = moved.Error()
	}
	s.log.Error(now, "file", path, "error", oneLine(why), "put_aside", aside)
	s.prune(path)
}

// prune removes all but the latest of the files put aside.
func (s *state) prune(path string) {
	bad, err := filepath.Glob(path + ".bad-*")
	if err != nil {
		return
	}
	slices.Sort(bad)
	for len(bad) > mostBad {
		_ = os.Remove(bad[0])
		bad = bad[1:]
	}
}

// save writes the set limits, unless the file has them already.
func (s *state) save(n saver) {
	version := n.LimitsVersion()
	if s.dir == "" || version == s.version {
		return
	}
	text, err := seal(n.SaveLimits())
	if err == nil {
		err = s.write(limitsFile, text)
	}
	if err != nil {
		s.saved.Set(0)
		if text := err.Error(); text != s.failed {
			s.failed = text
			s.log.Error("limits could not be saved: they are lost if all nodes stop", "error", err)
		}
		return
	}
	s.version, s.failed = version, ""
	s.saved.Set(1)
}

// write replaces a file by a text: see replace.
func (s *state) write(name string, text []byte) error {
	return s.replace(name, func(w io.Writer) error {
		_, err := w.Write(text)
		return err
	})
}

// replace puts what fill writes in the place of a file. A reader finds all of the old file or all of
// the new one, also after a crash. Several goroutines may call it for different files.
func (s *state) replace(name string, fill func(io.Writer) error) error {
	f, err := os.CreateTemp(s.dir, "."+name+"-*") // with mode 0600
	if err != nil {
		return err
	}
	if err = fill(f); err == nil {
		err = f.Sync()
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = os.Rename(f.Name(), filepath.Join(s.dir, name))
	}
	if err != nil {
		_ = os.Remove(f.Name())
		return err
	}
	return syncDir(s.dir)
}

// syncDir makes a rename survive a crash, on file systems that can sync directories.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	_ = d.Sync()
	return d.Close()
}

func (s *state) close() {
	if s.lock != nil {
		_ = s.lock.Close() // and with it the lock
	}
}
