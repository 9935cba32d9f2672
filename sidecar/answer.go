package sidecar

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/privet-dev/privet/sidecar/api"
)

// keepBuffer is the largest buffer that is kept for the next request.
const keepBuffer = 128 << 10

// A buffer holds a body, which may be plaintext.
type buffer struct{ bytes.Buffer }

// release wipes the buffer and gives it back.
func (b *buffer) release(pool *sync.Pool) {
	b.Reset()
	clear(b.AvailableBuffer()[:b.Cap()])
	if b.Cap() <= keepBuffer {
		pool.Put(b)
	}
}

// write sends the answer. Everything is done and authenticated before it: an
// answer that begins is an answer that is whole.
func (c *call) write(status int, contentType string, body []byte) {
	c.status, c.size = status, len(body)
	h := c.w.Header()
	h.Set("Content-Type", contentType)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	c.w.WriteHeader(status)
	c.w.Write(body)
}

// problem answers with a problem for the whole request.
func (c *call) problem(p *api.Problem) {
	p.RequestID, c.code = c.id, p.Code
	body, err := json.Marshal(p)
	if err != nil {
		http.Error(c.w, http.StatusText(http.StatusInternalServerError), http.StatusInternalServerError)
		return
	}
	c.write(p.Status, api.ContentTypeProblem, body)
}

// results answers with one result an item: 200 when all are done, 207 when some
// are, and as a problem when none is. That one takes its code from the items
// where they agree.
func (c *call) results(items []api.Result) {
	c.items = len(items)
	var first *api.Problem
	agree := true
	for i := range items {
		if p := items[i].Problem; p != nil {
			c.failed++
			if first == nil {
				first = p
			}
			agree = agree && p.Code == first.Code
		}
	}
	if c.failed == len(items) {
		p := api.NewProblem(api.NothingDone, "")
		if agree {
			p = api.NewProblem(first.Code, first.Detail)
		}
		if p.Retryable() {
			c.w.Header().Set("Retry-After", "1")
		}
		p.Items = items
		c.problem(p)
		return
	}
	status := http.StatusOK
	if c.failed > 0 {
		status = http.StatusMultiStatus
	}
	body, err := api.Response{Items: items}.AppendJSON(c.out.AvailableBuffer())
	if err != nil {
		c.problem(api.NewProblem(api.Internal, ""))
		return
	}
	c.out.Write(body)
	c.write(status, "application/json", body)
}

// logCall writes one line a request, without anything of its body: who, what,
// how many, how long.
func (s *Server) logCall(c *call, start time.Time) {
	level := slog.LevelInfo
	if c.status >= http.StatusInternalServerError {
		level = slog.LevelError
	}
	if !s.log.Enabled(c.r.Context(), level) {
		return
	}
	s.log.LogAttrs(c.r.Context(), level, "request",
		slog.String("request_id", c.id),
		slog.String("route", or(c.route, "none")),
		slog.Int("status", c.status),
		slog.String("code", string(c.code)),
		slog.String("caller", c.caller.Name),
		slog.String("caller_id", c.caller.ID),
		slog.Int("items", c.items),
		slog.Int("failed", c.failed),
		slog.Int("bytes_out", c.size),
		slog.Duration("duration", time.Since(start)),
	)
}
