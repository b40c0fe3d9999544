package tally_test

import (
	"testing"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/tally"
)

func TestLateIsTheMostSince(t *testing.T) {
	var l tally.Late
	if l.Since(0) != 0 {
		t.Error("something came back before anything did")
	}
	for i, units := range []float64{5, 9, 3, 4, 2} {
		l.Note(int64(i), units)
	}
	for since, want := range []float64{9, 9, 4, 4, 2, 0} {
		if got := l.Since(int64(since)); got != want {
			t.Errorf("since %d: %v, want %v", since, got, want)
		}
	}
}

// What does not fit any more counts for too long, and never for too little.
func TestLateForgetsNothingTooEarly(t *testing.T) {
	var l tally.Late
	for i := range 40 {
		l.Note(int64(i), float64(100-i))
	}
	for since := range int64(40) {
		if got, least := l.Since(since), float64(100-since); got < least {
			t.Errorf("since %d: %v, want at least %v", since, got, least)
		}
	}
	if got := l.Since(40); got != 0 {
		t.Errorf("after all: %v", got)
	}
}
