package api

import (
	"encoding/json"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestResultIsAValueOrAProblem(t *testing.T) {
	text := "a\"<é>\n"
	for want, r := range map[string]Result{
		`{"ref":"1","value":"a\"<é>\n"}`: {Ref: "1", Value: &text},
		`{"value":null}`:                 {},
		`{"ref":"2","problem":{"type":"urn:privet:problem:decrypt_failed","title":"the ciphertext cannot be opened","status":422,"code":"decrypt_failed"}}`: {
			Ref: "2", Value: &text, Problem: NewProblem(DecryptFailed, "")},
	} {
		got, err := json.Marshal(Response{Items: []Result{r}})
		require.NoError(t, err)
		appended, err := Response{Items: []Result{r}}.AppendJSON(nil)
		require.NoError(t, err)
		require.Equal(t, `{"items":[`+want+`]}`, string(appended))
		require.JSONEq(t, string(appended), string(got))

		var back Response
		require.NoError(t, json.Unmarshal(appended, &back))
		if r.Problem != nil {
			r.Value = nil
		}
		require.Equal(t, r, back.Items[0])
	}
}

func TestEveryCodeHasAStatusAndATitle(t *testing.T) {
	for code, status := range Codes() {
		p := NewProblem(code, "")
		require.Equal(t, code, p.Code)
		require.NotEmpty(t, p.Title)
		require.GreaterOrEqual(t, status, 400, code)
		require.NotEmpty(t, http.StatusText(status), code)
	}
	require.Equal(t, Internal, NewProblem("no such code", "").Code)
}

func TestProblemsText(t *testing.T) {
	p := NewProblem(BadRequest, "expected a string")
	p.Pointer, p.RequestID = "/items/0/value", "r1"
	require.EqualError(t, p, "privet: the request cannot be read: expected a string (/items/0/value) [request r1]")
	require.False(t, p.Retryable())
	require.True(t, NewProblem(Busy, "").Retryable())
}
