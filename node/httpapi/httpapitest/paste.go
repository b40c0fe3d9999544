// Package httpapitest runs the shell commands of a document against a handler, so that a
// test proves what a reader gets who pastes them. It needs a POSIX shell, and no curl: the
// test's own program stands in for it.
package httpapitest

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// Prompt begins a line of a document that holds a command.
const Prompt = "    $ "

// documented is the address that documents give; the stand-in for curl replaces it.
const documented = "127.0.0.1:8080"

const (
	serverVariable  = "HTTPAPITEST_SERVER"
	refusedVariable = "HTTPAPITEST_REFUSED"
)

// Commands returns the commands of a document in order.
func Commands(document string) []string {
	var all []string
	for line := range strings.Lines(document) {
		if command, ok := strings.CutPrefix(line, Prompt); ok {
			all = append(all, strings.TrimSuffix(command, "\n"))
		}
	}
	return all
}

// Paste runs commands one after the other in one shell and returns the output of each. The
// shell's curl asks h, and fails at statuses from refused on. The test fails at the first
// command that fails. Its TestMain must call RanAsCurl first.
func Paste(t *testing.T, h http.Handler, refused int, commands []string) []string {
	t.Helper()
	server := httptest.NewServer(h)
	defer server.Close()
	dir := t.TempDir()
	self, err := os.Executable()
	if err == nil {
		err = os.Symlink(self, filepath.Join(dir, "curl"))
	}
	if err != nil {
		t.Fatal(err)
	}
	shell := exec.CommandContext(t.Context(), "sh", "-e")
	shell.Dir = dir
	shell.Env = append(os.Environ(), serverVariable+"="+server.URL, refusedVariable+"="+strconv.Itoa(refused), "PATH="+dir+":"+os.Getenv("PATH"))
	shell.Stdin = strings.NewReader(strings.Join(commands, "\nprintf '\\036'\n"))
	var errs bytes.Buffer
	shell.Stderr = &errs
	out, err := shell.Output()
	if err != nil || errs.Len() > 0 {
		t.Fatalf("%v: %s", err, errs.String())
	}
	answers := strings.Split(string(out), "\x1e")
	if len(answers) != len(commands) {
		t.Fatalf("got %d answers to %d commands", len(answers), len(commands))
	}
	return answers
}

// RanAsCurl does curl's work and returns an exit code if a shell of Paste started this
// program as curl. Otherwise it does nothing and returns false.
func RanAsCurl() (ran bool, code int) {
	if filepath.Base(os.Args[0]) != "curl" {
		return false, 0
	}
	if err := curl(os.Args[1:]); err != nil {
		_, _ = fmt.Fprintln(os.Stderr, err)
		return true, 1
	}
	return true, 0
}

// curl knows the options that documents use.
func curl(args []string) error {
	method, body, target, header := "", "", "", http.Header{}
	for ; len(args) > 0; args = args[1:] {
		option := args[0]
		switch {
		case option == "-X" || option == "-d" || option == "-H":
			if len(args) < 2 {
				return fmt.Errorf("curl: option %s: requires parameter", option)
			}
			args = args[1:]
			switch option {
			case "-X":
				method = args[0]
			case "-d":
				body = args[0]
			case "-H":
				name, value, _ := strings.Cut(args[0], ":")
				header.Add(name, strings.TrimSpace(value))
			}
		case target != "" || strings.HasPrefix(option, "-"):
			return fmt.Errorf("curl: argument %q is not understood", option)
		default:
			target = option
		}
	}
	path, ok := strings.CutPrefix(target, documented)
	if !ok {
		return fmt.Errorf("curl: %q is not at %s", target, documented)
	}
	if method == "" && body != "" {
		method = http.MethodPost
	}
	r, err := http.NewRequest(method, os.Getenv(serverVariable)+path, strings.NewReader(body)) //nolint:noctx // the program ends with it
	if err != nil {
		return err
	}
	r.Header = header
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close() //nolint:errcheck // it was only read
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if refused, err := strconv.Atoi(os.Getenv(refusedVariable)); err != nil || resp.StatusCode >= refused {
		return fmt.Errorf("curl: %s: %s: %s", target, resp.Status, answer)
	}
	_, err = os.Stdout.Write(answer)
	return err
}
