// Package otellogrus stands in for the module of its name, which gubernator's tracing imports. Its
// last release, v0.3.2, does not compile with the OpenTelemetry that this project takes. It sends logs
// to traces. Nobody reads any here, so this one sends nothing.
package otellogrus

import "github.com/sirupsen/logrus"

// Hook does nothing.
type Hook struct{ levels []logrus.Level }

// Option is what NewHook takes.
type Option func(*Hook)

// WithLevels says which levels the hook is asked for.
func WithLevels(levels ...logrus.Level) Option { return func(h *Hook) { h.levels = levels } }

// NewHook makes a hook.
func NewHook(options ...Option) *Hook {
	var h Hook
	for _, o := range options {
		o(&h)
	}
	return &h
}

// Levels are those of WithLevels.
func (h *Hook) Levels() []logrus.Level { return h.levels }

// Fire does nothing.
func (h *Hook) Fire(*logrus.Entry) error { return nil }
