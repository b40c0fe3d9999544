package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/config"
	policy "github.com/distributed-rate-limiter/distributed-rate-limiter/node/limit"
)

// limit is a limit in a daemon's answer, with the fields that this version knows.
type limit struct {
	name       string
	Limit      int64             `json:"limit"`
	Window     json.RawMessage   `json:"window"` // seconds, or a unit's name
	Burst      int64             `json:"burst"`
	Algorithm  string            `json:"algorithm"`
	TimeZone   string            `json:"time_zone"`
	Resolution int               `json:"resolution"`
	Shadow     bool              `json:"shadow"`
	Block      bool              `json:"block"`
	Unlimited  bool              `json:"unlimited"`
	Overrides  []json.RawMessage `json:"overrides"`
	// Only a status has the fields below. It counts overrides and does not list them.
	Count      int             `json:"override_count"`
	Since      *time.Time      `json:"since"`
	Set        *bool           `json:"set"`
	Configured json.RawMessage `json:"configured"`
	Differs    bool            `json:"differs"`
	Allowed    uint64          `json:"allowed"`
	Denied     uint64          `json:"denied"`
	WouldDeny  uint64          `json:"shadow_denied"`
}

// limitsOf reads the limits of an answer, sorted by name.
func limitsOf(body []byte) ([]limit, error) {
	var got struct {
		Limits map[string]limit `json:"limits"`
	}
	if err := understand(body, &got); err != nil {
		return nil, err
	}
	all := make([]limit, 0, len(got.Limits))
	for _, name := range slices.Sorted(maps.Keys(got.Limits)) {
		l := got.Limits[name]
		l.name = name
		all = append(all, l)
	}
	return all, nil
}

func (l *limit) quota() string {
	switch {
	case l.Block:
		return "blocked"
	case l.Unlimited:
		return "unlimited"
	default:
		return fmt.Sprint(l.Limit)
	}
}

func (l *limit) limits() bool { return !l.Block && !l.Unlimited }

func (l *limit) window() string {
	if !l.limits() {
		return "-"
	}
	text := windowText(l.Window)
	if l.TimeZone != "" && (l.TimeZone != "UTC" || strings.HasPrefix(string(l.Window), `"`)) {
		text += " (" + l.TimeZone + ")" // a day of the calendar begins somewhere
	}
	return text
}

func (l *limit) burst() string {
	if !l.limits() {
		return "-"
	}
	return fmt.Sprint(l.Burst)
}

func (l *limit) overrides() int { return max(l.Count, len(l.Overrides)) }

func (l *limit) algorithm() string {
	if l.Resolution > 1 {
		return fmt.Sprintf("%s/%d", l.Algorithm, l.Resolution)
	}
	return cmp.Or(l.Algorithm, "-")
}

// from tells whether the limit is as configured or a call set it. A set limit shadows the
// configured one until somebody deletes it.
func (l *limit) from() string {
	configured := len(l.Configured) > 0 && !bytes.Equal(l.Configured, []byte("null")) && !bytes.Equal(l.Configured, []byte("false"))
	file := func(lead string) string {
		var c limit
		if l.Differs && json.Unmarshal(l.Configured, &c) == nil {
			if text := c.rate(); text != l.rate() {
				return lead + text
			}
			return lead + "other overrides"
		}
		return ""
	}
	switch {
	case l.Set == nil:
		return "-"
	case *l.Set && l.Differs:
		return "set over configured" + file(", which has ")
	case l.Differs:
		return "another node's file" + file(", this one's has ")
	case *l.Set && configured:
		return "set over configured"
	case *l.Set:
		return "set"
	default:
		return "configured"
	}
}

// windowText writes a window of JSON as people do.
func windowText(w json.RawMessage) string {
	window, err := config.ParseWindow(strings.Trim(string(w), `"`))
	switch {
	case err != nil:
		return "-"
	case window.Duration != 0:
		return policy.Span(window.Duration)
	default:
		return window.String()
	}
}

// span writes a length of time, no finer than people need.
func span(d time.Duration) string {
	switch {
	case d >= 10*time.Second:
		d = d.Round(time.Second)
	case d >= time.Second:
		d = d.Round(100 * time.Millisecond)
	default:
		d = max(d.Round(time.Millisecond), 0)
	}
	return policy.Span(d)
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}
