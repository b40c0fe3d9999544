package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
)

// sealed is the form of the state file. The checksum covers Saved without white space, so
// that a file which was only formatted anew is still whole. It finds damage and edits; it
// keeps nobody out who can write the file.
type sealed struct {
	Version int             `json:"version"`
	Sum     string          `json:"sha256"`
	Saved   json.RawMessage `json:"saved"`
}

// sealVersion is the form that this program writes, and the only one that it reads. 1 had
// no checksum.
const sealVersion = 2

var errDamaged = errors.New("it was changed or damaged since it was saved")

// seal is the text of a state file for what a node saves.
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

// unseal is what seal was given, or why the text is none of its.
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
