package doors

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"
	"github.com/dunglas/httpsfv"
	"github.com/gin-gonic/gin"
	"github.com/gofiber/fiber/v3"
	"github.com/labstack/echo/v5"
	"github.com/modelcontextprotocol/go-sdk/auth"
	"github.com/modelcontextprotocol/go-sdk/mcp"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/grpclimit"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/httplimit"
)

// open makes a node with a limit of 2 a minute.
func open(t *testing.T) *node.Node {
	t.Helper()
	at := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	n, err := node.Open(t.Context(), node.Config{Limit: 2, Window: time.Minute, Now: func() time.Time { return at }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = n.Close() })
	return n
}

func middleware(t *testing.T) func(http.Handler) http.Handler {
	t.Helper()
	limited, err := httplimit.New(httplimit.Config{Limiter: open(t), Key: httplimit.ByRemoteAddr()})
	if err != nil {
		t.Fatal(err)
	}
	return limited
}

// twoPass checks that the handler admits two requests, denies the third, and tells in each
// answer where the client stands.
func twoPass(t *testing.T, do func(*http.Request) *http.Response) {
	t.Helper()
	for i := range 4 {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://localhost/hello", http.NoBody)
		resp := do(r)
		var body bytes.Buffer
		_, _ = body.ReadFrom(resp.Body)
		_ = resp.Body.Close()
		passed := i < 2
		if passed != (resp.StatusCode == http.StatusOK) || !passed && resp.StatusCode != http.StatusTooManyRequests || passed != (body.String() == "hello") {
			t.Errorf("request %d: got %d %q", i, resp.StatusCode, body.String())
		}
		fields(t, resp.Header, passed)
	}
}

func fields(t *testing.T, h http.Header, passed bool) {
	t.Helper()
	for _, name := range []string{"RateLimit", "RateLimit-Policy"} {
		if list, err := httpsfv.UnmarshalList(h.Values(name)); err != nil || len(list) != 1 {
			t.Errorf("%s %q: %v", name, h.Values(name), err)
		}
	}
	if got := h.Get("Retry-After"); (got == "30") == passed {
		t.Errorf("passed is %v, Retry-After %q", passed, got)
	}
}

func serve(h http.Handler) func(*http.Request) *http.Response {
	return func(r *http.Request) *http.Response {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w.Result()
	}
}

func hello(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("hello")) }

func TestChi(t *testing.T) {
	r := withChi(middleware(t))
	r.Get("/hello", hello)
	twoPass(t, serve(r))
}

func TestEcho(t *testing.T) {
	e := withEcho(middleware(t))
	e.GET("/hello", func(c *echo.Context) error { return c.String(http.StatusOK, "hello") })
	twoPass(t, serve(e))
}

func TestGin(t *testing.T) {
	gin.SetMode(gin.ReleaseMode)
	e := gin.New()
	e.Use(withGin(middleware(t)))
	e.GET("/hello", func(c *gin.Context) { c.String(http.StatusOK, "hello") })
	twoPass(t, serve(e))
}

