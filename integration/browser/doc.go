// Package browser tests the dashboard in a real browser, Chromium, without a screen. It is a
// module of its own, since the driver is heavy: `make browser-check`.
package browser
