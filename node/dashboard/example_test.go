package dashboard_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/dashboard"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/httpapi"
)

// The dashboard in a mux of the program's own, beside its other pages. Package httpapi guards it, and
// answers what it asks beside its stream.
func Example() {
	log := dashboard.NewLog()
	logger := slog.New(log.Handler(slog.DiscardHandler)) // or the program's own handler
	n, err := node.Open(context.Background(), node.Config{Logger: logger, Limit: 100, Window: time.Minute})
	if err != nil {
		panic(err)
	}
	defer n.Close()
	board := dashboard.New(dashboard.Config{Node: n, Log: log})
	defer board.Close()
	api := httpapi.New(httpapi.Config{Node: n, Dashboard: board, Logger: logger, AdminToken: "change me"})

	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "the program's own page") })
	mux.Handle("/ratelimit/", http.StripPrefix("/ratelimit", api))
	server := httptest.NewServer(mux)
	defer server.Close()

	fmt.Println(first(server.URL+"/", ""))
	fmt.Println(first(server.URL+"/ratelimit/", "<title>"))
	fmt.Println(first(server.URL+"/ratelimit/v1/events", "event:"))
	// Output:
	// the program's own page
	// <title>Rate limiter</title>
	// event: tick
}

// The page alone, without the API: it shows everything, and changes and explains nothing.
func Example_alone() {
	n, err := node.Open(context.Background(), node.Config{Limit: 100, Window: time.Minute})
	if err != nil {
		panic(err)
	}
	defer n.Close()
	board := dashboard.New(dashboard.Config{Node: n, Alone: true})
	defer board.Close()

	mux := http.NewServeMux()
	mux.Handle("/limits/", http.StripPrefix("/limits", board)) // behind whatever guards pages for operators
	server := httptest.NewServer(mux)
	defer server.Close()

	fmt.Println(first(server.URL+"/limits/", "<title>"))
	fmt.Println(first(server.URL+"/limits/v1/events", "event:"))
	// Output:
	// <title>Rate limiter</title>
	// event: tick
}

// first is the first line of an answer that begins like this, in place of a browser.
func first(url, like string) string {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return err.Error()
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return err.Error()
	}
	defer answer.Body.Close()
	lines := bufio.NewScanner(answer.Body)
	for lines.Scan() {
		if line := strings.TrimSpace(lines.Text()); strings.HasPrefix(line, like) {
			return line
		}
	}
	return answer.Status
}