// Config.After is told what the frameworks' handlers answer.
func TestTheAnswersOfFrameworksHaveTheirCost(t *testing.T) {
	gin.SetMode(gin.ReleaseMode)
	for name, build := range map[string]func(limited func(http.Handler) http.Handler) http.Handler{
		"chi": func(limited func(http.Handler) http.Handler) http.Handler {
			r := withChi(limited)
			r.Get("/text", func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusTeapot); hello(w, r) })
			r.Get("/status", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusAccepted) })
			return r
		},
		"echo": func(limited func(http.Handler) http.Handler) http.Handler {
			e := withEcho(limited)
			e.GET("/text", func(c *echo.Context) error { return c.String(http.StatusTeapot, "hello") })
			e.GET("/status", func(c *echo.Context) error { return c.NoContent(http.StatusAccepted) })
			return e
		},
		"gin": func(limited func(http.Handler) http.Handler) http.Handler {
			e := gin.New()
			e.Use(withGin(limited))
			e.GET("/text", func(c *gin.Context) { c.Status(http.StatusOK); c.String(http.StatusTeapot, "hello") })
			e.GET("/status", func(c *gin.Context) { c.Status(http.StatusAccepted) })
			e.GET("/stream", func(c *gin.Context) {
				c.Status(http.StatusAccepted)
				c.Writer.Flush()
				_, _ = c.Writer.WriteString("hello")
			})
			e.GET("/socket", func(c *gin.Context) {
				if conn, _, err := c.Writer.Hijack(); err == nil {
					_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n")
					_ = conn.Close()
				}
			})
			return e
		},
	} {
		answers := make(chan httplimit.Answer, 1) // a client can have the answer before After is told
		limited, err := httplimit.New(httplimit.Config{Limiter: open(t), Key: httplimit.ByFunc("path", func(r *http.Request) (string, error) { return r.URL.Path, nil }), After: func(a httplimit.Answer) int64 {
			answers <- a
			return 2
		}})
		if err != nil {
			t.Fatal(err)
		}
		srv := httptest.NewServer(build(limited))
		for path, want := range map[string]struct {
			status int
			bytes  int64
			body   string
		}{
			"/text": {418, 5, "hello"}, "/status": {202, 0, ""}, "/stream": {202, 5, "hello"}, "/socket": {101, 0, ""}, "/nothing": {404, -1, ""},
		} {
			switch {
			case name != "gin" && (path == "/stream" || path == "/socket"):
				continue
			case name == "echo" && path == "/nothing":
				want.status = 200 // echo answers an error once the middleware has returned
			}
			r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, srv.URL+path, http.NoBody)
			if err != nil {
				t.Fatal(err)
			}
			var body bytes.Buffer
			resp, err := srv.Client().Do(r)
			if err != nil {
				t.Fatal(err)
			}
			_, _ = body.ReadFrom(resp.Body) // of a connection that was taken over, with an error
			_ = resp.Body.Close()
			if resp.StatusCode != want.status && path != "/nothing" || want.body != "" && body.String() != want.body || path == "/nothing" && body.Len() == 0 {
				t.Errorf("%s %s: got %v %q", name, path, err, &body)
			}
			if got := <-answers; got.Status != want.status || want.bytes >= 0 && got.Bytes != want.bytes {
				t.Errorf("%s %s: After is told %d with %d bytes", name, path, got.Status, got.Bytes)
			}
		}
		srv.Close()
	}
}

func TestFiber(t *testing.T) {
	app := fiber.New()
	app.Use(withFiber(open(t).MustLimiter("default")))
	app.Get("/hello", func(c fiber.Ctx) error { return c.SendString("hello") })
	twoPass(t, func(r *http.Request) *http.Response {
		resp, err := app.Test(r, fiber.TestConfig{Timeout: 30 * time.Second})
		if err != nil {
			t.Fatal(err)
		}
		// fiber says what it has no text for, too.
		if resp.StatusCode == http.StatusTooManyRequests {
			resp.Body = http.NoBody
		}
		return resp
	})
}

func TestConnect(t *testing.T) {
	h := connect.NewUnaryHandler("/test/Hello", func(context.Context, *connect.Request[emptypb.Empty]) (*connect.Response[emptypb.Empty], error) {
		return connect.NewResponse(&emptypb.Empty{}), nil
	}, connect.WithInterceptors(withConnect(open(t).MustLimiter("default"))))
	srv := httptest.NewServer(h)
	defer srv.Close()
	client := connect.NewClient[emptypb.Empty, emptypb.Empty](srv.Client(), srv.URL+"/test/Hello")
	for i := range 3 {
		req := connect.NewRequest(&emptypb.Empty{})
		req.Header().Set("X-Api-Key", "abc")
		_, err := client.CallUnary(t.Context(), req)
		if i < 2 {
			if err != nil {
				t.Fatal(err)
			}
			continue
		}
		var refused *connect.Error
		if !errors.As(err, &refused) || refused.Code() != connect.CodeResourceExhausted || len(refused.Details()) != 1 {
			t.Fatalf("got %v", err)
		}
		wait, err := refused.Details()[0].Value()
		if info, ok := wait.(*errdetails.RetryInfo); err != nil || !ok || info.GetRetryDelay().AsDuration() != 30*time.Second {
			t.Errorf("got %v, %v", wait, err)
		}
		fields(t, refused.Meta(), false)
	}
}

