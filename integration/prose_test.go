package integration_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// mostWords is the longest sentence, in words, that documents and comments may have. The
// aim is 25; a formula or a list of names may need more. Higher lets sentences in that take
// two readings; lower forbids lists.
const mostWords = 35

var (
	sentenceEnd = regexp.MustCompile(`[.?!:;∎](?:\*\*|\)|")? +`)
	listItem    = regexp.MustCompile(`^\s*(?:[-*]|\d+\.) `)
)

// longSentences returns the sentences of text that have more than mostWords words.
func longSentences(text string) []string {
	var long []string
	for _, s := range sentenceEnd.Split(strings.Join(strings.Fields(text), " "), -1) {
		if len(strings.Fields(s)) > mostWords {
			long = append(long, s)
		}
	}
	return long
}

// paragraphs returns the prose of a Markdown document: paragraphs, list items and cells of
// tables, without code and headings.
func paragraphs(document string) []string {
	all := []string{""}
	code := false
	for line := range strings.Lines(document) {
		switch {
		case strings.HasPrefix(line, "```"):
			code = !code
		case code || strings.HasPrefix(line, "    ") || strings.HasPrefix(line, "#"):
		case strings.HasPrefix(line, "|"):
			all = append(all, strings.Split(line, "|")...)
			continue
		case strings.TrimSpace(line) != "" && !listItem.MatchString(line):
			all[len(all)-1] += line
			continue
		default:
			all = append(all, line)
			continue
		}
		all = append(all, "")
	}
	return all
}

// eachDocument reads every document.
func eachDocument(t *testing.T, do func(name, text string)) {
	t.Helper()
	root := moduleRoot(t)
	for _, pattern := range []string{"*.md", "docs/*.md", "docs/adr/*.md"} {
		files, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil || len(files) == 0 {
			t.Fatalf("%s finds %d files: %v", pattern, len(files), err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			do(strings.TrimPrefix(file, root+"/"), string(text))
		}
	}
}

func TestDocumentsKeepTheirSentencesShort(t *testing.T) {
	eachDocument(t, func(name, text string) {
		for _, p := range paragraphs(text) {
			for _, s := range longSentences(p) {
				t.Errorf("%s: more than %d words: %s", name, mostWords, s)
			}
		}
	})
}

// longestLine is how many characters a line of prose has at most. More of them need a wide
// window; fewer make more lines for the same text.
const longestLine = 141

// longLines returns the numbers of the lines of prose that are longer. What a program prints,
// tables and pictures cannot be wrapped.
func longLines(document string) (long []int) {
	code, number := false, 0
	for line := range strings.Lines(document) {
		number++
		switch {
		case strings.HasPrefix(strings.TrimSpace(line), "```"):
			code = !code
		case code || strings.HasPrefix(line, "    ") || strings.HasPrefix(line, "|") || strings.HasPrefix(line, "!["):
		case utf8.RuneCountInString(strings.TrimRight(line, "\n")) > longestLine:
			long = append(long, number)
		}
	}
	return long
}

func TestDocumentsKeepTheirLinesShort(t *testing.T) {
	eachDocument(t, func(name, text string) {
		if long := longLines(text); len(long) > 0 {
			t.Errorf("%s: lines %v have more than %d characters", name, long, longestLine)
		}
	})
}

func TestALongLineIsFound(t *testing.T) {
	long := strings.Repeat("é", longestLine+1)
	if got := longLines("short\n" + long + "\n- " + long + "\n"); !slices.Equal(got, []int{2, 3}) {
		t.Errorf("found lines %v, want 2 and 3", got)
	}
	if got := longLines("| " + long + "\n    " + long + "\n```\n" + long + "\n```\n" + long[2:] + "\n"); got != nil {
		t.Errorf("found lines %v", got)
	}
}

func TestCommentsKeepTheirSentencesShort(t *testing.T) {
	eachSource(t, func(path string, file *ast.File) {
		for _, group := range file.Comments {
			for p := range strings.SplitSeq(strings.ReplaceAll(group.Text(), "\n\t", "\n\n\t"), "\n\n") {
				if strings.HasPrefix(p, "\t") {
					continue
				}
				for item := range strings.SplitSeq(strings.ReplaceAll(p, "\n  - ", "\n\x00"), "\x00") {
					for _, s := range longSentences(item) {
						t.Errorf("%s: more than %d words: %s", path, mostWords, s)
					}
				}
			}
		}
	})
}

// eachSource parses every file of the module that is no test.
func eachSource(t *testing.T, do func(path string, file *ast.File)) {
	t.Helper()
	root := moduleRoot(t)
	count := 0
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (strings.HasPrefix(d.Name(), ".") && path != root || d.Name() == "testdata"):
			return filepath.SkipDir
		case !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go"):
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		count++
		do(strings.TrimPrefix(path, root+"/"), file)
		return nil
	})
	if err != nil || count < 100 {
		t.Fatalf("parsed %d files: %v", count, err)
	}
}

