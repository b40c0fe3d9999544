package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
)

// script is a daemon that gives prepared answers: by method and path, each an
// optional status and a body, such as "429 {}". It notes the bodies that it gets.
type script struct {
	answers map[string]string
	got     map[string]map[string]any
}

// scripted points the program at a script.
func scripted(t *testing.T, answers map[string]string) *script {
	t.Helper()
	s := &script{answers, map[string]map[string]any{}}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	t.Setenv(envAddr, server.URL)
	t.Setenv(envToken, "")
	return s
}

func (s *script) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name := r.Method + " " + r.URL.RequestURI()
	text, found := s.answers[name]
	if !found {
		http.Error(w, name, http.StatusNotImplemented)
		return
	}
	var body map[string]any
	if b, _ := io.ReadAll(r.Body); len(b) > 0 && json.Unmarshal(b, &body) != nil {
		http.Error(w, string(b), http.StatusTeapot)
		return
	}
	s.got[name] = body
	status := map[string]int{"202": 202, "404": 404, "429": 429, "503": 503}[text[:3]]
	if status == 0 {
		status = http.StatusOK
	} else {
		text = text[4:]
	}
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text)
}

// wants fails the test unless a body was got that is this JSON.
func (s *script) wants(t *testing.T, name, body string) {
	t.Helper()
	var want any
	if err := json.Unmarshal([]byte(body), &want); err != nil {
		t.Fatal(err)
	}
	got, _ := json.Marshal(s.got[name])
	if wanted, _ := json.Marshal(want); !bytes.Equal(got, wanted) {
		t.Errorf("%s got %s, want %s", name, got, wanted)
	}
}
