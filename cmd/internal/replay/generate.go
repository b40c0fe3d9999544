package replay

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"time"
)

// The shape of a generated log: two days of a small site.
const (
	generatedDays     = 2
	generatedClients  = 600
	generatedScrapers = 4
	// One line in scraperShare comes from a scraper.
	scraperShare = 4
	// zipfExponent makes few visitors frequent and many rare.
	zipfExponent = 1.2
)

// hours weighs the hours of a day (UTC): quiet at night, busy in the evening.
var hours = [24]int{3, 2, 1, 1, 1, 2, 4, 6, 8, 9, 10, 10, 11, 10, 10, 10, 11, 12, 14, 15, 14, 11, 8, 5}

var (
	pages  = []string{"/", "/articles/", "/articles/clocks", "/articles/counters", "/about", "/feed.xml", "/search?q=limit"}
	assets = []string{"/style.css", "/site.js", "/logo.svg", "/favicon.ico", "/img/graph.png", "/img/team.jpg"}
)

// line is one generated request.
type line struct {
	at            int64 // unix seconds
	client, path  string
	status, bytes int
	agent         string
}

// Generate writes a log of that many lines in the combined format. Visitors come with
// Zipf-distributed frequency, more of them by day than by night, and load a page with its parts.
// A few scrapers fetch page after page for minutes. All addresses are of the ranges for
// documentation. Equal seeds give equal bytes.
func Generate(w io.Writer, seed uint64, lines int) error {
	r := rand.New(rand.NewPCG(seed, 0x10d5)) //nolint:gosec // repeatable on purpose
	zipf := rand.NewZipf(r, zipfExponent, 4, generatedClients-1)
	start := time.Date(2026, time.March, 3, 0, 0, 0, 0, time.UTC).Unix()
	all := make([]line, 0, max(0, lines))
	for scraper := 0; len(all) < lines/scraperShare; scraper++ {
		all = scrape(all, r, start, scraper%generatedScrapers, lines/scraperShare)
	}
	for len(all) < lines {
		all = visit(all, r, start, int(zipf.Uint64()), lines) //nolint:gosec // below generatedClients
	}
	slices.SortStableFunc(all, func(a, b line) int { return cmp.Compare(a.at, b.at) })

	out := bufio.NewWriter(w)
	for _, l := range all {
		_, err := fmt.Fprintf(out, "%s - - [%s] \"GET %s HTTP/1.1\" %d %d \"-\" \"%s\"\n",
			l.client, time.Unix(l.at, 0).UTC().Format(timeLayout), l.path, l.status, l.bytes, l.agent)
		if err != nil {
			return err
		}
	}
	return out.Flush()
}

// visit adds a page and its assets, loaded within seconds.
func visit(all []line, r *rand.Rand, start int64, visitor, limit int) []line {
	at := start + arrival(r)
	client := address(visitor)
	for view := range 1 + r.IntN(4) {
		path := pages[r.IntN(len(pages))]
		all = append(all, line{at, client, path, 200, 2000 + r.IntN(30000), "Mozilla/5.0 (sample)"})
		if view == 0 {
			for _, asset := range assets[:r.IntN(len(assets)+1)] {
				all = append(all, line{at + r.Int64N(2), client, asset, 200, 500 + r.IntN(9000), "Mozilla/5.0 (sample)"})
			}
		}
		at += 3 + r.Int64N(60)
	}
	return all[:min(len(all), limit)]
}

// scrape adds minutes of requests at one to four a second, all from one address.
func scrape(all []line, r *rand.Rand, start int64, scraper, limit int) []line {
	at := start + arrival(r)
	client := fmt.Sprintf("2001:db8::%x", scraper+1)
	perSecond := 1 + r.IntN(4)
	for range 60 + r.IntN(120) {
		for range perSecond {
			path := fmt.Sprintf("/articles/?page=%d", r.IntN(5000))
			all = append(all, line{at, client, path, 200, 4000 + r.IntN(20000), "scraper/1.0"})
		}
		at++
	}
	return all[:min(len(all), limit)]
}

// arrival draws a second of the generated days, by the weight of its hour.
func arrival(r *rand.Rand) int64 {
	total := 0
	for _, weight := range hours {
		total += weight
	}
	pick, hour := r.IntN(total), 0
	for pick >= hours[hour] {
		pick -= hours[hour]
		hour++
	}
	return int64(r.IntN(generatedDays))*86400 + int64(hour)*3600 + r.Int64N(3600)
}

// address is the address of a visitor, of the three IPv4 ranges for documentation.
func address(visitor int) string {
	ranges := [...]string{"192.0.2", "198.51.100", "203.0.113"}
	return fmt.Sprintf("%s.%d", ranges[visitor%len(ranges)], 1+visitor/len(ranges)%254)
}
