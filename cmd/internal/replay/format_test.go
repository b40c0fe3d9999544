package replay

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// Parts of the lines below.
const (
	bom     = "\ufeff"
	stamp   = `[17/May/2026:10:05:03 +0000]`
	request = ` "GET / HTTP/1.1" 200 512 "-" "curl/8"`
	plain   = ` - - ` + stamp + request
	// rfc3164 and rfc5424 are prefixes of syslog.
	rfc3164 = `<190>May 17 10:05:03 web-1 nginx: `
	rfc5424 = `<190>1 2026-05-17T10:05:03.123Z web-1 nginx 123 - - `
)

// A line is read under a format that says it all, or it is bad: never is it credited to
// somebody who did not make the request.
func TestALineOfANeighbouringFormatIsNotSomebodyElsesRequest(t *testing.T) {
	for _, c := range []struct {
		name, line string
		format     Format // that is recognised
		client     string // "": the line is bad
	}{
		{"address", `192.0.2.7` + plain, Combined, "192.0.2.7"},
		{"common", `192.0.2.7 - - ` + stamp + ` "GET / HTTP/1.1" 304 -`, Combined, "192.0.2.7"},
		{"user", `192.0.2.7 - alice ` + stamp + request, Combined, "192.0.2.7"},
		{"host", `crawler.example` + plain, Combined, "crawler.example"},
		{"host of one label", `localhost` + plain, Combined, "localhost"},
		{"IPv6", `2001:db8::1` + plain, Combined, "2001:db8::1"},
		{"IPv6 in other letters", `2001:DB8:0:0::0001` + plain, Combined, "2001:db8::1"},
		{"IPv4 in IPv6", `::ffff:192.0.2.7` + plain, Combined, "192.0.2.7"},
		{"IPv4 behind NAT64", `64:ff9b::192.0.2.7` + plain, Combined, "192.0.2.7"},
		{"IPv4 behind NAT64, in brackets, with a port", `[64:FF9B:0::c000:207]:443` + plain, Combined, "192.0.2.7"},
		{"IPv4 in brackets", `[192.0.2.7]:443` + plain, Combined, "192.0.2.7"},
		{"zone", `fe80::1%eth0` + plain, Combined, "fe80::1"},
		{"address and port", `192.0.2.7:54321` + plain, Combined, "192.0.2.7"},
		{"bracketed address", `[2001:db8::1]` + plain, Combined, "2001:db8::1"},
		{"bracketed address and port", `[2001:DB8::1]:443` + plain, Combined, "2001:db8::1"},
		{"byte order mark", bom + `192.0.2.7` + plain, Combined, "192.0.2.7"},
		{"one more field at the end", `192.0.2.7` + plain + ` "198.51.100.1"`, Combined, "192.0.2.7"},

		{"site and port", `www.example.com:443 192.0.2.7` + plain, Vhost, "192.0.2.7"},
		{"site", `www.example.com 192.0.2.7` + plain, Vhost, "192.0.2.7"},
		{"site, IPv6", `www.example.com:80 2001:db8::1` + plain, Vhost, "2001:db8::1"},
		{"site, IPv4 behind NAT64", `www.example.com:80 64:ff9b::c000:207` + plain, Vhost, "192.0.2.7"},
		{"site and user", `www.example.com:80 192.0.2.7 - alice ` + stamp + request, Vhost, "192.0.2.7"},
		{"byte order mark, site", bom + `www.example.com:443 192.0.2.7` + plain, Vhost, "192.0.2.7"},

		{"syslog", rfc3164 + `192.0.2.7` + plain, Syslog, "192.0.2.7"},
		{"syslog without priority", `May  7 10:05:03 web-1 nginx[12]: 192.0.2.7` + plain, Syslog, "192.0.2.7"},
		{"syslog without a host", `<190>May 17 10:05:03 nginx: 192.0.2.7` + plain, Syslog, "192.0.2.7"},
		{"syslog with an ISO time", `2026-05-17T10:05:03.123456+02:00 web-1 nginx: 2001:db8::1` + plain, Syslog, "2001:db8::1"},
		{"syslog of 2009", rfc5424 + `192.0.2.7` + plain, Syslog, "192.0.2.7"},
		{"syslog of 2009 without a process", `<190>1 - web-1 nginx - - - 192.0.2.7` + plain, Syslog, "192.0.2.7"},
		{"syslog of 2009 with data", `<190>1 2026-05-17T10:05:03Z web-1 nginx - - [a b="]\"c"][d] 192.0.2.7` + plain, Syslog, "192.0.2.7"},
		{"syslog of 2009 with a byte order mark", rfc5424 + bom + `192.0.2.7` + plain, Syslog, "192.0.2.7"},

		{"JSON", `{"time":"2026-05-17T10:05:03Z","remote_addr":"192.0.2.7","status":200}`, JSON, "192.0.2.7"},
		{"JSON, time as in combined", `{"time_local":"17/May/2026:10:05:03 +0000","remote_addr":"192.0.2.7","status":"200"}`, JSON, "192.0.2.7"},
		{"JSON, time as a number", `{"msec":1779012303.000,"remote_addr":"192.0.2.7","status":200}`, JSON, "192.0.2.7"},
		{"JSON, milliseconds", `{"ts":1779012303000,"ip":"192.0.2.7","status":200}`, JSON, "192.0.2.7"},
		{"JSON of Caddy", `{"level":"info","ts":1779012303.0,"logger":"http.log.access","request":{"remote_ip":"10.0.0.1","remote_port":"4","client_ip":"192.0.2.7","host":"example.com"},"status":200}`, JSON, "192.0.2.7"},
		{"JSON of Traefik", `{"ClientAddr":"192.0.2.7:5432","ClientHost":"192.0.2.7","StartUTC":"2026-05-17T10:05:03Z","DownstreamStatus":200}`, JSON, "192.0.2.7"},
		{"JSON of Elastic", `{"@timestamp":"2026-05-17T10:05:03.000Z","client":{"ip":"2001:DB8::1"},"http":{"response":{"status_code":404}}}`, JSON, "2001:db8::1"},
		{"JSON, address and port", `{"time":"2026-05-17T10:05:03Z","remote_addr":"[2001:db8::1]:443","status":200}`, JSON, "2001:db8::1"},
		{"JSON, IPv4 behind NAT64", `{"time":"2026-05-17T10:05:03Z","remote_addr":"64:ff9b::c000:207","status":200}`, JSON, "192.0.2.7"},
		{"byte order mark, JSON", bom + `{"time":"2026-05-17T10:05:03Z","remote_addr":"192.0.2.7","status":200}`, JSON, "192.0.2.7"},

		{"no address", plain, "", ""},
		{"unknown address", `-` + plain, "", ""},
		{"quoted address", `"192.0.2.7"` + plain, "", ""},
		{"quoted list", `"192.0.2.7, 10.0.0.1"` + plain, "", ""},
		{"list", `192.0.2.7, 10.0.0.1` + plain, "", ""},
		{"list without a blank", `192.0.2.7,10.0.0.1` + plain, "", ""},
		{"list and a field less", `192.0.2.7, 10.0.0.1 - ` + stamp + request, "", ""},
		{"socket", `unix:` + plain, "", ""},
		{"address out of range", `192.0.2.700` + plain, "", ""},
		{"leading zero", `192.0.2.007` + plain, "", ""},
		{"address and no such port", `192.0.2.7:99999` + plain, "", ""},
		{"half an address", `192.0.2` + plain, "", ""},
		{"number", `4711` + plain, "", ""},
		{"host and port", `www.example.com:443` + plain, "", ""},
		{"leading blank", ` 192.0.2.7` + plain, "", ""},
		{"counted", `     12 192.0.2.7` + plain, "", ""},
		{"two addresses", `10.0.0.1 192.0.2.7` + plain, "", ""},
		{"address and port, then another", `192.0.2.7:54321 10.0.0.1` + plain, "", ""},
		{"client, then its site", `192.0.2.7 www.example.com` + plain, "", ""},
		{"site and address, a field less", `www.example.com 192.0.2.7 - ` + stamp + request, "", ""},
		{"address as the user", `proxy.example - 192.0.2.7 ` + stamp + request, "", ""},
		{"user with a blank", `192.0.2.7 - Alice B. ` + stamp + request, "", ""},
		{"a field less", `192.0.2.7 - ` + stamp + request, "", ""},
		{"no field before the time", `192.0.2.7 ` + stamp + request, "", ""},
		{"a field between time and request", `192.0.2.7 - - ` + stamp + ` 0.003` + request, "", ""},
		{"container prefix", `web_1  | 192.0.2.7` + plain, "", ""},
		{"container time", `2026-05-17T10:05:03.123456789Z 192.0.2.7` + plain, "", ""},
		{"container stream", `2026-05-17T10:05:03.123456789Z stdout F 192.0.2.7` + plain, "", ""},
		{"file name of a search", `access.log:192.0.2.7` + plain, "", ""},
		{"syslog, list", rfc3164 + `192.0.2.7, 10.0.0.1` + plain, "", ""},
		{"syslog, site", rfc3164 + `www.example.com:80 192.0.2.7` + plain, "", ""},
		{"syslog, other program", rfc3164 + `worker 4 exited`, "", ""},
		{"syslog of 2009, data without an end", `<190>1 - web-1 nginx - - [a b="` + ` 192.0.2.7` + plain, "", ""},
		{"HAProxy", `May 17 10:05:03 lb haproxy[14]: 192.0.2.7:33317 [17/May/2026:10:05:03.655] in s/a 10/0/30/69/109 200 2750 - - ---- 1/1/1/1/0 0/0 "GET / HTTP/1.1"`, "", ""},
		{"object store", `79a5 bucket [17/May/2026:10:05:03 +0000] 192.0.2.7 79a5 3E57 REST.GET.OBJECT k "GET / HTTP/1.1" 200 - 113 - 7 - "-" "S3" -`, "", ""},
		{"IIS", `2026-05-17 10:05:03 10.0.0.1 GET / - 80 - 192.0.2.7 curl 200 0 0 5`, "", ""},
		{"JSON, list", `{"time":"2026-05-17T10:05:03Z","remote_addr":"192.0.2.7, 10.0.0.1","status":200}`, "", ""},
		{"JSON, no status", `{"time":"2026-05-17T10:05:03Z","remote_addr":"192.0.2.7","msg":"started"}`, "", ""},
		{"JSON, no zone", `{"time":"2026-05-17T10:05:03","remote_addr":"192.0.2.7","status":200}`, "", ""},
		{"JSON, no address", `{"time":"2026-05-17T10:05:03Z","client":"alice","status":200}`, "", ""},
		{"JSON, cut off", `{"time":"2026-05-17T10:05:03Z","remote_addr":"192.0.2.7","status":200`, "", ""},
		{"JSON, two in one line", `{"time":"2026-05-17T10:05:03Z","remote_addr":"192.0.2.7","status":200}{}`, "", ""},
		{"JSON in a list", `[{"time":"2026-05-17T10:05:03Z","remote_addr":"192.0.2.7","status":200}]`, "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			log, err := Read(strings.NewReader(c.line+"\n"), Auto, 0)
			if err != nil {
				t.Fatal(err)
			}
			if c.client == "" {
				if log.Bad != 1 || len(log.Clients) > 0 || len(log.BadSamples) != 1 {
					t.Errorf("not bad: %+v", log)
				}
				return
			}
			at := time.Date(2026, time.May, 17, 10, 5, 3, 0, time.UTC).UnixNano()
			if log.Bad != 0 || len(log.Clients) != 1 || log.Clients[0] != c.client || log.Format != c.format || log.Requests[0].At != at {
				t.Errorf("got %+v, want %s of %s", log, c.client, c.format)
			}
			for _, f := range Formats()[1:] {
				log, err := Read(strings.NewReader(c.line), f, 0)
				if read := err == nil && log.Bad == 0; read != (f == c.format) || log.Format != f {
					t.Errorf("told %s: %+v, %v", f, log, err)
				}
			}
		})
	}
}

