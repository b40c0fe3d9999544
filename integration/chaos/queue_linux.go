package main

import (
	"cmp"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// queuePace is how often the time in the machine's run queue is read. Raising it blames a node for
// what the machine did; lowering it takes CPU from the nodes.
const queuePace = 250 * time.Millisecond

// queue is for how long a process's threads had waited for a CPU, by an instant.
type queue struct {
	at     instant
	waited time.Duration
}

// runQueue adds the threads of a process up: the second number of /proc/PID/schedstat.
func runQueue(pid string) (sum time.Duration) {
	paths, err := filepath.Glob("/proc/" + pid + "/task/*/schedstat")
	if err != nil {
		return 0
	}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			continue // the thread ended
		}
		if fields := strings.Fields(string(text)); len(fields) > 1 {
			n, _ := strconv.ParseInt(fields[1], 10, 64)
			sum += time.Duration(n)
		}
	}
	return sum
}

// waited is for how long a process waited for a CPU between two instants, as far as the readings
// around them tell.
func waited(all []queue, from, to instant) time.Duration {
	if len(all) == 0 {
		return 0
	}
	at := func(t instant) int {
		i, _ := slices.BinarySearchFunc(all, t, func(q queue, t instant) int { return cmp.Compare(q.at, t) })
		return i
	}
	before, after := all[max(0, at(from)-1)], all[min(len(all)-1, at(to))]
	return max(0, after.waited-before.waited) // a process that was started again counts from 0
}
