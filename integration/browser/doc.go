// Package browser tests the dashboard, and the reports of ratelimitctl, in a real browser: Chromium,
// without a screen. It is a module of its own, since the driver is heavy: `make browser-check`.
package browser
