// Package dashboard serves a page that shows a node at work, live. It tells whether the cluster is
// healthy and why not, who is denied and why, how wrong the count can be, and what changed in the
// last hour.
//
//	log := dashboard.NewLog()
//	n, err := node.Open(ctx, node.Config{Logger: slog.New(log.Handler(handler)), ...})
//	d := dashboard.New(dashboard.Config{Node: n, Log: log})
//	defer d.Close()
//	api := httpapi.New(httpapi.Config{Node: n, Dashboard: d, AdminToken: token})
//	mux.Handle("/ratelimit/", http.StripPrefix("/ratelimit", api))
//
// The handler answers three paths: / is the page, /ui/{file} are its files, and /v1/events is the
// stream that moves it. Package httpapi mounts all three, guards them, and answers what the page
// asks beside them: /v1/explain and /v1/limits. All of the page's addresses are relative, so that
// it works under any prefix. It loads nothing from elsewhere, and its content security policy
// allows nothing inline.
//
// # The stream
//
// /v1/events is text/event-stream. Each event is named tick, and its data is one JSON object: the
// state of this moment, the points of the charts and the entries of the log that came since the
// event before. The first event has the last ten minutes. A browser that reconnects sends the id
// of its last event, and misses nothing. ?limit=NAME selects the limit whose clients and bound it
// shows; without it, the busiest one.
//
// A slow reader costs nothing: each stream holds one event, and a reader that comes late gets the
// points that it missed with the next one. At most [MaxStreams] streams run at once.
//
// # Cost
//
// A dashboard reads Node.Stats once a second, and the lists of the heaviest clients every five
// seconds, whether or not anybody looks. It holds the last ten minutes of the 64 busiest limits,
// at most 2 MB, and the last 300 entries of the log. A stream adds a look at 40 clients a second.
package dashboard
