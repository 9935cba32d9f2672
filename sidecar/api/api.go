// Package api holds the wire types of the sidecar: what its server reads and
// writes, and what a Go client builds and gets back.
//
// Every data endpoint is a POST of one JSON object with a tenant and items, and
// answers with one [Result] for each item, in the items' order:
//
//	POST /v1/encrypt   EncryptRequest → Response
//	POST /v1/decrypt   DecryptRequest → Response
//	POST /v1/mask      MaskRequest    → Response
//	GET  /v1/health                   → Health
//
// The status is 200 when every item was done and 207 when some were. When none
// was, it is 4xx or 5xx and the body is a [Problem] as application/problem+json
// (RFC 9457). Requests carry the header "X-Privet: 1" and, where the peer is not
// known by its uid, "Authorization: Bearer" with a token.
//
// The server reads strictly: names it does not know, names given twice or in
// another case, invalid UTF-8 and lone surrogates are refused.
package api

// The paths.
const (
	PathEncrypt = "/v1/encrypt"
	PathDecrypt = "/v1/decrypt"
	PathMask    = "/v1/mask"
	PathHealth  = "/v1/health"
)

// Header is the header that every request carries, with the value "1". A browser
// cannot be made to send it from another site, nor can a service that only
// fetches URLs it is given.
const Header = "X-Privet"

// Limits of one request; a server may be configured with other ones.
const (
	MaxBody  = 4 << 20 // bytes
	MaxItems = 1000
)

// MaxRef is the most bytes an item's Ref may have.
const MaxRef = 256

// Base64 is the Encoding of values that are not text: RFC 4648 section 4, with
// padding and without line breaks.
const Base64 = "base64"

// An EncryptRequest asks for ciphertexts.
type EncryptRequest struct {
	// Tenant is whose data it is.
	Tenant string        `json:"tenant"`
	Items  []EncryptItem `json:"items"`
}

// An EncryptItem is one value to encrypt.
type EncryptItem struct {
	// Ref is the caller's own name of the item, returned with its result.
	Ref string `json:"ref,omitempty"`
	// Field is the stable name of the value ("customer.email"). Decrypting takes
	// the same one.
	Field string `json:"field"`
	// Subject is the surrogate id of the person the value is about, or "".
	Subject string `json:"subject,omitempty"`
	// Value is the plaintext.
	Value string `json:"value"`
	// Encoding of Value: "" for the text itself, or Base64.
	Encoding string `json:"encoding,omitempty"`
}

// A DecryptRequest asks for plaintexts.
type DecryptRequest struct {
	// Tenant is whose data it is.
	Tenant string        `json:"tenant"`
	Items  []DecryptItem `json:"items"`
}

// A DecryptItem is one ciphertext to open.
type DecryptItem struct {
	// Ref is the caller's own name of the item, returned with its result.
	Ref string `json:"ref,omitempty"`
	// Field and Subject are those the value was encrypted with.
	Field   string `json:"field"`
	Subject string `json:"subject,omitempty"`
	// Value is the ciphertext in its text form: "pvt1." and base64url.
	Value string `json:"value"`
	// Encoding asks for the plaintext as text ("") or as Base64. A plaintext that is
	// not UTF-8 is a problem of its own as text.
	Encoding string `json:"encoding,omitempty"`
}

// A MaskRequest asks for masked values.
type MaskRequest struct {
	// Tenant is whose keys deterministic rules use.
	Tenant string     `json:"tenant"`
	Items  []MaskItem `json:"items"`
}

// A MaskItem is one value to mask.
type MaskItem struct {
	// Ref is the caller's own name of the item, returned with its result.
	Ref string `json:"ref,omitempty"`
	// Rule is a masking rule as privet.yaml has it: "email", "fpe(keep_last=4)".
	Rule string `json:"rule"`
	// Value is the value's text, as PostgreSQL prints it.
	Value string `json:"value"`
	// Type is the information type ("card_number"), where the rule depends on it.
	Type string `json:"type,omitempty"`
	// SQLType is PostgreSQL's name of the value's type ("text", "int8", "date");
	// "" means text.
	SQLType string `json:"sql_type,omitempty"`
	// MaxLength is the longest result in characters; 0 means no limit.
	MaxLength int `json:"max_length,omitempty"`
	// Subject is the surrogate id of the person, for rules that depend on it.
	Subject string `json:"subject,omitempty"`
}

// A Response holds one result for each item of the request, in their order.
type Response struct {
	Items []Result `json:"items"`
}

// Health is the answer to GET /v1/health.
type Health struct {
	// Status is "ready"; a server that is not answers with a Problem and status 503.
	Status string `json:"status"`
	// Version is the server's version.
	Version string `json:"version"`
}