// declared returns what the module declares, as package.Name and package.Type.Method.
func declared(t *testing.T) map[string]bool {
	t.Helper()
	names := map[string]bool{}
	eachSource(t, func(_ string, file *ast.File) {
		in := file.Name.Name + "."
		for _, decl := range file.Decls {
			switch d := decl.(type) {
			case *ast.FuncDecl:
				if of := receiver(d); of != "" {
					names[in+of+"."+d.Name.Name] = true
				} else {
					names[in+d.Name.Name] = true
				}
			case *ast.GenDecl:
				for _, spec := range d.Specs {
					switch s := spec.(type) {
					case *ast.TypeSpec:
						names[in+s.Name.Name] = true
						for _, member := range members(s.Type) {
							names[in+s.Name.Name+"."+member] = true
						}
					case *ast.ValueSpec:
						for _, n := range s.Names {
							names[in+n.Name] = true
						}
					}
				}
			}
		}
	})
	return names
}

// receiver is the name of the type that a method belongs to, "" for a function.
func receiver(f *ast.FuncDecl) string {
	if f.Recv == nil || len(f.Recv.List) == 0 {
		return ""
	}
	of := f.Recv.List[0].Type
	for {
		switch t := of.(type) {
		case *ast.StarExpr:
			of = t.X
		case *ast.IndexExpr:
			of = t.X
		case *ast.IndexListExpr:
			of = t.X
		case *ast.Ident:
			return t.Name
		default:
			return ""
		}
	}
}

// members are the names of a struct's fields and of an interface's methods.
func members(of ast.Expr) (names []string) {
	var list *ast.FieldList
	switch t := of.(type) {
	case *ast.StructType:
		list = t.Fields
	case *ast.InterfaceType:
		list = t.Methods
	default:
		return nil
	}
	for _, f := range list.List {
		for _, n := range f.Names {
			names = append(names, n.Name)
		}
	}
	return names
}

// codeName is a declaration as docs/design.md names it.
var codeName = regexp.MustCompile("`((?:gcra|crdt|sync|node|limit|limits|table|tally|escrow|isolation|clock|top|httpapi|spec)\\.[A-Za-z]+(?:\\.[A-Za-z]+)?)`")

func TestTheDesignNamesDeclarationsThatExist(t *testing.T) {
	names := declared(t)
	found := codeName.FindAllStringSubmatch(document(t, "design.md"), -1)
	if len(found) < 40 {
		t.Errorf("found %d names", len(found))
	}
	for _, m := range found {
		if !names[m[1]] {
			t.Errorf("docs/design.md names %s, which nothing declares", m[1])
		}
	}
}

func TestTheDesignsToursAreShort(t *testing.T) {
	sections := strings.Split(document(t, "design.md"), "\n## ")
	tours := 0
	for _, s := range sections {
		title, body, _ := strings.Cut(s, "\n")
		switch {
		case title == "Words":
			if rows := strings.Count(body, "\n| **"); rows < 15 || rows > 25 {
				t.Errorf("the glossary has %d words, want at most 25", rows)
			}
		case strings.HasPrefix(title, "Where does "):
			tours++
			var functions []string
			for _, m := range codeName.FindAllStringSubmatch(body, -1) {
				if !slices.Contains(functions, m[1]) {
					functions = append(functions, m[1])
				}
			}
			if len(functions) < 5 || len(functions) > 10 {
				t.Errorf("%q names %d functions, want at most 10: %q", title, len(functions), functions)
			}
		}
	}
	if tours != 3 {
		t.Errorf("found %d tours, want those of a request, a delta and a limit", tours)
	}
}

func TestALongSentenceIsFound(t *testing.T) {
	words := strings.Repeat("word ", mostWords)
	for _, text := range []string{words + "end.", "- " + words + "end.\n", "| a | " + words + "end |\n", "Short. " + words + "end. Short."} {
		found := false
		for _, p := range paragraphs(text) {
			found = found || len(longSentences(p)) > 0
		}
		if !found {
			t.Errorf("not found: %q", text)
		}
	}
	for _, text := range []string{words, "    " + words + "end\n", "# " + words + words, words + ". " + words} {
		for _, p := range paragraphs(text) {
			if long := longSentences(p); len(long) > 0 {
				t.Errorf("found %q", long)
			}
		}
	}
}
