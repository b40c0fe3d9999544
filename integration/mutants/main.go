// Command mutants plants known mistakes into the limiter, one at a time, and fails
// unless a test notices each: tests that do not are no proof. It tries the tests of the
// packages that hold the mistake, and then the simulator.
//
// A mistake is a few exact replacements in a few files, which `go test -overlay` puts
// in the place of the real ones. One that does not apply exactly once is an error, so
// that the list keeps up with the code.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"regexp"
	"strings"
	"sync"
	"time"
)

func main() {
	only := flag.String("run", "", "plant only the mistakes whose names match this `REGEXP`")
	quick := flag.Bool("quick", false, "plant only the mistakes that do not take long to catch")
	part := flag.String("part", "1/1", "plant only every n-th mistake, from the k-th on, for `K/N`")
	workers := flag.Int("p", 2, "how many to try at once")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Stdout, *only, *quick, *part, *workers)
	stop()
	if err != nil {
		_, _ = fmt.Fprintf(os.Stderr, "mutants: %v\n", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer, only string, quick bool, part string, workers int) error {
	wanted, err := regexp.Compile(only)
	if err != nil {
		return fmt.Errorf("-run: %w", err)
	}
	var k, n int
	if _, err := fmt.Sscanf(part, "%d/%d", &k, &n); err != nil || k < 1 || k > n {
		return fmt.Errorf("-part: %q: must be like 2/3", part)
	}
	lab, err := newLab()
	if err != nil {
		return err
	}
	defer lab.close()
	var chosen []*mistake
	healthy := mistake{name: "none"}
	for i := k - 1; i < len(mistakes); i += n {
		if m := &mistakes[i]; wanted.MatchString(m.name) && (!quick || !m.slow) {
			chosen = append(chosen, m)
			for _, e := range m.edits { // the same files, unchanged
				healthy.edits = append(healthy.edits, edit{file: e.file})
			}
		}
	}
	if len(chosen) == 0 {
		return fmt.Errorf("no mistake has a name that matches %q", only)
	}
	// Without a mistake nothing may be noticed, or all below proves nothing.
	switch f := lab.try(ctx, &healthy); {
	case f.err != nil:
		return f.err
	case f.caughtBy != "":
		return fmt.Errorf("without a mistake, %s fails already: %s", f.caughtBy, f.seen)
	}
	var all sync.WaitGroup
	var mu sync.Mutex // out and unnoticed
	unnoticed := 0
	turns := make(chan *mistake)
	for range max(1, workers) {
		all.Go(func() {
			for m := range turns {
				f := lab.try(ctx, m)
				mu.Lock()
				if f.err != nil || f.caughtBy == "" {
					unnoticed++
				}
				_, _ = fmt.Fprintf(out, "%5.1f s of CPU time  %s: %s\n", f.took.Seconds(), m.name, &f)
				mu.Unlock()
			}
		})
	}
	for _, m := range chosen {
		turns <- m
	}
	close(turns)
	all.Wait()
	if unnoticed > 0 {
		return fmt.Errorf("%d of %d planted mistakes were not caught", unnoticed, len(chosen))
	}
	_, err = fmt.Fprintf(out, "all %d planted mistakes were caught\n", len(chosen))
	return err
}

func shorten(s string, n int) string {
	s = strings.Join(strings.Fields(s), " ")
	if r := []rune(s); len(r) > n {
		return string(r[:n]) + "…"
	}
	return s
}

// finding is what became of one mistake.
type finding struct {
	caughtBy string // the package and the name of a test; empty: no test noticed
	seen     string // the first line that it said
	took     time.Duration
	err      error // the mistake could not be planted or built
}

// String is the finding on one line.
func (f *finding) String() string {
	switch {
	case f.err != nil:
		return "ERROR " + shorten(f.err.Error(), 400)
	case f.caughtBy == "":
		return "NOT CAUGHT"
	default:
		return "caught by " + f.caughtBy + ", " + shorten(f.seen, 120)
	}
}
