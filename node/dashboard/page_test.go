package dashboard

import (
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
)

func get(t *testing.T, d http.Handler, path string, headers ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, http.NoBody)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	d.ServeHTTP(w, r)
	return w
}

func TestThePageLoadsItsOwnFilesOnly(t *testing.T) {
	d := quiet(t, Config{Node: open(t, node.Config{Limit: 5, Window: 60e9})})
	w := get(t, d, "/")
	page := w.Body.String()
	if w.Code != http.StatusOK || w.Header().Get("Content-Type") != "text/html; charset=utf-8" {
		t.Fatalf("got %d %v", w.Code, w.Header())
	}
	if csp := w.Header().Get("Content-Security-Policy"); !strings.HasPrefix(csp, "default-src 'none'; script-src 'self'; style-src 'self'") || strings.Contains(csp, "unsafe") {
		t.Errorf("the policy is %q", csp)
	}
	if bad := regexp.MustCompile(`(?i)https?://|<style|style=|\son[a-z]+=|<script>|(href|src)="/`).FindString(page); bad != "" {
		t.Errorf("the page has %s", bad)
	}
	links := regexp.MustCompile(`(?:href|src)="(ui/[^"]+)"`).FindAllStringSubmatch(page, -1)
	scripts, _ := ui.ReadDir("ui")
	imports := regexp.MustCompile(`from '\./([a-z]+\.js)'`)
	for _, e := range scripts {
		if strings.HasSuffix(e.Name(), ".js") {
			for _, m := range imports.FindAllStringSubmatch(get(t, d, "/ui/"+e.Name()).Body.String(), -1) {
				links = append(links, []string{"", "ui/" + m[1]})
			}
		}
	}
	if len(links) < 12 {
		t.Errorf("the page has %d links: %q", len(links), links)
	}
	for _, l := range links {
		w := get(t, d, "/"+l[1])
		if w.Code != http.StatusOK || w.Body.Len() == 0 || w.Header().Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: got %d", l[1], w.Code)
		}
		if again := get(t, d, "/"+l[1], "If-None-Match", w.Header().Get("ETag")); again.Code != http.StatusNotModified || again.Body.Len() != 0 {
			t.Errorf("%s: a browser that has it gets %d", l[1], again.Code)
		}
	}
	for _, path := range []string{"/ui/", "/ui/nope.js", "/ui/../page.go", "/nope"} {
		if w := get(t, d, path); w.Code == http.StatusOK {
			t.Errorf("%s: got %d", path, w.Code)
		}
	}
	if w := get(t, d, "/ui/uplot-licence.txt"); !strings.Contains(w.Body.String(), "MIT License") {
		t.Error("uPlot goes without its licence")
	}
}
