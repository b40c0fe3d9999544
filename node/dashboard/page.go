package dashboard

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"mime"
	"net/http"
	"path"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/dashboard/uplot"
)

//go:embed ui
var ui embed.FS

// policy lets the page load its own files, ask its own server, and nothing else. Nothing inline
// runs, so a name that somebody made up cannot.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

const index = "index.html"

// file is one file of the page.
type file struct {
	text      []byte
	kind, tag string
}

var files = readFiles()

// readFiles reads what is embedded. It cannot fail: the compiler put the files there.
func readFiles() map[string]file {
	all := map[string][]byte{"uplot.js": uplot.Script, "uplot.css": uplot.CSS, "uplot-licence.txt": uplot.Licence}
	entries, err := ui.ReadDir("ui")
	if err != nil {
		panic(err)
	}
	for _, e := range entries {
		text, err := fs.ReadFile(ui, "ui/"+e.Name())
		if err != nil {
			panic(err)
		}
		all[e.Name()] = text
	}
	out := map[string]file{}
	for name, text := range all {
		sum := sha256.Sum256(text)
		kind := mime.TypeByExtension(path.Ext(name))
		switch path.Ext(name) { // whatever the machine's tables say
		case ".js":
			kind = "text/javascript; charset=utf-8"
		case ".css":
			kind = "text/css; charset=utf-8"
		case ".html":
			kind = "text/html; charset=utf-8"
		case ".svg":
			kind = "image/svg+xml"
		case ".txt":
			kind = "text/plain; charset=utf-8"
		}
		out[name] = file{text: text, kind: kind, tag: `"` + hex.EncodeToString(sum[:8]) + `"`}
	}
	return out
}

func servePage(w http.ResponseWriter, r *http.Request) { send(w, r, files[index]) }

func serveFile(w http.ResponseWriter, r *http.Request) {
	f, ok := files[r.PathValue("file")]
	if !ok {
		http.NotFound(w, r)
		return
	}
	send(w, r, f)
}

// send sends a file, or says that the browser has it.
func send(w http.ResponseWriter, r *http.Request, f file) {
	h := w.Header()
	h.Set("Content-Type", f.kind)
	h.Set("Content-Security-Policy", policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-cache") // a new version of the program has new files
	h.Set("ETag", f.tag)
	if r.Header.Get("If-None-Match") == f.tag {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	_, _ = w.Write(f.text) // an error means that the client has gone
}
