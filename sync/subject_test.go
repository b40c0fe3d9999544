package sync

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/distributed-rate-limiter/distributed-rate-limiter/crdt"
)

func TestSubjectsComeBackAsTheyWere(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		prefix := rapid.StringMatching(`[a-z]{1,8}(\.[a-z]{1,8}){0,2}`).Draw(t, "prefix")
		s := newSubjects(prefix, genName(t))
		k := Kind(rapid.IntRange(1, int(kindEnd)-1).Draw(t, "kind"))
		node, r := genName(t), crdt.Replica(genUint64(t, "incarnation"))
		subject, pattern := s.of(k, node, r), s.broadcasts()
		if k.addressed() {
			toNode, to := genName(t), crdt.Replica(genUint64(t, "to"))
			subject, pattern = s.between(k, node, r, toNode, to), s.addressed(toNode, to)
		}
		k2, node2, r2, ok := s.parse(subject)
		if !ok || k2 != k || node2 != node || r2 != r {
			t.Fatalf("%s: %v, %s, %d, %v", subject, k2, node2, r2, ok)
		}
		if !Matches(pattern, subject) {
			t.Fatalf("%s does not match %s", pattern, subject)
		}
		if !strings.HasPrefix(subject, prefix+".v1.") {
			t.Fatalf("%s: a script or a permission relies on prefix and version", subject)
		}
	})
}

func TestSubjectIsAsTheContractSays(t *testing.T) {
	got := newSubjects("ratelimit", "default").of(KindDelta, "api-1", 35)
	if want := "ratelimit.v1.default.delta.api-1.z"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	got = newSubjects("ratelimit", "default").between(KindRows, "api-1", 35, "api-2", 36)
	if want := "ratelimit.v1.default.rows.api-1.z.api-2.10"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestForeignSubjectsAreNotOurs(t *testing.T) {
	s := newSubjects("ratelimit", "default")
	for _, subject := range []string{
		"", ".", "ratelimit", "ratelimit.v1.default.", "ratelimit.v1.default.delta", "ratelimit.v1.default.delta.n1",
		"ratelimit.v1.other.delta.n1.5", "ratelimit.v2.default.delta.n1.5", "xratelimit.v1.default.delta.n1.5",
		"ratelimit.v1.default.Delta.n1.5", "ratelimit.v1.default.unknown.n1.5", "ratelimit.v1.default..n1.5",
		"ratelimit.v1.default.delta.n1.", "ratelimit.v1.default.delta.n1.5.6", "ratelimit.v1.default.delta.n1.-5",
		"ratelimit.v1.default.delta.n1.+5", "ratelimit.v1.default.delta.n1.5_0",
		"ratelimit.v1.default.delta.n1.zzzzzzzzzzzzzzzz", // over 64 bits
		"ratelimit.v1.default.delta..5", "ratelimit.v1.default.delta.a b.5", "ratelimit.v1.default.delta.*.5",
		"ratelimit.v1.default.delta.n1.Z", // one incarnation has one spelling
		"ratelimit.v1.default.delta.n1.0z",
		"ratelimit.v1.default.rows.n1.5", "ratelimit.v1.default.rows.n1.5.n2", "ratelimit.v1.default.rows.n1.5.n2.6.7",
		"ratelimit.v1.default.delta.n1.5.n2.6", // a broadcast to one
	} {
		if k, node, r, ok := s.parse(subject); ok {
			t.Errorf("%q is taken for %v of %q, %d", subject, k, node, r)
		}
	}
}

func FuzzSubject(f *testing.F) {
	s := newSubjects("ratelimit", "default")
	f.Add(s.of(KindBeat, "api-1", 1<<64-1))
	f.Add("ratelimit.v1.default.delta.n1.5.6")
	f.Fuzz(func(t *testing.T, subject string) {
		k, node, r, ok := s.parse(subject)
		if !ok {
			return
		}
		if again := s.of(k, node, r); !strings.HasPrefix(subject+".", again+".") {
			t.Errorf("%q is read as %q", subject, again)
		}
		if !ValidName(node) {
			t.Errorf("%q holds the node name %q", subject, node)
		}
	})
}

func TestNamesAreOneToken(t *testing.T) {
	for name, want := range map[string]bool{
		"a": true, "api-1": true, "API_1": true, strings.Repeat("a", 64): true, "-": true,
		"": false, strings.Repeat("a", 65): false, "a.b": false, "a b": false, "*": false, ">": false, "ä": false,
		"a\x00": false, "a\n": false, "a/b": false,
	} {
		if ValidName(name) != want {
			t.Errorf("ValidName(%q) is %v", name, !want)
		}
	}
}

func TestMatches(t *testing.T) {
	for _, c := range []struct {
		pattern, subject string
		want             bool
	}{
		{"a.b", "a.b", true},
		{"a.*", "a.b", true},
		{"*.b", "a.b", true},
		{"*.*", "a.b", true},
		{"*", "a", true},
		{"a.*.c", "a.b.c", true},
		{"a.b", "a.c", false},
		{"a.b", "a", false},
		{"a", "a.b", false},
		{"a.*", "a", false},
		{"a.*", "a.b.c", false},
		{"*", "a.b", false},
		{"a.b*", "a.bc", false}, // a wildcard is a whole token
		{"A.b", "a.b", false},
	} {
		if Matches(c.pattern, c.subject) != c.want {
			t.Errorf("Matches(%q, %q) is %v", c.pattern, c.subject, !c.want)
		}
	}
}
