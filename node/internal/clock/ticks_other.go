//go:build !amd64

package clock

const hasTicks = false

func ticks() uint64 { return 0 }

func ticksBehind() uint64 { return 0 }
