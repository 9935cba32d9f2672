package receipt

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/privet-dev/privet/internal/fault"
)

// algorithm is the only one there is.
const algorithm = "Ed25519"

// Errors that a caller may act on.
var (
	// ErrMalformed: the document is no receipt of this format.
	ErrMalformed = errors.New("receipt: malformed")
	// ErrSignature: the signature is not that of this content under this key.
	ErrSignature = errors.New("receipt: signature does not match")
	// ErrKey: the receipt was signed with another key.
	ErrKey = errors.New("receipt: signed with another key")
)

// Sign returns the document of r, indented, with its signature. It sets r's
// Format and Signature.
func Sign(r *Receipt, key ed25519.PrivateKey) ([]byte, error) {
	if len(key) != ed25519.PrivateKeySize {
		return nil, errors.New("receipt: no private key")
	}
	if r.RunID == "" {
		return nil, errors.New("receipt: a receipt needs its run's id")
	}
	r.Format, r.Signature = Format, nil
	canonical, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("receipt: %w", err)
	}
	r.Signature = &Signature{
		Algorithm: algorithm,
		KeyID:     KeyID(key.Public().(ed25519.PublicKey)),
		Value:     base64.StdEncoding.EncodeToString(ed25519.Sign(key, canonical)),
	}
	signature, err := json.Marshal(r.Signature)
	if err != nil {
		return nil, fmt.Errorf("receipt: %w", err)
	}
	// The signature is put into the very bytes that were signed.
	whole := append(canonical[:len(canonical)-1:len(canonical)-1], `,"signature":`...)
	whole = append(append(whole, signature...), '}')
	var out bytes.Buffer
	if err := json.Indent(&out, whole, "", "  "); err != nil {
		return nil, fmt.Errorf("receipt: %w", err)
	}
	out.WriteByte('\n')
	return out.Bytes(), nil
}

// Verify checks a document's signature and returns its content. The error is a
// [fault.Error] of kind Verify that wraps ErrMalformed, ErrKey or ErrSignature.
// What the receipt says of its own verification is not judged.
func Verify(document []byte, key ed25519.PublicKey) (*Receipt, error) {
	if len(key) != ed25519.PublicKeySize {
		return nil, errors.New("receipt: no public key")
	}
	canonical, signature, err := split(document)
	if err != nil {
		return nil, &fault.Error{Kind: fault.Verify, Msg: "this is no receipt: " + err.Error(),
			Hint: "give the JSON file that the refresh wrote", Err: ErrMalformed}
	}
	if id := KeyID(key); signature.KeyID != id {
		return nil, &fault.Error{Kind: fault.Verify, Msg: fmt.Sprintf("the receipt was signed with key %.16q, and this is key %s", signature.KeyID, id),
			Hint: "`privet keys public` prints the public key of a deployment", Err: ErrKey}
	}
	value, err := base64.StdEncoding.Strict().DecodeString(signature.Value)
	if err != nil || !ed25519.Verify(key, canonical, value) {
		return nil, &fault.Error{Kind: fault.Verify, Msg: "the receipt's signature does not match its content",
			Hint: "the file was changed after it was written: get the original", Err: ErrSignature}
	}
	r := &Receipt{}
	if err := json.Unmarshal(canonical, r); err != nil || r.Format != Format {
		return nil, &fault.Error{Kind: fault.Verify, Msg: fmt.Sprintf("the receipt's format is %.40q, and this program knows %s", r.Format, Format),
			Hint: "use the version of privet that wrote it, or a newer one", Err: ErrMalformed}
	}
	r.Signature = signature
	return r, nil
}

// split takes a document apart into the bytes that were signed and the
// signature, which must be its last member, once.
func split(document []byte) ([]byte, *Signature, error) {
	var compact bytes.Buffer
	if err := json.Compact(&compact, document); err != nil {
		return nil, nil, errors.New("not JSON")
	}
	text := compact.Bytes()
	d := json.NewDecoder(bytes.NewReader(text))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, nil, errors.New("not a JSON object")
	}
	for d.More() {
		before := d.InputOffset()
		name, err := d.Token()
		if err != nil {
			return nil, nil, errors.New("not JSON")
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return nil, nil, errors.New("not JSON")
		}
		if name != "signature" {
			// encoding/json takes members by any case: one that only looks like the
			// signature would replace what was checked.
			if s, ok := name.(string); ok && strings.EqualFold(s, "signature") {
				return nil, nil, errors.New("a second signature")
			}
			continue
		}
		if d.More() {
			return nil, nil, errors.New("its signature is not its last member")
		}
		s := &Signature{}
		strict := json.NewDecoder(bytes.NewReader(value))
		strict.DisallowUnknownFields()
		if err := strict.Decode(s); err != nil || s.Algorithm != algorithm {
			return nil, nil, errors.New("its signature is not an " + algorithm + " signature")
		}
		// Only the exact spelling that Sign writes: no byte of a receipt may be
		// changed unseen, those of the signature included.
		if again, err := json.Marshal(s); err != nil || !bytes.Equal(again, value) {
			return nil, nil, errors.New("its signature is not spelled as it was written")
		}
		if before <= 1 {
			return nil, nil, errors.New("it has no content")
		}
		return append(text[:before:before], '}'), s, nil
	}
	return nil, nil, errors.New("it has no signature")
}
