package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
)

// sealed is the form of the state file. The checksum covers Saved without white space, so that a
// file stays valid if somebody formats it. It finds damage and edits. It does not keep out somebody
// who can write the file, because anybody can compute it.
type sealed struct {
	Version int             `json:"version"`
	Sum     string          `json:"sha256"`
	Saved   json.RawMessage `json:"saved"`
}

// sealVersion is the version of the form that this program writes, and the only one that it reads.
// Version 1 had no checksum.
const sealVersion = 2

var errDamaged = errors.New("it was changed or damaged since it was saved")

// seal makes the text of a state file from a node's saved limits.
func seal(saved []byte) ([]byte, error) {
	sum, err := sumOf(saved)
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(sealed{Version: sealVersion, Sum: sum, Saved: saved})
	if err == nil && len(text) >= mostState {
		err = fmt.Errorf("they take %d bytes, and at most %d can be read", len(text), mostState)
	}
	return append(text, '\n'), err
}

// unseal returns the saved limits in the text of a state file. The error says why the text is no
// such file.
func unseal(text []byte) (saved []byte, err error) {
	if len(bytes.TrimSpace(text)) == 0 {
		return nil, errors.New("it is empty")
	}
	var s sealed
	switch err := json.Unmarshal(text, &s); {
	case err != nil:
		return nil, fmt.Errorf("it is no JSON of a state file: %w", err)
	case s.Version < 1:
		return nil, errors.New("it has no version")
	case s.Version < sealVersion:
		return nil, fmt.Errorf("an older ratelimitd wrote it: it is of version %d, and this one reads version %d", s.Version, sealVersion)
	case s.Version > sealVersion:
		return nil, fmt.Errorf("a newer ratelimitd wrote it: it is of version %d, and this one reads version %d", s.Version, sealVersion)
	}
	if sum, err := sumOf(s.Saved); err != nil || sum != s.Sum {
		return nil, errDamaged
	}
	return s.Saved, nil
}

// sumOf is the checksum of JSON without its white space.
func sumOf(text json.RawMessage) (string, error) {
	compact, err := json.Marshal(text)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(compact)
	return hex.EncodeToString(sum[:]), nil
}
