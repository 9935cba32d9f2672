package sidecar

import (
	"encoding/base64"
	"errors"
	"strings"
	"unicode/utf8"

	"github.com/privet-dev/privet/access"
	"github.com/privet-dev/privet/crypto"
	"github.com/privet-dev/privet/sidecar/api"
)

// encrypt answers POST /v1/encrypt.
func (s *Server) encrypt(c *call) {
	s.crypt(c, access.Encrypt, func(at crypto.Context, item *api.EncryptItem, scratch *buffer) (string, *api.Problem) {
		plain := []byte(item.Value)
		if item.Encoding == api.Base64 {
			var err error
			// The decoder of the standard library skips line breaks.
			if plain, err = base64.StdEncoding.Strict().DecodeString(item.Value); err != nil || strings.ContainsAny(item.Value, "\r\n") {
				return "", api.NewProblem(api.BadItem, "the value is not base64 in one line with padding")
			}
		}
		ct, err := s.cfg.Keys.AppendEncrypt(c.r.Context(), scratch.AvailableBuffer(), plain, at)
		if err != nil {
			return "", s.keyProblem(c, err)
		}
		return crypto.EncodeText(ct), nil
	})
}

// decrypt answers POST /v1/decrypt. Whatever is wrong with a ciphertext or its
// context, the answer is one: it tells nobody whether the tag, the context or the
// key was at fault, nor that a subject was erased.
func (s *Server) decrypt(c *call) {
	s.crypt(c, access.Decrypt, func(at crypto.Context, item *api.EncryptItem, scratch *buffer) (string, *api.Problem) {
		ct, err := crypto.DecodeText(item.Value)
		if err != nil {
			return "", api.NewProblem(api.DecryptFailed, "")
		}
		plain, err := s.cfg.Keys.AppendDecrypt(c.r.Context(), scratch.AvailableBuffer(), ct, at)
		switch {
		case errors.Is(err, crypto.ErrDecrypt), errors.Is(err, crypto.ErrErased), errors.Is(err, crypto.ErrContext):
			return "", api.NewProblem(api.DecryptFailed, "")
		case err != nil:
			return "", s.keyProblem(c, err)
		case item.Encoding == api.Base64:
			return base64.StdEncoding.EncodeToString(plain), nil
		case !utf8.Valid(plain):
			return "", api.NewProblem(api.NotText, `ask for "encoding": "base64"`)
		}
		return string(plain), nil
	})
}

// crypt decodes and authorizes a batch of encrypt or decrypt and has do done for
// each item.
func (s *Server) crypt(c *call, op access.Operation, do func(crypto.Context, *api.EncryptItem, *buffer) (string, *api.Problem)) {
	tenant, items, p := decodeBatch(c.body.Bytes(), or(s.cfg.MaxItems, api.MaxItems), decodeCrypt)
	if p == nil {
		p = s.authorizeTenant(c, op, tenant)
	}
	if p != nil {
		c.problem(p)
		return
	}
	results, values := make([]api.Result, len(items)), make([]string, len(items))
	// One scratch buffer serves all items: what is appended to it is copied into a
	// string before the next one.
	scratch := s.buffers.Get().(*buffer)
	defer func() { scratch.release(&s.buffers) }()
	for i := range items {
		item, result := &items[i], &results[i]
		result.Ref = item.Ref
		if err := c.r.Context().Err(); err != nil {
			result.Problem = api.NewProblem(api.DeadlineExceeded, "")
			continue
		}
		d := s.cfg.Access.Authorize(c.caller, op, access.Scope{Tenant: tenant, Field: item.Field})
		if !d.Allowed {
			result.Problem = api.NewProblem(api.Forbidden, d.Why)
			continue
		}
		scratch.Reset()
		scratch.Grow(len(item.Value) + crypto.Overhead)
		values[i], result.Problem = do(crypto.Context{Tenant: tenant, Subject: item.Subject, Field: item.Field}, item, scratch)
		if result.Problem == nil {
			result.Value = &values[i]
		}
	}
	c.results(results)
}

// authorizeTenant is the check of the whole batch: may the caller do op on
// anything of the tenant?
func (s *Server) authorizeTenant(c *call, op access.Operation, tenant string) *api.Problem {
	if d := s.cfg.Access.AuthorizeTenant(c.caller, op, tenant); !d.Allowed {
		return api.NewProblem(api.Forbidden, d.Why)
	}
	return nil
}
