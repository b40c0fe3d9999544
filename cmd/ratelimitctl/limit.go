package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"
)

// limit is one as daemons show it, in what programs of this version know of it.
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
	// In a status alone, which counts overrides and does not list them.
	Count      int             `json:"override_count"`
	Since      *time.Time      `json:"since"`
	Set        *bool           `json:"set"`
	Configured json.RawMessage `json:"configured"`
	Allowed    uint64          `json:"allowed"`
	Denied     uint64          `json:"denied"`
	WouldDeny  uint64          `json:"shadow_denied"`
}

// limitsOf reads the limits of an answer, sorted by name.
func limitsOf(body []byte) ([]limit, error) {
	var got struct {
		Limits map[string]limit `json:"limits"`
	}
	if err := json.Unmarshal(body, &got); err != nil {
		return nil, fmt.Errorf("the answer is not understood: %w", err)
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
	if l.TimeZone != "" && l.TimeZone != "UTC" {
		text += " (" + l.TimeZone + ")"
	}
	return text
}

func (l *limit) burst() string {
	if !l.limits() {
		return "-"
	}
	return fmt.Sprint(l.Burst)
}

func (l *limit) algorithm() string {
	if l.Resolution > 1 {
		return fmt.Sprintf("%s/%d", l.Algorithm, l.Resolution)
	}
	return cmp.Or(l.Algorithm, "-")
}

// from is who said so: what nodes are configured with, or a call that set it, which
// shadows that until it is deleted.
func (l *limit) from() string {
	configured := len(l.Configured) > 0 && !bytes.Equal(l.Configured, []byte("null")) && !bytes.Equal(l.Configured, []byte("false"))
	switch {
	case l.Set == nil:
		return "-"
	case *l.Set && configured:
		return "set over configured"
	case *l.Set:
		return "set"
	default:
		return "configured"
	}
}

// windowText is a window in JSON as people write it.
func windowText(w json.RawMessage) string {
	var seconds float64
	if json.Unmarshal(w, &seconds) == nil {
		return trim(time.Duration(math.Round(seconds * float64(time.Second))))
	}
	var unit string
	_ = json.Unmarshal(w, &unit)
	return cmp.Or(unit, "-")
}

// span is a length of time no finer than people need.
func span(d time.Duration) string {
	switch {
	case d >= 10*time.Second:
		d = d.Round(time.Second)
	case d >= time.Second:
		d = d.Round(100 * time.Millisecond)
	default:
		d = max(d.Round(time.Millisecond), 0)
	}
	return trim(d)
}

// trim is a length of time without parts that are zero.
func trim(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}
