package doors

import (
	"bufio"
	"context"
	"errors"
	"net"
	"net/http"
	"strings"
	"time"

	"connectrpc.com/connect"
	"github.com/gin-gonic/gin"
	"github.com/go-chi/chi/v5"
	"github.com/gofiber/fiber/v3"
	"github.com/grpc-ecosystem/go-grpc-middleware/v2/interceptors/ratelimit"
	"github.com/labstack/echo/v5"
	"github.com/modelcontextprotocol/go-sdk/mcp"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/grpclimit"
	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/httplimit"
)

// Each function below stands in docs/doors.md as it is here.

func withChi(limited func(http.Handler) http.Handler) *chi.Mux {
	r := chi.NewRouter()
	r.Use(limited)
	return r
}

func withEcho(limited func(http.Handler) http.Handler) *echo.Echo {
	e := echo.New()
	e.Use(echo.WrapMiddleware(limited))
	return e
}

func withGin(limited func(http.Handler) http.Handler) gin.HandlerFunc {
	return func(c *gin.Context) {
		passed, own := false, c.Writer
		limited(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			passed, c.Request, c.Writer = true, r, ginWriter{own, w}
			if c.Next(); !own.Written() {
				w.WriteHeader(own.Status())
			}
		})).ServeHTTP(own, c.Request)
		if c.Writer = own; !passed {
			c.Abort()
		}
	}
}

// ginWriter is gin's writer that writes through the middleware's, which counts what it writes.
type ginWriter struct {
	gin.ResponseWriter
	through http.ResponseWriter
}

func (w ginWriter) WriteHeaderNow() {
	if !w.Written() {
		w.through.WriteHeader(w.Status())
	}
	w.ResponseWriter.WriteHeaderNow()
}

func (w ginWriter) Write(b []byte) (int, error) {
	w.WriteHeaderNow()
	return w.through.Write(b)
}

func (w ginWriter) WriteString(s string) (int, error) { return w.Write([]byte(s)) }

func (w ginWriter) Flush() {
	w.WriteHeaderNow()
	w.ResponseWriter.Flush()
}

func (w ginWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return http.NewResponseController(w.through).Hijack()
}

func withFiber(api *node.Limiter) fiber.Handler {
	return func(c fiber.Ctx) error {
		client := strings.Clone(c.IP()) // fiber uses its memory again; behind proxies, set its TrustProxy
		d := api.Take(client, 1)
		fields := http.Header{}
		httplimit.SetFields(fields, d)
		for name := range fields {
			c.Set(name, fields.Get(name))
		}
		if !d.Allowed {
			return c.SendStatus(http.StatusTooManyRequests)
		}
		return c.Next()
	}
}

func withConnect(api *node.Limiter) connect.UnaryInterceptorFunc {
	return func(next connect.UnaryFunc) connect.UnaryFunc {
		return func(ctx context.Context, req connect.AnyRequest) (connect.AnyResponse, error) {
			d := api.Take(req.Header().Get("X-Api-Key"), 1) // which a handler before has checked
			if d.Allowed {
				return next(ctx, req)
			}
			err := connect.NewError(connect.CodeResourceExhausted, errors.New("rate limit "+d.Limit))
			httplimit.SetFields(err.Meta(), d)
			if wait, e := connect.NewErrorDetail(&errdetails.RetryInfo{RetryDelay: durationpb.New(d.RetryAfter)}); e == nil {
				err.AddDetail(wait)
			}
			return nil, err
		}
	}
}

func withGRPCMiddleware(limits *grpclimit.Interceptors) grpc.ServerOption {
	return grpc.ChainUnaryInterceptor(ratelimit.UnaryServerInterceptor(limits))
}

// withMCP limits the tools of an MCP server by the user of the bearer token. Costs is what a
// call of each tool takes; one that it does not name takes 1.
func withMCP(tools *node.Limiter, costs map[string]int64) mcp.Middleware {
	return func(next mcp.MethodHandler) mcp.MethodHandler {
		return func(ctx context.Context, method string, req mcp.Request) (mcp.Result, error) {
			call, ok := req.(*mcp.CallToolRequest)
			if !ok {
				return next(ctx, method, req)
			}
			user := "" // without a token: a node denies an empty client
			if extra := req.GetExtra(); extra != nil && extra.TokenInfo != nil {
				user = extra.TokenInfo.UserID
			}
			d := tools.Take(user, max(1, costs[call.Params.Name]))
			if d.Allowed {
				return next(ctx, method, req)
			}
			text := "rate limit " + d.Limit + ": try again in " + d.RetryAfter.Round(time.Second).String()
			return &mcp.CallToolResult{IsError: true, Content: []mcp.Content{&mcp.TextContent{Text: text}}}, nil
		}
	}
}
