package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	deltasync "github.com/distributed-rate-limiter/distributed-rate-limiter/sync"
)

func TestANodeKeyIsMadeOnceAndShownAgain(t *testing.T) {
	file := filepath.Join(t.TempDir(), "key")
	code, line, _ := ctl("node-key", "api-1", file)
	if code != exitOK {
		t.Fatalf("exit code %d", code)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	key, err := deltasync.ParseNodeKey(text)
	if err != nil {
		t.Fatal(err)
	}
	if _, want := deltasync.FormatNodeKey("api-1", key); line != want {
		t.Errorf("got %q, want %q", line, want)
	}
	if list, err := deltasync.ParseNodeKeys([]byte(line)); err != nil || len(list["api-1"]) != 1 {
		t.Errorf("%v, %v", list, err)
	}
	if code, again, _ := ctl("node-key", "api-2", file, "-o", "json"); code != exitOK || !strings.Contains(again, strings.Fields(line)[1]) || !strings.Contains(again, "api-2") {
		t.Errorf("%d: %q", code, again)
	}
	if now, _ := os.ReadFile(file); !bytes.Equal(now, text) {
		t.Error("the key was overwritten")
	}
	other := filepath.Join(t.TempDir(), "other")
	if err := os.WriteFile(other, []byte("secret of somebody else"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, bad := range [][]string{{"a.b", file}, {"a", other}, {"a", filepath.Join(t.TempDir(), "no", "where")}, {"a"}} {
		code, out, told := ctl(append([]string{"node-key"}, bad...)...)
		if code != exitUsage || out != "" || strings.Contains(told, "secret") {
			t.Errorf("%q: %d, %q, %q", bad, code, out, told)
		}
	}
}
