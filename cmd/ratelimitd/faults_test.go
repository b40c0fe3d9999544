package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

const goodSecret = "0123456789abcdef"

// Every address and URL is judged before anything is opened, by -check as by the start.
func TestAnAddressThatCannotBeIsFoundAtOnce(t *testing.T) {
	password := write(t, "password", goodSecret)
	listen := func(flag string, more ...string) func(string) []string {
		return func(addr string) []string { return append(more, flag, addr) }
	}
	route := []string{"-nats-cluster", "127.0.0.1:0"}
	for flag, c := range map[string]struct {
		args func(string) []string
		bad  []string
	}{
		"-http":         {listen("-http"), []string{"8080", "127.0.0.1:99999", "127.0.0.1:65536", "127.0.0.1:-1", "127.0.0.1:nosuch", "127.0.0.1:", ":", "[::1", "::1:80", "127.0.0.1:80:81", "127.0.0.1:8 0"}},
		"-admin":        {listen("-admin"), []string{"x", "127.0.0.1:99999", "127.0.0.1:"}},
		"-nats-listen":  {listen("-nats-listen"), []string{"4222", "127.0.0.1:99999", "127.0.0.1:-1", "127.0.0.1:"}},
		"-nats-cluster": {listen("-nats-cluster"), []string{"6222", "127.0.0.1:99999", "127.0.0.1:x", "127.0.0.1:"}},
		"-nats-routes":  {listen("-nats-routes", route...), []string{"natz://a:6222", "nats://a:99999", "a:99999", "nats://a:0", "nats://a", "nats://:6222", "nats://a:6222,nats://b:99999", "a:b:6222", ",", "nats://a:6222/x"}},
		"-nats": {listen("-nats"), []string{
			"natz://a:4222", "NATZ://a", "http://a:4222", "nats://", "nats://:4222", "nats://a:99999", "a:99999", "nats://a:0", "nats://a:", "nats://a:-1", "nats://a:x",
			"nats:/a:4222", "nats:a:4222", "nats://a:4222/x", "nats://a:4222?x=1", "nats://a:4222 nats://b:4222", "nats://a:4222,natz://b:4222", "ws://a:80,nats://b:4222", ",",
		}},
	} {
		for _, addr := range c.bad {
			for _, check := range [][]string{nil, {"-check"}} {
				args := append(append([]string{"-http", "127.0.0.1:0"}, check...), c.args(addr)...)
				_, _, err := runIn(t, nil, args...)
				if err == nil || exitCode(err) != exitUsage || !strings.Contains(err.Error(), "flag "+flag+": ") {
					t.Errorf("%v: %v", args, err)
				}
			}
		}
	}
	for _, args := range [][]string{
		{"-http", ":http"},
		{"-http", "127.0.0.1:8080", "-admin", "[::1]:8080"},
		{"-http", "127.0.0.1:8080", "-admin", "127.0.0.2:8080"},
		{"-http", "[fe80::1%eth0]:8080"},
		{"-http", "[::1]:8080"},
		{"-http", "localhost:0"},
		{"-admin", ":0", "-nats-listen", ":4222", "-nats-cluster", "[::]:0"},
		{"-nats", "a"},
		{"-nats", "a:4222, tls://u:p@b"},
		{"-nats", "wss://a/path,ws://b:80"},
		{"-nats", "NATS://a:65535"},
		{"-nats", "nats://[::1]:4222", "-nats-user", "u", "-nats-password-file", password},
		{"-nats-cluster", ":6222", "-nats-routes", "nats://a:6222,b:6222,nats-route://c:1"},
	} {
		if _, _, err := runIn(t, nil, append(args, "-check")...); err != nil {
			t.Errorf("%v: %v", args, err)
		}
	}
}