// Lines that could be of two kinds count once the file, or the operator, says which.
func TestAFileHasOneFormat(t *testing.T) {
	const local = `127.0.1.1:80 192.0.2.7` + plain + "\n" // Apache's, for a site without a name
	site := `www.example.com:80 192.0.2.8` + plain + "\n"
	other := `192.0.2.9` + plain + "\n"
	for _, c := range []struct {
		name, text string
		told       Format
		format     Format
		clients    string
		bad        int
	}{
		{"sites, some without a name", site + local + site, Auto, Vhost, "192.0.2.8 192.0.2.7", 0},
		{"only sites without a name", local, Auto, Auto, "", 1},
		{"told", local, Vhost, Vhost, "192.0.2.7", 0},
		{"told, a name as the client", `www.example.com:80 crawler.example` + plain, Vhost, Vhost, "crawler.example", 0},
		{"told, client before its site", `192.0.2.7 www.example.com` + plain, Vhost, Vhost, "", 1},
		{"another kind first", other + site + site, Auto, Vhost, "192.0.2.8", 1},
		{"another kind at the end", other + other + site, Auto, Combined, "192.0.2.9", 1},
		{"comments first", strings.Repeat("# a comment\n", 2*sampled) + site, Auto, Vhost, "192.0.2.8", 2 * sampled},
		{"marks where files were put together", bom + other + bom + other, Auto, Combined, "192.0.2.9", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			log, err := Read(strings.NewReader(c.text), c.told, 0)
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(log.Clients, " "); log.Format != c.format || got != c.clients || log.Bad != c.bad {
				t.Errorf("got %s, %q, %d bad; want %s, %q, %d", log.Format, got, log.Bad, c.format, c.clients, c.bad)
			}
		})
	}
}

