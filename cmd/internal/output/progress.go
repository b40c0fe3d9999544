package output

import (
	"fmt"
	"io"
	"os"
	"time"
)

// Progress shows one line that overwrites itself on a terminal. Elsewhere it shows nothing, so that
// logs and pipes stay clean, unless Plain is set. The zero value shows nothing. Not safe for
// concurrent use.
type Progress struct {
	// Plain is how often a line of its own goes to a writer that is no terminal. 0 means never.
	Plain time.Duration

	w     io.Writer
	other io.Writer // w, if it is no terminal
	last  time.Time
}

// NewProgress makes a Progress on w.
func NewProgress(w io.Writer) *Progress {
	if f, ok := w.(*os.File); ok {
		if info, err := f.Stat(); err == nil && info.Mode()&os.ModeCharDevice != 0 {
			return &Progress{w: w}
		}
	}
	return &Progress{other: w, last: time.Now()}
}

// Showf replaces the line, at most ten times a second. It writes a plain one at most once in Plain.
func (p *Progress) Showf(format string, args ...any) {
	if p.other != nil && p.Plain > 0 && time.Since(p.last) >= p.Plain {
		p.last = time.Now()
		_, _ = fmt.Fprintf(p.other, format+"\n", args...)
	}
	if p.w == nil || time.Since(p.last) < 100*time.Millisecond {
		return
	}
	p.last = time.Now()
	_, _ = fmt.Fprintf(p.w, "\r\x1b[K"+format, args...)
}

// Done removes the line.
func (p *Progress) Done() {
	if p.w != nil && !p.last.IsZero() {
		_, _ = io.WriteString(p.w, "\r\x1b[K")
	}
}