func TestGRPCMiddleware(t *testing.T) {
	limits, err := grpclimit.New(grpclimit.Config{Limiter: open(t), Key: grpclimit.ByPeer()})
	if err != nil {
		t.Fatal(err)
	}
	srv := grpc.NewServer(withGRPCMiddleware(limits))
	grpc_health_v1.RegisterHealthServer(srv, health.NewServer())
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = srv.Serve(l) }()
	defer srv.Stop()
	conn, err := grpc.NewClient(l.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for i := range 3 {
		_, err := grpc_health_v1.NewHealthClient(conn).Check(t.Context(), &grpc_health_v1.HealthCheckRequest{})
		if want := []codes.Code{codes.OK, codes.OK, codes.ResourceExhausted}[i]; status.Code(err) != want {
			t.Errorf("call %d: got %v", i, err)
		}
	}
}

// An MCP server's tools count by the user of the token, and by what each tool costs.
func TestMCP(t *testing.T) {
	tools := open(t).MustLimiter("default")
	server := mcp.NewServer(&mcp.Implementation{Name: "test", Version: "v1"}, nil)
	answer := func(context.Context, *mcp.CallToolRequest, struct{}) (*mcp.CallToolResult, any, error) {
		return &mcp.CallToolResult{Content: []mcp.Content{&mcp.TextContent{Text: "done"}}}, nil, nil
	}
	mcp.AddTool(server, &mcp.Tool{Name: "look"}, answer)
	mcp.AddTool(server, &mcp.Tool{Name: "draw"}, answer)
	server.AddReceivingMiddleware(withMCP(tools, map[string]int64{"draw": 2}))
	verify := func(_ context.Context, token string, _ *http.Request) (*auth.TokenInfo, error) {
		return &auth.TokenInfo{UserID: token, Expiration: time.Now().Add(time.Hour)}, nil
	}
	srv := httptest.NewServer(auth.RequireBearerToken(verify, nil)(mcp.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return server }, nil)))
	t.Cleanup(srv.Close) // after the sessions, which hold connections
	session := func(token string) *mcp.ClientSession {
		client := mcp.NewClient(&mcp.Implementation{Name: "client", Version: "v1"}, nil)
		s, err := client.Connect(t.Context(), &mcp.StreamableClientTransport{Endpoint: srv.URL, HTTPClient: &http.Client{Transport: bearer(token)}}, nil)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		return s
	}
	ann, ben := session("ann"), session("ben")
	for i, c := range []struct {
		by   *mcp.ClientSession
		tool string
		want string
	}{
		{ann, "look", "done"},
		{ann, "draw", "rate limit default: try again in 30s"},
		{ann, "look", "done"},
		{ann, "look", "rate limit default: try again in 30s"},
		{ben, "draw", "done"},
		{ben, "look", "rate limit default: try again in 30s"},
	} {
		got, err := c.by.CallTool(t.Context(), &mcp.CallToolParams{Name: c.tool})
		if err != nil {
			t.Fatal(err)
		}
		text, _ := got.Content[0].(*mcp.TextContent)
		if text == nil || text.Text != c.want || got.IsError != (c.want != "done") {
			t.Errorf("call %d: got %+v", i, text)
		}
	}
	if _, err := ann.ListTools(t.Context(), nil); err != nil {
		t.Errorf("what is no call of a tool is limited: %v", err)
	}
}

// bearer sends a token with each request.
type bearer string

func (b bearer) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", "Bearer "+string(b))
	return http.DefaultTransport.RoundTrip(r)
}

// What the page shows is what runs here.
func TestThePageShowsWhatRuns(t *testing.T) {
	page, err := os.ReadFile("../../docs/doors.md")
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile("frameworks_test.go")
	if err != nil {
		t.Fatal(err)
	}
	functions := regexp.MustCompile(`(?ms)^func with.*?^}\n`).FindAllString(string(source), -1)
	if len(functions) != 7 {
		t.Errorf("found %d functions", len(functions))
	}
	_, writer, _ := strings.Cut(string(source), "// ginWriter")
	writer, _, _ = strings.Cut(writer, "\nfunc with")
	for _, f := range append(functions, "// ginWriter"+writer) {
		if !strings.Contains(string(page), "```go\n"+f+"```\n") {
			t.Errorf("docs/doors.md does not show\n%s", f)
		}
	}
}
