package output

import (
	"fmt"
	"io"
	"os"
	"time"
)

// Progress shows one line that overwrites itself. It writes to a terminal only, so that logs and
// pipes stay clean. The zero value shows nothing. Not safe for concurrent use.
type Progress struct {
	w    io.Writer
	last time.Time
}

// NewProgress makes a Progress on w, which shows something only if w is a terminal.
func NewProgress(w io.Writer) *Progress {
	if f, ok := w.(*os.File); ok {
		if info, err := f.Stat(); err == nil && info.Mode()&os.ModeCharDevice != 0 {
			return &Progress{w: w}
		}
	}
	return &Progress{}
}

// Showf replaces the line, at most ten times a second.
func (p *Progress) Showf(format string, args ...any) {
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
