package main

import (
	"fmt"
	"io"
	"log/slog"
	"strings"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/config"
)

// newLogger makes the log that the settings ask for.
func newLogger(s *config.Settings, w io.Writer) (*slog.Logger, error) {
	levels := map[string]slog.Level{"debug": slog.LevelDebug, "info": slog.LevelInfo, "warn": slog.LevelWarn, "error": slog.LevelError}
	level, ok := levels[s.LogLevel]
	if !ok {
		return nil, at(s, "log_level", "%q: must be debug, info, warn or error", s.LogLevel)
	}
	o := &slog.HandlerOptions{Level: level}
	switch s.LogFormat {
	case "text":
		return slog.New(slog.NewTextHandler(w, o)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(w, o)), nil
	}
	return nil, at(s, "log_format", "%q: must be text or json", s.LogFormat)
}

// at is a fault of one setting. It begins with the place where the setting stands.
func at(s *config.Settings, key, format string, args ...any) error {
	origin := s.Origin(key)
	switch {
	case origin == "":
		origin = "setting " + key
	case !strings.HasPrefix(origin, "flag ") && !strings.HasPrefix(origin, "environment "):
		origin += ": " + key // a line of a file does not name it
	}
	return usagef("%s: %w", origin, fmt.Errorf(format, args...))
}
