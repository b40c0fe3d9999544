package httpapi

import (
	"encoding/json"
	"math"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/node/internal/spec"
)

// byTree reads a body as the tree does, or a query.
func byTree(body, query string, mayAtMost bool) (request, *problem) {
	q := newRequest()
	if query != "" {
		return q, readValues(query, q.flatFields(mayAtMost), q.nested())
	}
	p := parseBody([]byte(body), append(q.flatFields(mayAtMost), q.nested()...))
	return q, p
}

// agree checks that a flat request says what the tree says, and that one which is not flat changes
// nothing.
func agree(t *testing.T, body, query string, mayAtMost bool) (flat bool) {
	t.Helper()
	got := newRequest()
	if query != "" {
		flat = readFlatQuery(query, &got, mayAtMost)
	} else {
		flat = readFlatBody([]byte(body), &got, mayAtMost)
	}
	want := newRequest()
	if flat {
		var p *problem
		if want, p = byTree(body, query, mayAtMost); p != nil {
			t.Fatalf("%q%q is flat, but has a fault: %+v", query, body, p)
		}
	}
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("%q%q: got %+v, want %+v", query, body, got, want)
	}
	return flat
}

func TestFlatRequestsAreReadAsTheTreeReadsThem(t *testing.T) {
	for text, flat := range map[string]bool{
		`{"client":"alice"}`: true, " {\t\"client\" :\r\n\"a b\" , \"limit\":\"api\",\"cost\": 0 ,\"at_most\":false } ": true,
		`{"cost":999999999999999999,"client":"<&>"}`: true, `{"at_most":true,"client":""}`: true, `{"cost":7}`: true,
		`{}`: false, ``: false, `{`: false, `[]`: false, `{"client":"a"`: false, `{"client":"a"}}`: false, `{"client":"a"}x`: false, "{\"client\":\"a\"}\x00": false,
		`{"client":"a",}`: false, `{,"client":"a"}`: false, `{"client":"a" "cost":1}`: false, `{"client":"a","client":"b"}`: false, `{"cost":1,"cost":1}`: false,
		`{"client":"\u0061"}`: false, `{"client":"a\"b"}`: false, `{"client":"é"}`: false, "{\"client\":\"a\tb\"}": false, `{"cli\u0065nt":"a"}`: false,
		`{"client":7}`: false, `{"client":null}`: false, `{"client":true}`: false, `{"client":["a"]}`: false, `{"cost":"7"}`: false, `{"cost":-1}`: false,
		`{"cost":01}`: false, `{"cost":00}`: false, `{"cost":1.0}`: false, `{"cost":1e2}`: false, `{"cost":9223372036854775807}`: false, `{"cost":true}`: false,
		`{"cost":}`: false, `{"at_most":1}`: false, `{"at_most":tru}`: false, `{"at_most":truee}`: false, `{"colour":"red"}`: false, `{"Client":"a"}`: false,
		`{"client":"a","also":[{"limit":"day"}]}`: false, `{"client":"a","policy":{"limit":1}}`: false, "\ufeff{\"client\":\"a\"}": false,
	} {
		if got := agree(t, text, "", true); got != flat {
			t.Errorf("%q: flat %t", text, got)
		}
	}
	for text, flat := range map[string]bool{
		"client=alice": true, "client=a:b@c/d&limit=api&cost=0&at_most=true": true, "client=": true, "cost=007": true, "client=a=b": true, "client=a?b": true,
		"client": false, "client=a&": false, "&client=a": false, "client=a&&cost=1": false, "client=a&client=a": false, "client=a%20b": false, "client=a+b": false,
		"client=a;b": false, "client=\xc3\xa9": false, "client=a b": false, "client=\x7f": false, "cost=": false, "cost=+1": false, "cost=-1": false, "cost=1e1": false,
		"cost=9223372036854775807": false, "at_most=1": false, "at_most=TRUE": false, "colour=red": false, "cl%69ent=a": false, "also=x": false, "=": false,
	} {
		if got := agree(t, "", text, true); got != flat {
			t.Errorf("%q: flat %t", text, got)
		}
	}
	if agree(t, `{"client":"a","at_most":true}`, "", false) || agree(t, "", "client=a&at_most=true", false) {
		t.Error("a field that the request does not have is read")
	}
}

