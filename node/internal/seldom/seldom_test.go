package seldom_test

import (
	"bytes"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/seldom"
)

func TestTheNextWarningSaysHowManyWereLeftOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		logger := slog.New(slog.NewTextHandler(&log, nil))
		w := seldom.Warner{Every: time.Second}
		for range 2000 {
			w.Warn(logger, "a fault")
			time.Sleep(time.Millisecond)
		}
		lines := strings.Split(strings.TrimSpace(log.String()), "\n")
		if len(lines) != 2 || strings.Contains(lines[0], "unsaid") || !strings.Contains(lines[1], "unsaid=999") {
			t.Errorf("in two seconds it said\n%s", log.String())
		}
	})
}

func TestALogGetsOneWarningAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		logger := slog.New(slog.NewTextHandler(&log, nil))
		var w seldom.Warner
		for _, c := range []struct {
			after time.Duration
			lines int
		}{{0, 1}, {time.Second, 1}, {58 * time.Second, 1}, {time.Second, 2}, {0, 2}, {time.Hour, 3}} {
			time.Sleep(c.after)
			var all sync.WaitGroup
			for range 10 {
				all.Go(func() { w.Warn(logger, "a fault", "error", "that one") })
			}
			all.Wait()
			if got := strings.Count(log.String(), `level=WARN msg="a fault" error="that one"`); got != c.lines {
				t.Errorf("%v later: %d lines, want %d", c.after, got, c.lines)
			}
		}
	})
}
