package api

import "net/http"

// ContentTypeProblem is the media type of a [Problem].
const ContentTypeProblem = "application/problem+json"

// A Problem says why something was not done, in the form of RFC 9457. Programs
// decide by Code. No member repeats anything of the request except item refs.
type Problem struct {
	// Type is a URI made of the code.
	Type string `json:"type"`
	// Title says what the code means. It is the same for every problem of a code.
	Title string `json:"title"`
	// Status is the HTTP status: the response's, or the one the item alone would
	// have had.
	Status int `json:"status"`
	// Detail says what is wrong with this request, or is "".
	Detail string `json:"detail,omitempty"`
	// Code is the stable name of the problem.
	Code Code `json:"code"`
	// RequestID is the response's X-Request-Id, by which the server's log names the
	// request. Problems of single items have none.
	RequestID string `json:"request_id,omitempty"`
	// Pointer is the JSON pointer of what is wrong in the request body, or "".
	Pointer string `json:"pointer,omitempty"`
	// Items are the results of a batch of which nothing was done.
	Items []Result `json:"items,omitempty"`
}

// Error returns title, detail and request id.
func (p *Problem) Error() string {
	s := "privet: " + p.Title
	if p.Detail != "" {
		s += ": " + p.Detail
	}
	if p.Pointer != "" {
		s += " (" + p.Pointer + ")"
	}
	if p.RequestID != "" {
		s += " [request " + p.RequestID + "]"
	}
	return s
}

// Retryable reports whether the same request may succeed later.
func (p *Problem) Retryable() bool {
	return p.Status == http.StatusTooManyRequests || p.Status == http.StatusServiceUnavailable
}

// A Code is the stable name of a problem.
type Code string

// The codes.
const (
	BadRequest       Code = "bad_request"        // 400: not HTTP or JSON as this server takes it
	BadItem          Code = "bad_item"           // 400: an item lacks something or has an impossible value
	BadRule          Code = "bad_rule"           // 400: the masking rule cannot be read
	Unauthenticated  Code = "unauthenticated"    // 401
	Forbidden        Code = "forbidden"          // 403: the caller may not do this here
	HostRefused      Code = "host_refused"       // 403: the Host header is not one of this server's
	HeaderRefused    Code = "header_refused"     // 403: a header that only browsers and proxies send
	HeaderMissing    Code = "header_missing"     // 403: no X-Privet: 1
	NotFound         Code = "not_found"          // 404
	MethodNotAllowed Code = "method_not_allowed" // 405
	BodyTimeout      Code = "body_timeout"       // 408: the body did not arrive in time
	SubjectErased    Code = "subject_erased"     // 410: the subject was erased and gets no new keys
	BodyTooLarge     Code = "body_too_large"     // 413
	TooManyItems     Code = "too_many_items"     // 413
	MediaType        Code = "media_type"         // 415: not application/json
	DecryptFailed    Code = "decrypt_failed"     // 422: the one answer to whatever cannot be opened
	NotText          Code = "not_text"           // 422: the plaintext is not UTF-8; ask for base64
	RuleRefused      Code = "rule_refused"       // 422: the rule does not fit the value's type or length
	ValueRefused     Code = "value_refused"      // 422: the rule cannot mask this value
	NothingDone      Code = "nothing_done"       // 422: no item was done, for several reasons
	Busy             Code = "busy"               // 429: too many requests at once
	Internal         Code = "internal"           // 500
	KeysUnavailable  Code = "keys_unavailable"   // 503: the key service or keystore does not answer
	KeysRefused      Code = "keys_refused"       // 503: the key service says no
	NotReady         Code = "not_ready"          // 503: starting or stopping
	DeadlineExceeded Code = "deadline_exceeded"  // 503: the request took longer than the server allows
)

type meaning struct {
	status int
	title  string
}

var meanings = map[Code]meaning{
	BadRequest:       {400, "the request cannot be read"},
	BadItem:          {400, "the item cannot be used"},
	BadRule:          {400, "the masking rule cannot be read"},
	Unauthenticated:  {401, "the caller is not known"},
	Forbidden:        {403, "the caller may not do this"},
	HostRefused:      {403, "the Host header is not one of this server's"},
	HeaderRefused:    {403, "requests of browsers and through proxies are refused"},
	HeaderMissing:    {403, "the header X-Privet: 1 is missing"},
	NotFound:         {404, "there is no such endpoint"},
	MethodNotAllowed: {405, "the endpoint takes another method"},
	BodyTimeout:      {408, "the body did not arrive in time"},
	SubjectErased:    {410, "the subject was erased"},
	BodyTooLarge:     {413, "the body is too large"},
	TooManyItems:     {413, "the batch has too many items"},
	MediaType:        {415, "the body is not application/json"},
	DecryptFailed:    {422, "the ciphertext cannot be opened"},
	NotText:          {422, "the plaintext is not text"},
	RuleRefused:      {422, "the rule does not fit the value's type"},
	ValueRefused:     {422, "the rule cannot mask the value"},
	NothingDone:      {422, "no item was done"},
	Busy:             {429, "too many requests at once"},
	Internal:         {500, "the server failed"},
	KeysUnavailable:  {503, "the keys are not available"},
	KeysRefused:      {503, "the key service refuses"},
	NotReady:         {503, "the server is not ready"},
	DeadlineExceeded: {503, "the request took too long"},
}

// Codes returns every code with its status, for documentation and tests.
func Codes() map[Code]int {
	all := make(map[Code]int, len(meanings))
	for c, m := range meanings {
		all[c] = m.status
	}
	return all
}

// NewProblem returns a problem of that code with its fixed members set. A code
// that does not exist becomes Internal.
func NewProblem(code Code, detail string) *Problem {
	m, ok := meanings[code]
	if !ok {
		code, m = Internal, meanings[Internal]
	}
	return &Problem{Type: "urn:privet:problem:" + string(code), Title: m.title, Status: m.status, Detail: detail, Code: code}
}
