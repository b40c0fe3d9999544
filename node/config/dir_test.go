package config_test

import (
	"context"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/config"
)

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestADirectoryIsReadAsKubernetesMountsIt(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "..2026", "b.yaml"), "b")
	write(t, filepath.Join(dir, "..2026", "a.yaml"), "a")
	write(t, filepath.Join(dir, "sub", "c.yaml"), "c")
	write(t, filepath.Join(dir, ".hidden"), "x")
	for link, to := range map[string]string{"..data": "..2026", "a.yaml": "..data/a.yaml", "b.yaml": "..data/b.yaml", "circle": "."} {
		if err := os.Symlink(to, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	root := filepath.Join(t.TempDir(), "current")
	if err := os.Symlink(dir, root); err != nil {
		t.Fatal(err)
	}
	got, err := config.ReadDir(root)
	want := []config.File{{filepath.Join(root, "a.yaml"), []byte("a")}, {filepath.Join(root, "b.yaml"), []byte("b")}, {filepath.Join(root, "sub", "c.yaml"), []byte("c")}}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %s, %v", got, err)
	}
}

func TestADirectoryWithoutFilesIsAFault(t *testing.T) {
	dir := t.TempDir()
	if _, err := config.ReadDir(dir); err == nil || !strings.Contains(err.Error(), "has no files") {
		t.Errorf("got %v", err)
	}
	if _, err := config.ReadDir(filepath.Join(dir, "none")); err == nil {
		t.Error("a directory that is not there is read")
	}
}

func TestAChangeOfAnyFileOfADirectoryIsTold(t *testing.T) {
	dir := t.TempDir()
	a, b := filepath.Join(dir, "a.yaml"), filepath.Join(dir, "b.yaml")
	write(t, a, "1")
	first, err := config.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	told := make(chan []config.File, 10)
	go config.WatchDir(ctx, dir, first, time.Millisecond, func(files []config.File) { told <- files })
	next := func(what string, want ...string) {
		t.Helper()
		select {
		case files := <-told:
			var got []string
			for _, f := range files {
				got = append(got, string(f.Text))
			}
			if !slices.Equal(got, want) {
				t.Errorf("%s: got %q, want %q", what, got, want)
			}
		case <-time.After(30 * time.Second):
			t.Fatalf("%s is not told", what)
		}
	}
	write(t, b, "2")
	next("a new file", "1", "2")
	write(t, b, "3")
	next("a new content", "1", "3")
	if err := os.Rename(b, a); err != nil {
		t.Fatal(err)
	}
	next("a file that goes", "3")
	write(t, b, "") // as a file is that is being written
	write(t, a, "4")
	write(t, b, "5")
	next("the end of writing", "4", "5")
}

func TestPairs(t *testing.T) {
	got, err := config.Pairs("a=1, b=x=y,,c=")
	if want := map[string]string{"a": "1", "b": "x=y", "c": ""}; err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, %v", got, err)
	}
	for _, text := range []string{"a", "=1", "a=1,b"} {
		if _, err := config.Pairs(text); err == nil {
			t.Errorf("%q: no error", text)
		}
	}
}
