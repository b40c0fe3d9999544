package config

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
)

// ReadRegular reads a regular file, or a link to one, of at most that many bytes. It
// refuses anything else, since reading a FIFO or a device can block for ever, and looks at
// the size before it reads.
func ReadRegular(path string, most int64) ([]byte, error) {
	f, err := OpenRegular(path, most)
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // it was only read
	text, err := io.ReadAll(io.LimitReader(f, most+1))
	if err == nil && int64(len(text)) > most { // it grew
		err = tooLarge(path, most)
	}
	return text, err
}

// OpenRegular opens what ReadRegular reads, for those who need not have all of it at once.
func OpenRegular(path string, most int64) (*os.File, error) {
	// Opening some devices does something, so look first.
	if info, err := os.Stat(path); err == nil {
		if err := fit(path, info, most); err != nil {
			return nil, err
		}
	}
	// The path may have become a FIFO since then: not even opening must wait.
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil {
		err = fit(path, info, most)
	}
	if err != nil {
		_ = f.Close() // nothing was read
		return nil, err
	}
	return f, nil
}

func fit(path string, info fs.FileInfo, most int64) error {
	switch {
	case !info.Mode().IsRegular():
		return fmt.Errorf("%s is not a regular file", path)
	case info.Size() > most:
		return tooLarge(path, most)
	}
	return nil
}

func tooLarge(path string, most int64) error {
	return fmt.Errorf("%s is larger than %d bytes", path, most)
}
