// Command peers measures this project's decisions beside those of other limiters for Go, in
// one process and one run, and writes the tables of docs/performance.md.
//
// It is a module of its own, so that nobody who embeds a node downloads a competitor. It
// measures CPU time and compares by ratios within a round, because machines are shared.
package main

import (
	"flag"
	"fmt"
	"os"
	"runtime"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "peers:", err)
		os.Exit(1)
	}
}

func run() error {
	rounds := flag.Int("rounds", 9, "rounds of each comparison")
	million := flag.Int("clients", 1_000_000, "clients of the largest load, and of the memory table")
	into := flag.String("write", "", "the document whose tables to replace")
	flag.Parse()
	if *rounds < 1 || *million < 1 || flag.NArg() > 0 {
		return fmt.Errorf("-rounds and -clients must be at least 1, and there are no arguments")
	}
	tables := where(*rounds)
	costs, err := costTable(*million) // first, while nothing else is in memory
	if err != nil {
		return err
	}
	times, err := timeTable(*rounds, *million)
	if err != nil {
		return err
	}
	others, err := wayTable(*rounds)
	if err != nil {
		return err
	}
	tables += "\nCPU time of one decision as a multiple of the bare limiter's in the same round:\n\n" + times +
		"\nThe same for other algorithms, and other ways to ask a node:\n\n" + others +
		fmt.Sprintf("\nMemory of %d clients, the CPU time of one collection with them, and what a decision allocates:\n\n", *million) + costs
	fmt.Print(tables)
	if *into == "" {
		return nil
	}
	return writeInto(*into, tables)
}

// timeTable has a row for each subject and a column for each load.
func timeTable(rounds, million int) (string, error) {
	all := loads(million)
	t := table{head: []string{"limiter", "version"}}
	for i := range all {
		t.head = append(t.head, all[i].name)
	}
	clients := ids(max(million, 10_000))
	for i := range subjects {
		s := &subjects[i]
		row := []string{s.name, versionOf(s.module)}
		for j := range all {
			l := &all[j]
			fmt.Fprintf(os.Stderr, "%s: %s\n", s.name, l.name)
			_, ratio, err := l.compare(s, rounds, clients[:l.clients])
			if err != nil {
				return "", fmt.Errorf("%s: %w", s.name, err)
			}
			row = append(row, ratio.String())
			runtime.GC()
		}
		t.add(row...)
	}
	return t.String(), nil
}

func costTable(million int) (string, error) {
	t := table{head: []string{"limiter", "bytes a client", "collection, ms", "objects a decision"}}
	clients := ids(million)
	for i := range subjects[1:] {
		s := &subjects[i+1]
		fmt.Fprintf(os.Stderr, "%s: memory\n", s.name)
		bytes, collection, err := memory(s, clients)
		if err != nil {
			return "", fmt.Errorf("%s: %w", s.name, err)
		}
		objects, err := allocations(s, clients[0])
		if err != nil {
			return "", fmt.Errorf("%s: %w", s.name, err)
		}
		t.add(s.name, fmt.Sprintf("%.0f", bytes), fmt.Sprintf("%.0f", float64(collection.Microseconds())/1000), fmt.Sprintf("%.0f", objects))
	}
	// What few limiters can hold at all.
	clients = ids(10 * million)
	fmt.Fprintf(os.Stderr, "%s: memory of %d clients\n", ours, len(clients))
	bytes, collection, err := memory(find(ours), clients)
	if err != nil {
		return "", fmt.Errorf("%s: %w", ours, err)
	}
	t.add(fmt.Sprintf("%s, %d clients", ours, len(clients)), fmt.Sprintf("%.0f", bytes), fmt.Sprintf("%.0f", float64(collection.Microseconds())/1000), "0")
	return t.String(), nil
}
