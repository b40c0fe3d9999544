//go:build race

package racing

// Detected says that the race detector watches.
const Detected = true
