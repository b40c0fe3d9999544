package main

import (
	"bufio"
	"errors"
	"io"
	"os"
)

// create creates the file that a flag names, before the work begins: whoever misspelt it learns so
// at once. f is nil if the flag has no value.
func (c *call) create(flag, name string) (f *os.File, err error) {
	if name == "" {
		return nil, nil //nolint:nilnil // there is no file, which is no error
	}
	if f, err = os.Create(name); err != nil {
		return nil, usagef("-%s: %v", flag, err)
	}
	return f, nil
}

// writePage writes a page into a file, if there is one, and closes the file.
func writePage(f *os.File, write func(io.Writer) error) error {
	if f == nil {
		return nil
	}
	out := bufio.NewWriter(f)
	return errors.Join(write(out), out.Flush(), f.Close())
}
