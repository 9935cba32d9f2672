package sidecar

import (
	"bufio"
	"bytes"
	"flag"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/privet-dev/privet/crypto"
)

var update = flag.Bool("update", false, "write the answers into the transcripts")

// TestTranscripts plays the conversations in testdata, one file an endpoint. A
// file holds comments (#), requests (>) and the answers they must get (<). In a
// request {{token NAME}} is a caller's token and {{ct TENANT SUBJECT FIELD TEXT}}
// a ciphertext, with - for an empty subject; in an answer every ciphertext is
// shown as {{ct}}. A request with a body gets its Content-Length.
func TestTranscripts(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			keys := realKeys(t)
			r := start(t, func(c *Config) { c.Keys = keys })
			want, err := os.ReadFile(file)
			require.NoError(t, err)
			got := play(t, r, keys, string(want))
			if *update {
				require.NoError(t, os.WriteFile(file, []byte(got), 0o644))
				return
			}
			require.Equal(t, string(want), got)
		})
	}
}

// play sends every request of a transcript and returns it with the real answers.
func play(t *testing.T, r *running, keys *crypto.Client, text string) string {
	var out, request strings.Builder
	answer := func() {
		if request.Len() > 0 {
			out.WriteString(exchange(t, r, keys, request.String()))
			request.Reset()
		}
	}
	for line := range strings.Lines(text) {
		switch {
		case strings.HasPrefix(line, ">"):
			out.WriteString(line)
			request.WriteString(strings.TrimPrefix(strings.TrimPrefix(line, ">"), " "))
		case strings.HasPrefix(line, "<"):
			answer()
		default:
			answer()
			out.WriteString(line)
		}
	}
	answer()
	return out.String()
}

var (
	template   = regexp.MustCompile(`\{\{(\w+) ([^}]*)\}\}`)
	ciphertext = regexp.MustCompile(`pvt1\.[\w-]+`)
)

// exchange sends one request over a connection of its own.
func exchange(t *testing.T, r *running, keys *crypto.Client, request string) string {
	request = template.ReplaceAllStringFunc(request, func(s string) string {
		m := template.FindStringSubmatch(s)
		if m[1] == "token" {
			return r.token(t, m[2])
		}
		w := strings.SplitN(m[2], " ", 4)
		require.Equal(t, "ct", m[1])
		require.Len(t, w, 4)
		ct, err := keys.Encrypt(t.Context(), []byte(w[3]), crypto.Context{Tenant: w[0], Subject: strings.Trim(w[1], "-"), Field: w[2]})
		require.NoError(t, err)
		return crypto.EncodeText(ct)
	})
	head, body, _ := strings.Cut(request, "\n\n")
	body = strings.TrimSuffix(body, "\n")
	head = strings.TrimSuffix(head, "\n") + "\n"
	if body != "" && !strings.Contains(head, "Transfer-Encoding") {
		head += fmt.Sprintf("Content-Length: %d\n", len(body))
	}
	conn, err := net.Dial("tcp", strings.TrimPrefix(r.URL(), "http://"))
	require.NoError(t, err)
	defer conn.Close()
	require.NoError(t, conn.SetDeadline(time.Now().Add(20*time.Second)))
	_, err = io.WriteString(conn, strings.ReplaceAll(head, "\n", "\r\n")+"\r\n"+body)
	require.NoError(t, err)
	method, _, _ := strings.Cut(request, " ")
	resp, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
	require.NoError(t, err)
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	require.NoError(t, err)

	var out bytes.Buffer
	fmt.Fprintf(&out, "< %s %s\n", resp.Proto, resp.Status)
	for _, name := range slices.Sorted(maps.Keys(resp.Header)) {
		if name != "Date" && name != "Content-Length" {
			fmt.Fprintf(&out, "< %s: %s\n", name, strings.Join(resp.Header[name], ", "))
		}
	}
	fmt.Fprintf(&out, "<\n< %s\n", ciphertext.ReplaceAll(bytes.TrimSpace(data), []byte("{{ct}}")))
	return out.String()
}
