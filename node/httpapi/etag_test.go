package httpapi_test

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/httpapi"
)

func TestALimitThatHasNotChangedIsNotSentAgain(t *testing.T) {
	n := leaping(t, node.Config{Limits: map[string]node.Policy{"api": {Limit: 5, Window: time.Minute}}})
	h := httpapi.New(httpapi.Config{Node: n, Loopback: true})
	for _, path := range []string{"/v1/limits", "/v1/limits/api"} {
		w := ask(t, h, "GET", path, "")
		tag := w.Header().Get("ETag")
		if w.Code != 200 || tag == "" || w.Header().Get("Cache-Control") != "no-cache" {
			t.Fatalf("got %d %v", w.Code, w.Header())
		}
		for condition, want := range map[string]int{tag: 304, "W/" + tag: 304, `"x", ` + tag: 304, "*": 304, `"x"`: 200, "": 200, tag[:len(tag)-1]: 200} {
			if w := ask(t, h, "GET", path, "", "If-None-Match", condition); w.Code != want || (want == 304) != (w.Body.Len() == 0) || w.Header().Get("ETag") != tag {
				t.Errorf("%s with %s: got %d %s", path, condition, w.Code, w.Body)
			}
		}
		ask(t, h, "PUT", "/v1/limits/api", `{"use":"api","limit":6}`)
		if w := ask(t, h, "GET", path, "", "If-None-Match", tag); w.Code != 200 || w.Header().Get("ETag") == tag {
			t.Errorf("%s after a change: got %d %v", path, w.Code, w.Header())
		}
		ask(t, h, "DELETE", "/v1/limits/api", "")
		if w := ask(t, h, "GET", path, "", "If-None-Match", tag); w.Code != 304 {
			t.Errorf("%s as it was: got %d", path, w.Code)
		}
	}
}

func TestAChangeCanBeOfWhatItsSenderHasSeen(t *testing.T) {
	n := leaping(t, node.Config{Limits: map[string]node.Policy{"api": {Limit: 5, Window: time.Minute}}})
	h := httpapi.New(httpapi.Config{Node: n, Loopback: true})
	tag := ask(t, h, "GET", "/v1/limits/api", "").Header().Get("ETag")
	const six, seven = `{"limit":6,"window":60}`, `{"limit":7,"window":60}`
	for i, c := range []struct {
		method, name, body, field, condition string
		status                               int
	}{
		{"PUT", "api", six, "If-Match", `"x"`, 412},
		{"DELETE", "api", "", "If-Match", `"x"`, 412},
		{"PUT", "api", six, "If-None-Match", "*", 412},
		{"PUT", "api", six, "If-None-Match", tag, 412},
		{"PUT", "new", six, "If-Match", "*", 412},
		{"PUT", "api", six, "If-Match", tag, 200},
		{"PUT", "api", seven, "If-Match", tag, 412},
		{"PUT", "api", seven, "If-Match", "*", 200},
		{"PUT", "new", six, "If-None-Match", "*", 200},
		{"PUT", "new", seven, "If-None-Match", "*", 412},
		{"PUT", "api", six, "If-None-Match", tag, 200},
		{"DELETE", "api", "", "If-Match", tag + `, "y"`, 412},
	} {
		w := ask(t, h, c.method, "/v1/limits/"+c.name, c.body, c.field, c.condition)
		if w.Code != c.status || c.status == 412 && !strings.Contains(w.Body.String(), strings.ToLower(c.field)) {
			t.Errorf("%d: %s %s with %s %s: got %d %s", i, c.method, c.name, c.field, c.condition, w.Code, w.Body)
		}
		if got := ask(t, h, "GET", "/v1/limits/"+c.name, "").Header().Get("ETag"); c.status == 200 && got != w.Header().Get("ETag") {
			t.Errorf("%d: the answer's ETag is %s, then %s", i, w.Header().Get("ETag"), got)
		}
	}
	tag = ask(t, h, "GET", "/v1/limits/api", "").Header().Get("ETag")
	if w := ask(t, h, "DELETE", "/v1/limits/api", "", "If-Match", tag); w.Code != 200 {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
}

// Of two who have seen the same and change it at once, one is told. The first change does not
// hold yet when the second comes.
func TestOfTwoConditionalChangesAtOnceOneIsRefused(t *testing.T) {
	n := open(t, node.Config{Limits: map[string]node.Policy{"api": {Limit: 5, Window: time.Minute}}})
	h := httpapi.New(httpapi.Config{Node: n, Loopback: true})
	tag := ask(t, h, "GET", "/v1/limits/api", "").Header().Get("ETag")
	status := make([]int, 2)
	var both sync.WaitGroup
	for i := range status {
		both.Go(func() {
			status[i] = ask(t, h, "PUT", "/v1/limits/api", fmt.Sprintf(`{"limit":%d,"window":60}`, 10+i), "If-Match", tag).Code
		})
	}
	both.Wait()
	if status[0]+status[1] != 200+412 {
		t.Errorf("got %v", status)
	}
}

// A client that sends its body too slowly does not hold its connection.
func TestASlowBodyIsRefused(t *testing.T) {
	n := open(t, node.Config{Limit: 5, Window: time.Minute})
	srv := httptest.NewServer(httpapi.New(httpapi.Config{Node: n, ReadWithin: 50 * time.Millisecond}))
	defer srv.Close()
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", srv.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Fprintf(conn, "POST /v1/take HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{"); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusRequestTimeout {
		t.Errorf("got %d", resp.StatusCode)
	}
}
