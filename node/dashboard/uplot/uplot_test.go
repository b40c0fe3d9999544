package uplot_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"testing"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/dashboard/uplot"
)

// An update changes these sums on purpose. An edit of the files by hand does not pass.
func TestTheFilesAreThoseOfTheRelease(t *testing.T) {
	for name, file := range map[string]struct {
		text []byte
		sum  string
	}{
		"uPlot.iife.min.js": {uplot.Script, "19c8d4c6ad88929a79f4ae49d6f7161566dfd0ba3d15cc495e974f787eb78f1f"},
		"uPlot.min.css":     {uplot.CSS, "df630c6a8d6f8eeaff264b50f73ce5b114f646ffd9a0bb74f049b0a00135fa04"},
	} {
		if sum := sha256.Sum256(file.text); hex.EncodeToString(sum[:]) != file.sum {
			t.Errorf("%s has the sum %x", name, sum)
		}
	}
	if !bytes.Contains(uplot.Script, []byte("uPlot (v1.6.32)")) || !bytes.Contains(uplot.Licence, []byte("MIT License")) {
		t.Error("the version or the licence is missing")
	}
}
