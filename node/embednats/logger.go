package embednats

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
)

// logger passes the server's log on to slog. What is fatal to a server on its own,
// a port in use for one, is an error of Start here.
type logger struct {
	log   *slog.Logger
	fatal chan error
}

func (l *logger) write(level slog.Level, format string, v []any) {
	if l.log.Enabled(context.Background(), level) {
		l.log.Log(context.Background(), level, "embedded NATS server", "detail", strings.TrimSpace(fmt.Sprintf(format, v...)))
	}
}

// Noticef reports at debug level: what an operator has to know of the mesh, the
// nodes say themselves when they hear each other.
func (l *logger) Noticef(format string, v ...any) { l.write(slog.LevelDebug, format, v) }
func (l *logger) Debugf(format string, v ...any)  { l.write(slog.LevelDebug, format, v) }
func (l *logger) Tracef(format string, v ...any)  { l.write(slog.LevelDebug, format, v) }

// Warnf leaves one warning out: the passwords here come from memory, where a hash
// would protect nothing.
func (l *logger) Warnf(format string, v ...any) {
	if !strings.HasPrefix(format, "Plaintext passwords detected") {
		l.write(slog.LevelWarn, format, v)
	}
}

// Errorf logs a warning: a peer that does not answer is no error of this process.
func (l *logger) Errorf(format string, v ...any) { l.write(slog.LevelWarn, format, v) }

// Fatalf keeps the first cause. It must not block: the server may hold locks.
func (l *logger) Fatalf(format string, v ...any) {
	err := errors.New(strings.TrimSpace(fmt.Sprintf(format, v...)))
	for _, arg := range v {
		if cause, ok := arg.(error); ok {
			err = cause
			break
		}
	}
	select {
	case l.fatal <- err:
	default:
		l.write(slog.LevelError, format, v)
	}
}