func TestOnePortForTwoListenersIsFoundAtOnce(t *testing.T) {
	for _, args := range [][]string{
		{"-http", "127.0.0.1:8080", "-admin", "127.0.0.1:8080"},
		{"-http", "127.0.0.1:8080", "-admin", ":8080"},
		{"-http", "0.0.0.0:8080", "-admin", "127.0.0.1:8080"},
		{"-http", "[::]:8080", "-admin", "127.0.0.1:8080"},
		{"-http", "[::1]:8080", "-admin", "[0:0::1]:8080"},
		{"-http", "localhost:80", "-admin", "LOCALHOST:http"},
		{"-http", ":8080", "-nats-cluster", ":8080"},
		{"-http", "127.0.0.1:8080", "-nats-listen", "127.0.0.1:8080"},
		{"-nats-listen", "127.0.0.1:6222", "-nats-cluster", "127.0.0.1:6222"},
	} {
		if _, _, err := runIn(t, nil, append(args, "-check")...); err == nil || !strings.Contains(err.Error(), "cannot listen beside -") {
			t.Errorf("%v: %v", args, err)
		}
	}
}

func TestASecretThatCanHardlyBeOneIsRefused(t *testing.T) {
	external := []string{"-nats", "nats://127.0.0.1:1", "-nats-user", "u"}
	embedded := []string{"-nats-listen", "127.0.0.1:0", "-nats-user", "u"}
	for _, c := range []struct {
		flag string
		with []string
	}{{"-admin-token-file", nil}, {"-cluster-key-file", nil}, {"-nats-password-file", embedded}, {"-nats-password-file", external}} {
		foreign := slices.Contains(c.with, "-nats")
		for text, want := range map[string]string{
			"":                           "is empty",
			"\r\n":                       "is empty",
			" ":                          "blank",
			goodSecret + " ":             "blank",
			" " + goodSecret:             "blank",
			"0123456789 abcdef":          "blank",
			"0123456789\tabcdef":         "blank",
			"0123456789\u00a0abcdef":     "blank",
			"0123456789\x00abcdef":       "character that does not show",
			goodSecret + "\x00":          "character that does not show",
			"\ufeff" + goodSecret:        "character that does not show",
			"0123456789\x1b[0mabcdef":    "character that does not show",
			"0123456789abcdef\xff":       "UTF-8",
			goodSecret + "\nsecond":      "more than one line",
			goodSecret + "\r\nsecond":    "more than one line",
			goodSecret + "\rsecond":      "more than one line",
			"\n" + goodSecret:            "more than one line",
			"abc":                        "at least 16",
			"0123456789abcde\n":          "at least 16",
			strings.Repeat("x", 1<<12+1): "larger than",
		} {
			path := write(t, "secret", text)
			args := append([]string{"-check", c.flag, path}, c.with...)
			_, stderr, err := runIn(t, nil, args...)
			if foreign && want == "at least 16" {
				// Somebody else chose it. What is odd is told, and serves.
				if err != nil || !strings.Contains(stderr, want) {
					t.Errorf("%s, %q of another server: %v, %s", c.flag, text, err, stderr)
				}
				continue
			}
			if err == nil || exitCode(err) != exitUsage || !strings.Contains(err.Error(), "flag "+c.flag+": "+path) || !strings.Contains(err.Error(), want) {
				t.Errorf("%s, %q: %v, want %s", c.flag, text, err, want)
			}
			if err != nil && len(text) > 10 && strings.Contains(err.Error(), "0123456789") {
				t.Errorf("the secret is shown: %v", err)
			}
		}
		for _, text := range []string{goodSecret, goodSecret + "\n", goodSecret + "\r\n", "pässwörter-sind-lang"} {
			args := append([]string{"-check", c.flag, write(t, "secret", text)}, c.with...)
			if _, stderr, err := runIn(t, nil, args...); err != nil || stderr != "" {
				t.Errorf("%s, %q: %v, %s", c.flag, text, err, stderr)
			}
		}
	}
}