// Whatever is flat says what the tree says.
func FuzzFlat(f *testing.F) {
	for _, text := range []string{
		`{"client":"alice","cost":2}`, `{"client":"a","limit":"api","at_most":true}`, ` { "cost" : 12 } `, "client=alice&cost=2", "limit=api&at_most=false&client=a=b",
	} {
		f.Add(text, true)
		f.Add(text, false)
	}
	f.Fuzz(func(t *testing.T, text string, mayAtMost bool) {
		agree(t, text, "", mayAtMost)
		if text != "" {
			agree(t, "", text, mayAtMost)
		}
	})
}

// FuzzDecisions writes answers, and compares them with what encoding/json writes.
func FuzzDecisions(f *testing.F) {
	f.Add("default", "over_limit", "", int64(0), int64(1), int64(math.MaxInt64), uint8(7))
	f.Add("a\"<&>\\é\u2028\xff\x00", "\n", "note", int64(math.MinInt64), int64(-1), int64(0), uint8(255))
	f.Fuzz(func(t *testing.T, limit, reason, note string, a, b, c int64, has uint8) {
		d := decision{Allowed: has&1 != 0, Limit: limit, RetryAfter: a, ResetAfter: b, Reason: reason, Note: note, Degraded: has&2 != 0}
		if has&4 != 0 {
			d.quota = &quota{Quota: a, Window: b, Burst: c, Remaining: a ^ b}
		}
		if has&8 != 0 {
			d.Cost = &c
		}
		for range has >> 5 {
			one := d
			one.Limits = nil
			d.Limits = append(d.Limits, one)
		}
		want, err := json.Marshal(d)
		if err != nil {
			t.Fatal(err)
		}
		if got := d.append([]byte("x")); string(got) != "x"+string(want) {
			t.Errorf("got  %s\nwant %s", got[1:], want)
		}
	})
}

// A body is read whole, however it arrives, up to the cap and not beyond it.
func TestABodyIsReadWhole(t *testing.T) {
	for _, length := range []int{0, 1, 511, 512, 513, 5000, MaxBody, MaxBody + 1, 3 * MaxBody} {
		for _, known := range []bool{true, false} {
			text := strings.Repeat("x", length)
			r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader(text))
			if !known {
				r.ContentLength = -1
			}
			b := buffers.get()
			p := readAll(httptest.NewRecorder(), r, MaxBody, b)
			if (p != nil) != (length > MaxBody) || p == nil && string(*b) != text || p != nil && p.Status != http.StatusRequestEntityTooLarge {
				t.Errorf("%d bytes, known %t: got %d, %+v", length, known, len(*b), p)
			}
			buffers.put(b)
		}
	}
}

// A value that is kept must not lie in a buffer that the next request overwrites.
func TestWhatIsReadOutlivesItsBuffer(t *testing.T) {
	for _, text := range []string{`{"client":"alice","limit":"api"}`, `{"client":"alice","limit":"api","also":[{"limit":"day"}]}`} {
		b := []byte(text)
		q := newRequest()
		if !readFlatBody(b, &q, true) {
			if p := parseBody(b, append(q.flatFields(true), q.nested()...)); p != nil {
				t.Fatal(p.Detail)
			}
		}
		clear(b)
		if q.client != "alice" || q.limit != "api" || len(q.also) > 0 && q.also[0].Limit != "day" {
			t.Errorf("%s: got %+v", text, q)
		}
	}
}

// A name that is known costs no error for an unknown one.
func TestReadingAKnownFieldAllocatesNothing(t *testing.T) {
	q := newRequest()
	fields := q.fields()
	text := []byte(`{"cost":` + strconv.Itoa(12) + `}`)
	if got := testing.AllocsPerRun(100, func() {
		if !spec.Has(fields, "cost") || spec.Has(fields, "also") || !readFlatBody(text, &q, true) {
			t.Fatal("not read")
		}
	}); got > 0 {
		t.Errorf("%v allocations", got)
	}
}
