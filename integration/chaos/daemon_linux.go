package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// diskSize is that of a state directory, which a fault fills.
const diskSize = "1m"

// daemon is one node: a process in a network namespace of its own, with a disk and a clock.
type daemon struct {
	of    *run
	index int
	name  string
	url   string
	dir   string
	args  []string

	cmd    *exec.Cmd
	exited chan error
	offset time.Duration // of its clock
	life   atomic.Int32  // index of the present one
	pid    atomic.Int32

	mu   sync.Mutex
	away []span // while it cannot be expected to answer
}

func nodeName(index int) string { return fmt.Sprintf("n%d", index) }

func (r *run) newDaemon(index int, via ...string) (*daemon, error) {
	d := &daemon{of: r, index: index, name: nodeName(index)}
	d.url = "http://" + address(index) + ":8080"
	d.dir = filepath.Join(r.folder, d.name)
	if err := connect(d.name, index); err != nil {
		return nil, err
	}
	state := filepath.Join(d.dir, "state")
	if err := os.MkdirAll(state, 0o700); err != nil {
		return nil, err
	}
	if err := syscall.Mount("tmpfs", state, "tmpfs", 0, "size="+diskSize); err != nil {
		return nil, fmt.Errorf("mount the disk of %s: %w", d.name, err)
	}
	d.args = append([]string{
		"netns", "exec", d.name, filepath.Join(r.folder, "ratelimitd"),
		"-name", d.name, "-http", "0.0.0.0:8080", "-config", filepath.Join(r.folder, "limits.yaml"),
		"-cluster-key-file", filepath.Join(r.folder, "key"), "-admin-token-file", filepath.Join(r.folder, "token"),
		"-state-dir", state, "-nodes", strconv.Itoa(r.nodes),
	}, via...)
	err := d.setClock(0)
	return d, err
}

// setClock lets the daemon's clock be off. It takes notice within 20 ms.
func (d *daemon) setClock(offset time.Duration) error {
	d.offset = offset
	d.of.read(d.index, offset)
	path := filepath.Join(d.dir, "clock")
	if err := os.WriteFile(path+".new", []byte(strconv.FormatInt(int64(offset), 10)), 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

// start begins a life. It does not wait for it to be ready.
func (d *daemon) start() error {
	log, err := os.OpenFile(filepath.Join(d.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }()
	d.cmd = exec.Command("ip", d.args...) //nolint:noctx // ends with the namespace
	d.cmd.Stdout, d.cmd.Stderr = log, log
	d.cmd.Env = append(os.Environ(), "CHAOS_CLOCK="+filepath.Join(d.dir, "clock"))
	d.life.Store(int32(d.of.begin(d.index))) //nolint:gosec // a few
	if err := d.cmd.Start(); err != nil {
		return err
	}
	cmd := d.cmd
	d.pid.Store(int32(cmd.Process.Pid)) //nolint:gosec // a number of a process
	d.exited = make(chan error, 1)
	go func(exited chan<- error) { exited <- cmd.Wait() }(d.exited)
	return nil
}

// kill ends the process as a crash does.
func (d *daemon) kill() error {
	if err := d.cmd.Process.Kill(); err != nil {
		return err
	}
	if ended := <-d.exited; ended == nil {
		return errors.New(d.name + " stopped in order before it was killed")
	}
	d.of.lose(int(d.life.Load()), d.of.now()-staleness)
	return nil
}

// stop ends the process in order.
func (d *daemon) stop() error {
	if err := d.signal(syscall.SIGTERM); err != nil {
		return err
	}
	select {
	case err := <-d.exited:
		return err
	case <-time.After(patience):
		return errors.New(d.name + " does not stop")
	}
}

func (d *daemon) signal(s syscall.Signal) error { return d.cmd.Process.Signal(s) }

// leave notes that the daemon cannot be expected to answer until the returned function is called.
func (d *daemon) leave() (back func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	i := len(d.away)
	d.away = append(d.away, span{d.of.now(), open})
	return func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.away[i].to = d.of.now()
	}
}

// excused reports whether it could not be expected to answer throughout the stretch.
func (d *daemon) excused(from, to instant) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, s := range d.away {
		if s.from <= to && from <= s.to {
			return true
		}
	}
	return false
}

// fill fills the disk to the last byte.
func (d *daemon) fill() error {
	f, err := os.Create(filepath.Join(d.dir, "state", "ballast"))
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	chunk := bytes.Repeat([]byte{1}, 4096)
	for err == nil {
		_, err = f.Write(chunk)
	}
	if !errors.Is(err, syscall.ENOSPC) {
		return fmt.Errorf("fill the disk of %s: %w", d.name, err)
	}
	return nil
}

func (d *daemon) empty() error { return os.Remove(filepath.Join(d.dir, "state", "ballast")) }

// size is what the process holds.
type size struct {
	goroutines, descriptors int
	memory                  int // bytes
}

func (d *daemon) size(ctx context.Context) (s size, err error) {
	text, err := d.get(ctx, "/metrics")
	if err != nil {
		return s, err
	}
	for line := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		n, err := strconv.ParseFloat(value, 64)
		if err != nil {
			continue
		}
		switch name {
		case "go_goroutines":
			s.goroutines = int(n)
		case "process_open_fds":
			s.descriptors = int(n)
		case "process_resident_memory_bytes":
			s.memory = int(n)
		}
	}
	if s.goroutines == 0 || s.descriptors == 0 || s.memory == 0 {
		return s, errors.New("the metrics of " + d.name + " do not tell its size")
	}
	return s, nil
}

// faults lists lines of the log that no run may have.
func (d *daemon) faults() (lines []string) {
	text, err := os.ReadFile(filepath.Join(d.dir, "log"))
	if err != nil {
		return []string{err.Error()}
	}
	for line := range strings.Lines(string(text)) {
		for _, sign := range []string{"panic:", "fatal error:", "DATA RACE"} {
			if strings.Contains(line, sign) {
				lines = append(lines, d.name+": "+strings.TrimSpace(line))
			}
		}
	}
	return lines
}
