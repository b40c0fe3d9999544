package main

import (
	"io"
	"log/slog"

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

// at is a fault of one setting, with where it stands.
func at(s *config.Settings, key, format string, args ...any) error {
	origin := s.Origin(key)
	if origin == "" {
		origin = "setting " + key
	}
	return usagef(origin+": "+format, args...)
}