func TestASecretThatOthersCanReadIsWarnedOf(t *testing.T) {
	for mode, warned := range map[os.FileMode]bool{0o600: false, 0o440: false, 0o640: false, 0o604: true, 0o644: true, 0o602: true} {
		path := write(t, "secret", goodSecret)
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		for _, args := range [][]string{
			{"-admin-token-file", path},
			{"-cluster-key-file", path},
			{"-nats", "a", "-nats-user", "u", "-nats-password-file", path},
		} {
			_, stderr, err := runIn(t, nil, append(args, "-check")...)
			if says := strings.Contains(stderr, "level=WARN") && strings.Contains(stderr, path); err != nil || says != warned {
				t.Errorf("%v, mode %o: %v, %s", args, mode, err, stderr)
			}
		}
	}
}

// special makes what is at a path and is no file: reading it could block for ever.
func special(t *testing.T) map[string]string {
	t.Helper()
	dir := t.TempDir()
	fifo := filepath.Join(dir, "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(dir, "link")
	if err := os.Symlink(fifo, link); err != nil {
		t.Fatal(err)
	}
	return map[string]string{"a FIFO": fifo, "a link to one": link, "a directory": dir, "a device": os.DevNull, "another device": "/dev/zero"}
}

func TestWhatIsNoFileIsRefusedAtTheStart(t *testing.T) {
	for name, path := range special(t) {
		for _, args := range [][]string{
			{"-config", path},
			{"-check", path},
			{"-check", "-config", path},
			{"-admin-token-file", path},
			{"-cluster-key-file", path},
			{"-nats-listen", "127.0.0.1:0", "-nats-user", "u", "-nats-password-file", path},
			{"-nats", "a", "-nats-creds", path},
			{"-nats", "a", "-nats-nkey", path},
			{"-nats", "a", "-nats-tls-ca", path},
			{"-nats", "a", "-nats-tls-cert", path, "-nats-tls-key", path},
		} {
			code, stdout, stderr := finish(t, nil, append([]string{"-http", "127.0.0.1:0"}, args...)...)
			if code != exitUsage || stdout != "" || !strings.Contains(stderr, path) || !strings.Contains(stderr, "not a regular file") {
				t.Errorf("%s, %v: code %d, %s%s", name, args, code, stdout, stderr)
			}
		}
	}
}

// A reload refuses what the start refuses, and the daemon goes on and can be stopped.
func TestWhatIsNoFileIsRefusedByAReload(t *testing.T) {
	for name, replaced := range special(t) {
		for _, secret := range []bool{false, true} {
			dir := t.TempDir()
			token, path := filepath.Join(dir, "token"), filepath.Join(dir, "c.yaml")
			for file, text := range map[string]string{token: goodSecret, path: "limit: 10\nwindow: 1h\nadmin_token_file: " + token + "\n"} {
				if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			p := runDaemon(t, nil, "-config", path)
			turned := path
			if secret {
				turned = token
			}
			if err := os.Remove(turned); err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink(replaced, turned); err != nil {
				t.Fatal(err)
			}
			if err := p.cmd.Process.Signal(syscall.SIGHUP); err != nil {
				t.Fatal(err)
			}
			if text, _ := p.await("configuration not reloaded")["error"].(string); !strings.Contains(text, turned) || !strings.Contains(text, "not a regular file") {
				t.Errorf("%s: got %q", name, text)
			}
			if !p.limitIs("default", 10)() {
				t.Errorf("%s: the last good limit does not go on", name)
			}
			if code := p.stop(os.Interrupt); code != 0 {
				t.Errorf("%s: exit code %d", name, code)
			}
		}
	}
}

func TestCredentialsWithoutAKeyAreFoundAtOnce(t *testing.T) {
	empty := write(t, "x.creds", "nothing in it\n")
	if _, _, err := runIn(t, nil, "-check", "-nats", "a", "-nats-creds", empty); err == nil || !strings.Contains(err.Error(), "flag -nats-creds: ") {
		t.Errorf("%v", err)
	}
}
