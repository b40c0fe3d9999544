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

// put writes a file as a whole, so that nobody sees a part of it.
func put(t *testing.T, path, text string) {
	t.Helper()
	whole := filepath.Join(filepath.Dir(path), "."+filepath.Base(path))
	write(t, whole, text)
	if err := os.Rename(whole, path); err != nil {
		t.Fatal(err)
	}
}

func TestAChangeOfAnyFileOfADirectoryIsTold(t *testing.T) {
	dir := t.TempDir()
	a, b := filepath.Join(dir, "a.yaml"), filepath.Join(dir, "b.yaml")
	put(t, a, "1")
	first, err := config.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	type change struct {
		files []config.File
		err   error
	}
	told := make(chan change, 10)
	go config.WatchDir(ctx, dir, first, time.Millisecond, func(files []config.File, err error) { told <- change{files, err} })
	next := func(what string, want ...string) {
		t.Helper()
		select {
		case c := <-told:
			if c.err != nil {
				c.files = []config.File{{Text: []byte(c.err.Error())}}
			}
			var got []string
			for _, f := range c.files {
				got = append(got, strings.ReplaceAll(string(f.Text), dir, "DIR"))
			}
			if !slices.Equal(got, want) {
				t.Errorf("%s: got %q, want %q", what, got, want)
			}
		case <-time.After(30 * time.Second):
			t.Fatalf("%s is not told", what)
		}
	}
	put(t, b, "2")
	next("a new file", "1", "2")
	put(t, b, "3")
	next("a new content", "1", "3")
	if err := os.Rename(b, a); err != nil {
		t.Fatal(err)
	}
	next("a file that goes", "3")
	put(t, b, "")
	next("a file that stays empty", "DIR/b.yaml is empty")
	put(t, b, "5")
	next("its end", "3", "5")
	link := filepath.Join(dir, ".link")
	if err := os.Symlink(filepath.Join(dir, "nothing"), link); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(link, a); err != nil {
		t.Fatal(err)
	}
	next("a link to nothing", "open DIR/a.yaml: no such file or directory")
	if err := os.Rename(dir, dir+".gone"); err != nil {
		t.Fatal(err)
	}
	next("a directory that goes", "lstat DIR: no such file or directory")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	next("a directory without files", "DIR has no files")
	put(t, b, "5")
	next("the same as before the fault", "5")
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