func TestBadLinesAreShown(t *testing.T) {
	text := "one\n" + entry("192.0.2.7", 3) + strings.Repeat("x", longestLine+10) + "\nthree\x1b[31m\nfour\n"
	log, err := Read(strings.NewReader(text), Auto, 0)
	if err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprint([]BadLine{{1, "one"}, {3, strings.Repeat("x", shownBytes) + "…"}, {4, "three\x1b[31m"}})
	if got := fmt.Sprint(log.BadSamples); got != want || log.Bad != 4 {
		t.Errorf("got %d, %s\nwant %s", log.Bad, got, want)
	}
	r, err := Run(t.Context(), log, config(1))
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := r.Print(&out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"combined", "4 unreadable lines", `line 1: "one"`, `line 4: "three\x1b[31m"`} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%s is missing in:\n%s", want, out.String())
		}
	}
}

func TestALogWithoutARequestSaysWhatItIs(t *testing.T) {
	for told, want := range map[Format][]string{
		Auto:  {"2 lines", "combined, vhost, syslog or json", `line 1: "GET /"`},
		Vhost: {"2 lines", "vhost", `line 1: "GET /"`},
	} {
		log, err := Read(strings.NewReader("GET /\nGET /\n"), told, 0)
		if err != nil {
			t.Fatal(err)
		}
		_, err = Run(t.Context(), log, config(1))
		if err == nil {
			t.Fatal("there is nothing to replay")
		}
		for _, w := range want {
			if !strings.Contains(err.Error(), w) {
				t.Errorf("%s: %q is missing in %v", told, w, err)
			}
		}
	}
}

