package main

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/cmd/internal/flags"
)

// setFlags are the changes of a limit that -set asks for. It is a flag.Value.
type setFlags []setFlag

type setFlag struct {
	at     time.Duration
	policy flags.Policy
}

// String implements flag.Value.
func (s *setFlags) String() string { return "" }

// Set implements flag.Value.
func (s *setFlags) Set(text string) error {
	at, rest, err := cutTime(text)
	if err != nil {
		return err
	}
	next := setFlag{at: at}
	if err := next.policy.Set(rest); err != nil {
		return fmt.Errorf("the policy %w", err)
	}
	*s = append(*s, next)
	return nil
}

// killFlags are the deaths of nodes that -kill asks for. It is a flag.Value.
type killFlags []killFlag

type killFlag struct {
	at   time.Duration
	node int
}

// String implements flag.Value.
func (k *killFlags) String() string { return "" }

// Set implements flag.Value.
func (k *killFlags) Set(text string) error {
	at, rest, err := cutTime(text)
	if err != nil {
		return err
	}
	node, err := strconv.Atoi(rest)
	if err != nil {
		return errors.New("must be a time and a node's number, such as 20s=2")
	}
	*k = append(*k, killFlag{at, node})
	return nil
}

// cutTime reads TIME=REST.
func cutTime(text string) (at time.Duration, rest string, err error) {
	time1, rest, two := strings.Cut(text, "=")
	at, err = time.ParseDuration(time1)
	if !two || err != nil || at < 0 {
		return 0, "", errors.New("must begin with a time after the start, such as 15s=")
	}
	return at, rest, nil
}
