package main

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/config"
	deltasync "github.com/distributed-rate-limiter/distributed-rate-limiter/sync"
)

// mostNodeKey is the largest file of a node's key, in bytes. A key takes 45. Raising it reads more of a
// file that is named by mistake; lowering it leaves less room for white space.
const mostNodeKey = 4096

// nodeKey makes the key of a node, unless the file has one, and prints its line of the list of all
// nodes' public keys. It never overwrites a file.
func nodeKey(c *call) action {
	return func(context.Context) error {
		name, file := c.args[0], c.args[1]
		if !deltasync.ValidName(name) {
			return usagef("%q: a node's name has 1 to 64 of A-Z, a-z, 0-9, _ and -", name)
		}
		key, err := keyIn(file)
		if err != nil {
			return err
		}
		_, line := deltasync.FormatNodeKey(name, key)
		public := strings.Fields(line)[1]
		return c.format.Print(c.stdout, map[string]any{"node": name, "public_key": public}, func(w io.Writer) error {
			_, err := io.WriteString(w, line)
			return err
		})
	}
}

// keyIn is the key in a file, which it makes if there is no such file.
func keyIn(file string) (ed25519.PrivateKey, error) {
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600) //nolint:gosec // the caller names it
	if errors.Is(err, fs.ErrExist) {
		text, err := config.ReadRegular(file, mostNodeKey)
		if err != nil {
			return nil, usagef("%v", err)
		}
		key, err := deltasync.ParseNodeKey(text)
		if err != nil {
			return nil, usagef("%s %v", file, err)
		}
		return key, nil
	}
	if err != nil {
		return nil, usagef("%v", err)
	}
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	private, _ := deltasync.FormatNodeKey("", key)
	_, err = f.WriteString(private)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return nil, fmt.Errorf("write a key: %w", err)
	}
	return key, nil
}