// Times that are finer than seconds are as they are.
func TestFineTimesAreNotSpread(t *testing.T) {
	line := func(client, at string) string {
		return fmt.Sprintf(`{"time":"2026-05-17T10:05:%sZ","ip":%q,"status":200}`+"\n", at, client)
	}
	log, err := Read(strings.NewReader(line("192.0.2.1", "03.25")+line("192.0.2.2", "03.25")+line("192.0.2.3", "03.5")+line("192.0.2.4", "03")), Auto, 0)
	if err != nil {
		t.Fatal(err)
	}
	second := time.Date(2026, time.May, 17, 10, 5, 3, 0, time.UTC)
	var got []string
	for _, r := range log.Requests {
		got = append(got, fmt.Sprintf("%s %v", log.Clients[r.Client], time.Unix(0, r.At).Sub(second)))
	}
	if s, want := strings.Join(got, ", "), "192.0.2.4 0s, 192.0.2.1 250ms, 192.0.2.2 250ms, 192.0.2.3 500ms"; s != want {
		t.Errorf("got  %s\nwant %s", s, want)
	}
}

func TestAFormatIsAFlag(t *testing.T) {
	for _, f := range Formats() {
		var got Format
		if err := got.Set(string(f)); err != nil || got != f || got.String() != string(f) {
			t.Errorf("%s: %q, %v", f, got, err)
		}
	}
	f := Auto
	for _, text := range []string{"", "clf", "JSON", "combined "} {
		if err := f.Set(text); err == nil || !strings.Contains(err.Error(), "auto, combined, vhost, syslog or json") || f != Auto {
			t.Errorf("%q: %q, %v", text, f, err)
		}
	}
}

// No line is of two formats, so that it does not matter which is tried first.
func FuzzALineIsOfOneFormat(f *testing.F) {
	f.Add(`192.0.2.7` + plain)
	f.Add(`www.example.com:443 192.0.2.7` + plain)
	f.Add(rfc3164 + `192.0.2.7` + plain)
	f.Add(rfc5424 + `192.0.2.7` + plain)
	f.Add(`{"ts":1779012303.5,"ip":"192.0.2.7","status":200}`)
	f.Add(`192.0.2.7 - - [17/May/2026:10:05:03 +0000] "\"\\`)
	f.Fuzz(func(t *testing.T, line string) {
		read := 0
		for _, f := range Formats()[1:] {
			client, at, ok := f.parse(line)
			if ok != (client != "") || ok != (at.Unix() > 0) {
				t.Errorf("%q as %s: half a result: %q, %v, %v", line, f, client, at, ok)
			}
			if ok && at.UnixNano() <= 0 {
				t.Errorf("%q as %s: %v cannot be told in nanoseconds", line, f, at)
			}
			if ok {
				read++
			}
		}
		if read > 1 {
			t.Errorf("%q is of %d formats", line, read)
		}
	})
}
