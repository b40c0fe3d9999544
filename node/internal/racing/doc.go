// Package racing tells tests whether the race detector watches them. Everything is some ten
// times slower then, pools forget at random, and calls that are inlined otherwise allocate.
package racing
